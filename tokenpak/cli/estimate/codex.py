"""Codex's logs: `~/.codex/sessions/**/rollout-*.jsonl`, one file a conversation.

A line has a type and a payload; `response_item` payloads are the very items of the Responses API that were sent and came
back. The difficulty is where one request ends. Later versions say so, by a `token_usage_record` behind each answer; earlier
ones by a `token_count` event, which may come only after the results of the answer's tools, and is repeated with other news;
the first by nothing, and there an answer ends with the next item that is not the model's. Which of them a file is must be
known before its first answer, so whoever reads says whether counts are in it.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from tokenpak.cli.estimate.turns import Broken, Compacted, Read, Turn, decoded, seconds
from tokenpak.core.patch import Format
from tokenpak.core.usage import Usage

AGENT, CLIENT = "Codex", "codex"
_OURS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output", "tool_search_output"})
"""Items that come from the client, whatever role they have."""
_READ = frozenset({"session_meta", "turn_context", "compacted", "response_item", "token_usage_record", "event_msg"})
_NEWS = re.compile(rb'.{0,120}"type": ?"event_msg", ?"payload": ?\{"type": ?"(?!token_count)')
"""Lines for the eye, the most and the longest; some of them are of other shapes."""
_NOTE = b"internal_chat_message_metadata_passthrough"
_UNSENT = frozenset({"ghost_snapshot", "other"})


class _Counts(msgspec.Struct):
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_output_tokens: int | None = None
    total_tokens: int | None = None


class _Info(msgspec.Struct):
    last_token_usage: _Counts | None = None
    total_token_usage: _Counts | None = None


class _Words(msgspec.Struct):
    text: str | None = None


class _Payload(msgspec.Struct):
    """Of all kinds of lines, what is needed."""

    type: str | None = None
    role: str | None = None
    id: str | None = None
    model: str | None = None
    instructions: str | None = None
    base_instructions: _Words | str | None = None
    info: _Info | None = None
    message: str | None = None
    session_id: str | None = None
    response_id: str | None = None
    usage: _Counts | None = None
    replacement_history: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct):
    type: str | None = None
    timestamp: str | None = None
    payload: msgspec.Raw = msgspec.Raw()


class _Rollout:
    """A conversation as it grows. request: what was there when the answer that is being written began.

    counted: an answer ends with its count. recorded: with its record, and counts say nothing new.
    """

    def __init__(self, name: str, *, counted: bool) -> None:
        self.session, self.conversation, self.model, self.instructions = name, "main", "", ""
        self.items: list[bytes] = []
        self.request: tuple[bytes, ...] | None = None
        self.at: float | None = None
        self.asked_at: float | None = None
        self.named = self.recorded = False
        self.counted = counted
        self.total: int | None = None

    def name(self, told: _Payload) -> None:
        """Take the session's names from its first line; a fork has those of others further down."""
        if not self.named:
            self.session = told.session_id or told.id or self.session
            self.conversation = "main" if told.id in (None, self.session) else f"agent {told.id}"
            self.instructions = _words(told) or ""
        self.named = True

    def ended(self, usage: Usage | None, response: str = "") -> Iterator[Turn]:
        """The turn of the answer that was being written, if one was."""
        request, self.request = self.request, None
        if request:
            yield Turn(
                session=self.session,
                conversation=self.conversation,
                agent=AGENT,
                client=CLIENT,
                format=Format.OPENAI_RESPONSES,
                model=self.model,
                items=request,
                system=msgspec.json.encode(self.instructions) if self.instructions else b"",
                at=self.at,
                usage=usage,
                response=response,
            )


def turns(lines: Iterable[bytes], name: str, *, counted: bool) -> Iterator[Read]:
    """The turns of one file. name: of the session, where the lines do not say. counted: the provider's counts are in it."""
    rollout = _Rollout(name, counted=counted)
    for line in lines:
        if not line.strip() or _NEWS.match(line):
            continue
        try:
            entry = decoded(line, _Line)
            told = msgspec.json.decode(entry.payload, type=_Payload) if entry.type in _READ else _Payload()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield Broken("line")
            continue
        yield from _heard(rollout, entry, told)
    yield from rollout.ended(None)


def _heard(rollout: _Rollout, entry: _Line, told: _Payload) -> Iterator[Read]:
    if entry.type == "session_meta":
        rollout.name(told)
    elif entry.type == "turn_context":
        rollout.model = told.model or rollout.model
    elif entry.type == "compacted":
        yield from rollout.ended(None)
        rollout.items = _replaced(rollout.items, told)
        yield Compacted()
    elif entry.type == "response_item" and told.type not in _UNSENT:
        yield from _item(rollout, entry, told)
    elif entry.type == "token_usage_record" and told.usage:
        rollout.recorded = True
        yield from rollout.ended(usage_of(told.usage), told.response_id or "")
    elif entry.type == "event_msg" and told.type == "token_count" and told.info and not rollout.recorded:
        yield from _counted(rollout, told.info)


def _item(rollout: _Rollout, entry: _Line, told: _Payload) -> Iterator[Turn]:
    theirs = told.type not in _OURS and told.role in (None, "assistant")
    if theirs and rollout.request is None:
        rollout.request, rollout.at = tuple(rollout.items), rollout.asked_at
    elif not theirs and (told.role == "user" or not rollout.counted):
        yield from rollout.ended(None)
    if not theirs:
        rollout.asked_at = seconds(entry.timestamp) or rollout.asked_at
    rollout.items.append(_sent(bytes(entry.payload)))


def _counted(rollout: _Rollout, info: _Info) -> Iterator[Turn]:
    """The end of an answer; the same count is written again with other news, and ends nothing then."""
    total = info.total_token_usage.total_tokens if info.total_token_usage else None
    if info.last_token_usage is None or (total is not None and total == rollout.total):
        return
    rollout.total = total
    yield from rollout.ended(usage_of(info.last_token_usage))


def usage_of(counts: _Counts) -> Usage | None:
    """Codex's counts as disjoint classes: its input includes what was read from the cache and written to it."""
    if counts.input_tokens is None:
        return None
    read, written = counts.cached_input_tokens, counts.cache_write_input_tokens
    return Usage(
        uncached=max(0, counts.input_tokens - (read or 0) - (written or 0)),
        cache_read=read,
        cache_write_other=written,
        output=counts.output_tokens,
        reasoning=counts.reasoning_output_tokens,
    )


def _words(told: _Payload) -> str | None:
    base = told.base_instructions
    return told.instructions or (base.text if isinstance(base, _Words) else base)


def _replaced(items: list[bytes], told: _Payload) -> list[bytes]:
    """The history after a compaction: as the log gives it, or else the user's messages and the summary."""
    if told.replacement_history is not None:
        return [_sent(bytes(item)) for item in told.replacement_history]
    kept = [item for item in items if _role(item) in {"user", "developer"}]
    summary = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": told.message or ""}]}
    return [*kept, msgspec.json.encode(summary)] if told.message else kept


def _sent(item: bytes) -> bytes:
    """The item without what the client notes on it for itself."""
    if _NOTE not in item:
        return item
    told = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({name: value for name, value in told.items() if name != _NOTE.decode()})


def _role(item: bytes) -> str | None:
    try:
        return msgspec.json.decode(item, type=_Payload).role
    except msgspec.MsgspecError:
        return None
