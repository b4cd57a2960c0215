"""OpenAI Responses: tools, then instructions, then input items; calls and their outputs are items of their own."""

from tokenpak.core.body.model import Kind, Unit, shape_of
from tokenpak.core.body.openai_chat import content_blocks
from tokenpak.core.body.parts import arguments_in, built, call, extras, opaque, result, text_at
from tokenpak.core.body.spans import Span, members, string

_MESSAGE = frozenset({"type", "role", "content"})
_OUTPUT = frozenset({"type", "call_id", "output"})
_KINDS = {"user": Kind.USER, "assistant": Kind.ASSISTANT, "system": Kind.SYSTEM, "developer": Kind.SYSTEM}
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})


def instructions_unit(raw: bytes) -> Unit:
    """The instructions string."""
    text = text_at(raw, (0, len(raw)))
    return Unit(
        (opaque(raw, (0, len(raw))) if text is None else built(Kind.SYSTEM, shape_of("instructions"), (text,), 0),)
    )


def input_unit(raw: bytes) -> Unit:
    """The whole input, where it is one string: a user message."""
    return Unit(tuple(content_blocks(raw, (0, len(raw)), Kind.USER, shape_of("message", "user", b""))), user=True)


def item_unit(raw: bytes) -> Unit:
    """One input item."""
    whole = (0, len(raw))
    found = members(raw, whole)
    kind = string(raw, found["type"]) if "type" in found else "message"
    if kind == "message":
        return _message(raw, whole, found)
    ident = (string(raw, found["call_id"]) if "call_id" in found else None) or ""
    if kind in _OUTPUTS:
        return Unit((result(raw, found.get("output"), ident, kind, extras(raw, found, _OUTPUT)),))
    if kind in ("function_call", "custom_tool_call"):
        name = string(raw, found["name"]) if "name" in found else None
        told = found.get("arguments") or found.get("input")
        return Unit((call(raw, whole, ident, name or "", arguments_in(string(raw, told) if told else None)),))
    return Unit((opaque(raw, whole),))


def _message(raw: bytes, whole: Span, found: dict[str, Span]) -> Unit:
    role = string(raw, found["role"]) if "role" in found else None
    if role not in _KINDS:
        return Unit((opaque(raw, whole),))
    head = shape_of("message", role, extras(raw, found, _MESSAGE))
    blocks = content_blocks(raw, found.get("content"), _KINDS[role], head)
    return Unit(tuple(blocks) or (opaque(raw, whole),), role == "user")
