"""Bodies in, views out: `read` for everything, `outline` for the little that the front asks of every body.

A conversation is found again by its family, a hash of its first user message. Two requests that share an edited block
share everything before it, hence the first user message too; so the family never misses a plan, whatever the client
re-encoded. That several conversations may share one is harmless: plans are keyed by chain.
"""

from collections.abc import Callable

import msgspec

from tokenpak.core.body import anthropic, openai_chat, openai_responses
from tokenpak.core.body.marks import Life, life_of
from tokenpak.core.body.model import Kind, Memo, Unit, Unreadable, View, shape_of
from tokenpak.core.body.parts import decoded, remembered, tool_unit
from tokenpak.core.body.spans import Span, elements, members
from tokenpak.core.patch import Format
from tokenpak.core.project import project_of

Placed = tuple[int, bytes, Unit]
_Parse = Callable[[bytes], Unit]

_HISTORY = {Format.ANTHROPIC: "messages", Format.OPENAI_CHAT: "messages", Format.OPENAI_RESPONSES: "input"}
_UNITS: dict[Format, _Parse] = {
    Format.ANTHROPIC: anthropic.message_unit,
    Format.OPENAI_CHAT: openai_chat.message_unit,
    Format.OPENAI_RESPONSES: openai_responses.item_unit,
}
_BILLING = "x-anthropic-billing-header:"


def read(fmt: Format, body: bytes, memo: Memo | None = None) -> View:
    """The view of a body. Raises Unreadable. `memo` only saves time."""
    top = members(body, (0, len(body)))
    units = _listed(body, top.get("tools"), "tool", tool_unit, memo) + _system(fmt, body, top, memo)
    history = top.get(_HISTORY[fmt])
    if history is None:
        raise Unreadable("no_history")
    if fmt is Format.OPENAI_RESPONSES and body[history[0] : history[0] + 1] == b'"':
        units.append(_placed(body, history, "input", openai_responses.input_unit, memo))
    else:
        units += _listed(body, history, fmt.value, _UNITS[fmt], memo)
    return View(fmt, tuple(units), _keep(units), _unreferable(fmt, body, top))


def _placed(body: bytes, span: Span, section: str, parse: _Parse, memo: Memo | None) -> Placed:
    return (span[0], *remembered(memo, section, body, span, parse))


def _listed(body: bytes, span: Span | None, section: str, parse: _Parse, memo: Memo | None) -> list[Placed]:
    if span is None or body[span[0] : span[0] + 1] == b"n":
        return []
    return [_placed(body, element, section, parse, memo) for element in elements(body, span)]


def _system(fmt: Format, body: bytes, top: dict[str, Span], memo: Memo | None) -> list[Placed]:
    name = {Format.ANTHROPIC: "system", Format.OPENAI_RESPONSES: "instructions"}.get(fmt, "")
    span = top.get(name)
    if span is None or body[span[0] : span[0] + 1] == b"n":
        return []
    if fmt is Format.OPENAI_RESPONSES:
        return [_placed(body, span, name, openai_responses.instructions_unit, memo)]
    if body[span[0] : span[0] + 1] == b"[":
        return _listed(body, span, name, anthropic.system_unit, memo)
    return [_placed(body, span, name, anthropic.system_unit, memo)]


def _keep(units: list[Placed]) -> str | None:
    """Why nothing may be edited: the client's bill depends on the bytes."""
    for _, _, unit in units:
        for block in unit.blocks:
            if block.kind is Kind.SYSTEM and any(_bills_bytes(t.text) for t in block.texts):
                return "billing_cch"
    return None


def _bills_bytes(text: str) -> bool:
    return text.startswith(_BILLING) and "cch=" in text.split("\n", 1)[0]


def _unreferable(fmt: Format, body: bytes, top: dict[str, Span]) -> str | None:
    """Why the server may remove what a reference would point to. An unknown kind of context edit counts as clearing."""

    def is_set(name: str, *harmless: bytes) -> bool:
        return name in top and body[slice(*top[name])] not in (b"null", *harmless)

    if is_set("context_management") and not _leaves_sources(decoded(body, top["context_management"])):
        return "context_management"
    if fmt is Format.OPENAI_RESPONSES:
        if is_set("truncation", b'"disabled"'):
            return "truncation"
        return next((name for name in ("conversation", "previous_response_id") if is_set(name)), None)
    return None


