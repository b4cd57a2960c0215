"""OpenAI Chat Completions: tools, then messages. The system prompt is a message; calls hang on assistant messages."""

from tokenpak.core.body.model import Block, Kind, Unit, shape_of
from tokenpak.core.body.parts import arguments_in, built, call, extras, opaque, result, text_at, text_part
from tokenpak.core.body.spans import Span, elements, members, string

_MESSAGE = frozenset({"role", "content", "cache_control"})
_TURN, _RESULT = _MESSAGE | {"tool_calls"}, _MESSAGE | {"tool_call_id"}
_KINDS = {"user": Kind.USER, "assistant": Kind.ASSISTANT, "system": Kind.SYSTEM, "developer": Kind.SYSTEM}


def message_unit(raw: bytes) -> Unit:
    """One message."""
    whole = (0, len(raw))
    found = members(raw, whole)
    role = string(raw, found["role"]) if "role" in found else None
    if role == "tool":
        ident = string(raw, found["tool_call_id"]) if "tool_call_id" in found else None
        head = shape_of("message", role, extras(raw, found, _RESULT))
        return Unit((result(raw, found.get("content"), ident or "", head),))
    if role not in _KINDS:
        return Unit((opaque(raw, whole),))
    calls = _calls(raw, found.get("tool_calls")) if role == "assistant" else None
    head = shape_of("message", role, extras(raw, found, _MESSAGE if calls is None else _TURN))
    blocks = content_blocks(raw, found.get("content"), _KINDS[role], head)
    for span in calls or ():
        blocks.append(_call(raw, span, b"" if blocks else head))
    return Unit(tuple(blocks) or (opaque(raw, whole),), role == "user")


def content_blocks(raw: bytes, content: Span | None, kind: Kind, head: bytes) -> list[Block]:
    """The blocks of a message's content: a string, a list of parts, or nothing."""
    first = raw[content[0] : content[0] + 1] if content else b"n"
    if content is None or first == b"n":
        return []
    spans = elements(raw, content) if first == b"[" else [content]
    blocks: list[Block] = []
    for span in spans:
        lead = raw[span[0] : span[0] + 1]
        text = text_at(raw, span) if lead == b'"' and first != b"[" else text_part(raw, span) if lead == b"{" else None
        mark = b"" if blocks else head
        blocks.append(
            opaque(raw, span, mark) if text is None else built(kind, shape_of("text", kind.name, mark), (text,), 0)
        )
    return blocks


def _calls(raw: bytes, span: Span | None) -> list[Span] | None:
    """The calls of a message; None where the member is something else and has to count as unknown."""
    if span is None or raw[span[0] : span[1]] == b"null":
        return []
    return elements(raw, span) if raw[span[0] : span[0] + 1] == b"[" else None


def _call(raw: bytes, span: Span, head: bytes) -> Block:
    found = members(raw, span)
    inner = found.get("function") or found.get("custom")
    if inner is None:
        return opaque(raw, span, head)
    told = members(raw, inner)
    arguments = told.get("arguments") or told.get("input")
    ident = string(raw, found["id"]) if "id" in found else None
    name = string(raw, told["name"]) if "name" in told else None
    return call(raw, span, ident or "", name or "", arguments_in(string(raw, arguments) if arguments else None), head)
