"""Anthropic Messages: tools, then system, then messages, each content block a block of ours."""

from tokenpak.core.body.model import Block, Kind, Text, Unit, shape_of
from tokenpak.core.body.parts import built, call, decoded, extras, opaque, result, text_among, text_at, text_part
from tokenpak.core.body.spans import Span, elements, members, string

_MESSAGE = frozenset({"role", "content"})
_CALL_RESULT = frozenset({"type", "tool_use_id", "content", "cache_control"})
_KINDS = {"user": Kind.USER, "assistant": Kind.ASSISTANT, "system": Kind.SYSTEM}


def system_unit(raw: bytes) -> Unit:
    """One system block, or the whole system string."""
    return Unit((_text_or_opaque(raw, (0, len(raw)), Kind.SYSTEM, b"system"),))


def message_unit(raw: bytes) -> Unit:
    """One message."""
    whole = (0, len(raw))
    found = members(raw, whole)
    role = string(raw, found["role"]) if "role" in found else None
    content = found.get("content")
    if role is None or content is None or role not in _KINDS:
        return Unit((opaque(raw, whole),))
    head = shape_of("message", role, extras(raw, found, _MESSAGE))
    blocks: list[Block] = []
    if raw[content[0] : content[0] + 1] == b"[":
        for span in elements(raw, content):
            blocks.append(_block(raw, span, _KINDS[role], head if not blocks else b""))
    else:
        blocks.append(_text_or_opaque(raw, content, _KINDS[role], head))
    return Unit(tuple(blocks) or (opaque(raw, whole),), role == "user")


def _text_or_opaque(raw: bytes, span: Span, kind: Kind, head: bytes) -> Block:
    first = raw[span[0] : span[0] + 1]
    text = text_at(raw, span) if first == b'"' else text_part(raw, span) if first == b"{" else None
    return opaque(raw, span, head) if text is None else _text(text, kind, head)


def _text(text: Text, kind: Kind, head: bytes) -> Block:
    return built(kind, shape_of("text", kind.name, head), (text,), 0)


def _block(raw: bytes, span: Span, kind: Kind, head: bytes) -> Block:
    if raw[span[0] : span[0] + 1] != b"{":
        return opaque(raw, span, head)
    found = members(raw, span)
    match string(raw, found["type"]) if "type" in found else None:
        case "text":
            text = text_among(raw, found)
            return opaque(raw, span, head) if text is None else _text(text, kind, head)
        case "tool_use" if "input" in found:
            name = string(raw, found["name"]) if "name" in found else None
            ident = string(raw, found["id"]) if "id" in found else None
            return call(raw, span, ident or "", name or "", decoded(raw, found["input"]), head)
        case "tool_result" if kind is Kind.USER:
            ident = string(raw, found["tool_use_id"]) if "tool_use_id" in found else None
            return result(raw, found.get("content"), ident or "", head, extras(raw, found, _CALL_RESULT))
        case _:
            return opaque(raw, span, head)
