"""Folders of recorded sessions: JSON files with `format`, `messages` and `turn_ends`, whoever wrote them.

Turn k sent the system prompt, the tools, and the messages up to and with number turn_ends[k]; without `turn_ends`, every
message of the assistant's ends one. A recording may say how many input tokens its provider counted: `recorded_input_tokens`,
a number a turn, or `recorded_usage`, pairs of a message's number and its count.
"""

import re
from collections.abc import Iterator

import msgspec

from tokenpak.cli.estimate.turns import Broken, Read, Turn, blocks_of, message
from tokenpak.core.ledger import Life
from tokenpak.core.patch import Format
from tokenpak.mock_provider.call import without_marks

_NONE = msgspec.Raw(b"null")
_MARK = b'"cache_control"'
_HOUR = re.compile(rb'"ttl": ?"1h"')


class _Message(msgspec.Struct):
    role: str
    content: str | list[msgspec.Raw] | None = None
    tool_call_id: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Recording(msgspec.Struct):
    messages: list[msgspec.Raw]
    id: str | None = None
    format: str | None = None
    agent: str | None = None
    model: str | None = None
    native_api: str | None = None
    system: msgspec.Raw = _NONE
    tools: msgspec.Raw = _NONE
    turn_ends: list[int] | None = None
    recorded_usage: list[tuple[int, int]] | None = None
    recorded_input_tokens: list[int | None] | None = None


def is_one(raw: bytes) -> bool:
    """Whether a file's contents are a recorded session. A request has messages, too, but tells of no format and no turns."""
    try:
        return _is_one(msgspec.json.decode(raw, type=_Recording))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _is_one(found: _Recording) -> bool:
    return found.format is not None or found.turn_ends is not None


def turns(raw: bytes, name: str) -> Iterator[Read]:
    """The turns of one recording. name: of the session, where it does not say."""
    life: Life = "1h" if _HOUR.search(raw) else "5m"
    try:
        found = msgspec.json.decode(_unmarked(raw), type=_Recording)
        said = [msgspec.json.decode(each, type=_Message) for each in found.messages]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        yield Broken("recording")
        return
    if not _is_one(found):
        yield Broken("recording")
        return
    shape = _format(found)
    items, places = _items(shape, found, said)
    totals = _totals(found)
    for nth, end in enumerate(_ends(found, said)):
        yield Turn(
            session=found.id or name,
            conversation="main",
            agent=found.agent or "unknown",
            client=None,
            format=shape,
            model=found.model or "",
            items=tuple(items[: places[end + 1]]),
            tools=_present(found.tools),
            system=_present(found.system),
            tail_marks=shape is Format.ANTHROPIC,
            life=life,
            total=totals.get(("turn", nth), totals.get(("message", end))),
        )


def _unmarked(raw: bytes) -> bytes:
    """The recording without cache marks: they moved from turn to turn, and it shows where they stood at the end."""
    return msgspec.json.encode(without_marks(msgspec.json.decode(raw))) if _MARK in raw else raw


def _format(found: _Recording) -> Format:
    if found.format in (None, "anthropic"):
        return Format.ANTHROPIC
    return Format.OPENAI_RESPONSES if found.native_api == "responses" else Format.OPENAI_CHAT


def _ends(found: _Recording, said: list[_Message]) -> list[int]:
    """The number of the last message of each request."""
    if found.turn_ends is not None:
        return [end for end in found.turn_ends if 0 <= end < len(said)]
    return [nth - 1 for nth, each in enumerate(said) if nth and each.role == "assistant"]


def _totals(found: _Recording) -> dict[tuple[str, int], int]:
    """Input tokens as the provider counted them, by turn or by the last message."""
    by_turn = {("turn", nth): count for nth, count in enumerate(found.recorded_input_tokens or ()) if count}
    return by_turn | {("message", end): count for end, count in found.recorded_usage or ()}


def _items(shape: Format, found: _Recording, said: list[_Message]) -> tuple[list[bytes], list[int]]:
    """All items, and how many there are before each message (and after the last)."""
    items: list[bytes] = []
    places = [0]
    for raw, each in zip(found.messages, said, strict=True):
        if shape is Format.OPENAI_CHAT:
            items.append(bytes(raw))
        elif shape is Format.ANTHROPIC:
            items.append(message(each.role, blocks_of(each.content)))
        else:
            items += _input(each)
        places.append(len(items))
    return items, places


def _input(said: _Message) -> Iterator[bytes]:
    """A chat message as items of the Responses API."""
    text = _text(said)
    if said.role == "tool":
        output = {"type": "function_call_output", "call_id": said.tool_call_id, "output": text}
        yield msgspec.json.encode(output)
        return
    if text:
        kind = "output_text" if said.role == "assistant" else "input_text"
        yield msgspec.json.encode({"type": "message", "role": said.role, "content": [{"type": kind, "text": text}]})
    for call in said.tool_calls or ():
        told = msgspec.json.decode(call)
        function = told.get("function") or {}
        about = {"name": function.get("name"), "arguments": function.get("arguments") or "{}"}
        yield msgspec.json.encode({"type": "function_call", "call_id": told.get("id"), **about})


def _text(said: _Message) -> str:
    parts = [msgspec.json.decode(each) for each in said.content] if isinstance(said.content, list) else []
    words = (part.get("text") for part in parts if isinstance(part, dict))
    return said.content if isinstance(said.content, str) else "\n".join(word for word in words if isinstance(word, str))


def _present(raw: msgspec.Raw) -> bytes:
    """A member's JSON, b"" where it holds nothing."""
    value = bytes(raw)
    return b"" if value in (b"null", b"[]", b'""') else value