def _leaves_sources(managed: object) -> bool:
    """True when context management is set to remove nothing but thinking, and says nothing that is not known."""
    edits = managed.get("edits", []) if isinstance(managed, dict) and managed.keys() <= {"edits"} else managed
    return isinstance(edits, list) and all(map(_clears_only_thinking, edits))


def _clears_only_thinking(edit: object) -> bool:
    return isinstance(edit, dict) and str(edit.get("type", "")).startswith("clear_thinking_")


class Outline(msgspec.Struct, frozen=True):
    """What the front asks of a body: model asked for, streaming or not, output bound, conversation family.

    setting: hash of what Anthropic's cache of the messages depends on beside them, such as the choice of tools. scope: the
    cache key the client gives, if any. mark: life of a cache mark on the request itself. project: see core/project.py.
    """

    model: str | None
    stream: bool
    max_tokens: int | None
    family: bytes
    setting: bytes = b""
    scope: str = ""
    mark: Life | None = None
    project: str | None = None


_NOTHING = msgspec.Raw(b"")
_PROJECT_ITEMS = 3
"""Messages in which an agent says where it works."""


class _Messages(msgspec.Struct):
    messages: list[msgspec.Raw]
    model: object = None
    stream: object = None
    max_tokens: object = None
    max_completion_tokens: object = None
    system: msgspec.Raw = _NOTHING
    tool_choice: object = None
    thinking: object = None
    cache_control: object = None
    prompt_cache_key: object = None


class _Input(msgspec.Struct):
    input: msgspec.Raw
    model: object = None
    stream: object = None
    max_output_tokens: object = None
    instructions: msgspec.Raw = _NOTHING
    prompt_cache_key: object = None


_MESSAGES = msgspec.json.Decoder(_Messages)
_INPUT = msgspec.json.Decoder(_Input)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def outline(fmt: Format, body: bytes) -> Outline:
    """The outline of a body, in one quick scan. Raises Unreadable."""
    try:
        return _of_input(body) if fmt is Format.OPENAI_RESPONSES else _of_messages(fmt, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not_a_request") from error


def _of_input(body: bytes) -> Outline:
    found = _INPUT.decode(body)
    whole = bytes(found.input)
    items = _ITEMS.decode(whole) if whole[:1] == b"[" else []
    first = openai_responses.input_unit(whole) if whole[:1] == b'"' else _first_user(Format.OPENAI_RESPONSES, items)
    return Outline(
        _word(found.model),
        found.stream is True,
        _bound(found.max_output_tokens),
        _family(first),
        scope=_word(found.prompt_cache_key) or "",
        project=project_of(map(bytes, [found.instructions, *items[:_PROJECT_ITEMS]])),
    )


def _of_messages(fmt: Format, body: bytes) -> Outline:
    told = _MESSAGES.decode(body)
    anthropic_ = fmt is Format.ANTHROPIC
    settled = anthropic_ and (told.tool_choice is not None or told.thinking is not None)
    return Outline(
        _word(told.model),
        told.stream is True,
        _bound(told.max_tokens if told.max_tokens is not None else told.max_completion_tokens),
        _family(_first_user(fmt, told.messages)),
        shape_of("setting", msgspec.json.encode([told.tool_choice, told.thinking], order="sorted")) if settled else b"",
        _word(told.prompt_cache_key) or "",
        life_of(told.cache_control) if anthropic_ else None,
        project_of(map(bytes, [told.system, *told.messages[:_PROJECT_ITEMS]])),
    )


def _first_user(fmt: Format, items: list[msgspec.Raw]) -> Unit | None:
    for item in items:
        unit = _UNITS[fmt](bytes(item))
        if unit.user and any(block.kind is Kind.USER for block in unit.blocks):
            return unit
    return None


def _family(first: Unit | None) -> bytes:
    return shape_of("family", *(block.digest for block in first.blocks)) if first else shape_of("family")


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _bound(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
