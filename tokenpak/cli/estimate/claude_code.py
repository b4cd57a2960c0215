"""Claude Code's logs: `~/.claude/projects/<project>/*.jsonl`, one file a session, more for its sub-agents.

A line is an entry: what the user or a tool said, one block of an answer, or news that no model sees. The format is
nowhere promised, so an entry is read by the few fields that are needed and skipped where it is something else. The
difficulty is that the file grows in the order of events, and a request is not that order:

- the blocks of one answer stand on lines of their own, the results of its tools between them;
- a conversation that was taken back to an earlier message goes on from there in the same file;
- a compaction forgets everything before it, and another kind only clears some results;
- older sub-agents stand in the same file, between the lines of their caller.

A parent is followed only where a prompt of the user's names one further back: results of tools called together name
parents that are no history.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from tokenpak.cli.estimate.turns import Broken, Compacted, Read, Turn, blocks_of, decoded, message, seconds
from tokenpak.core.patch import Format
from tokenpak.core.usage import Observation, tap_for

AGENT, CLIENT = "Claude Code", "claude-code"
CLEARED = "[Old tool result content cleared]"
_SYNTHETIC = "<synthetic>"
"""The model of what the client wrote itself, such as an error it shows."""
_SAID = re.compile(rb'"type": ?"(?:user|assistant|system)"')


class _Cleared(msgspec.Struct, rename="camel"):
    compacted_tool_ids: list[str] = []


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[msgspec.Raw] = ""
    id: str | None = None
    model: str | None = None


class _Entry(msgspec.Struct, rename="camel"):
    type: str | None = None
    subtype: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    session_id: str | None = None
    timestamp: str | None = None
    is_sidechain: bool | None = None
    agent_id: str | None = None
    is_compact_summary: bool | None = None
    is_visible_in_transcript_only: bool | None = None
    is_api_error_message: bool | None = None
    message: msgspec.Raw = msgspec.Raw()
    microcompact_metadata: _Cleared | None = None

    @property
    def conversation(self) -> str:
        """The main one, or a sub-agent's."""
        return f"agent {self.agent_id or ''}".strip() if self.is_sidechain else "main"


class _Result(msgspec.Struct):
    type: str | None = None
    tool_use_id: str | None = None


class _Answer(msgspec.Struct):
    """An answer that is still being written. request: what was there when it began."""

    id: str
    model: str
    request: tuple[bytes, ...]
    at: float | None
    raw: bytes = b""
    session: str = ""


class _Talk:
    """One conversation as it grows. messages: role and blocks; consecutive ones of a role are one."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[bytes]]] = []
        self.answer: _Answer | None = None
        self.length_at: dict[str, int] = {}
        self.asked_at: float | None = None
        self._encoded: list[bytes] = []

    def say(self, role: str, blocks: list[bytes]) -> None:
        """Add blocks, to the last message where it is of the same role."""
        if self.messages and self.messages[-1][0] == role:
            self.extend(len(self.messages) - 1, blocks)
        elif blocks:
            self.messages.append((role, list(blocks)))

    def extend(self, place: int, blocks: list[bytes]) -> None:
        """Add blocks to the message at a place."""
        self.messages[place][1].extend(blocks)
        del self._encoded[place:]

    def request(self) -> tuple[bytes, ...]:
        """The messages as they would be sent now."""
        self._encoded += [message(*each) for each in self.messages[len(self._encoded) :]]
        return tuple(self._encoded)

    def cut(self, length: int) -> None:
        """Forget what came after so many messages."""
        del self.messages[length:], self._encoded[length:]

    def clear(self, calls: frozenset[str]) -> None:
        """Replace the results of these calls, as the client does."""
        self.messages = [(role, [_cleared(block, calls) for block in blocks]) for role, blocks in self.messages]
        self._encoded = []


def turns(lines: Iterable[bytes], name: str) -> Iterator[Read]:
    """The turns of one file. name: of the session, where the lines do not say."""
    talks: dict[str, _Talk] = {}
    for line in lines:
        if not _SAID.search(line):
            continue
        try:
            entry = decoded(line, _Entry)
            told = msgspec.json.decode(entry.message, type=_Message) if entry.message else _Message()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            yield Broken("line")
            continue
        talk = talks.setdefault(entry.conversation, _Talk())
        yield from _heard(talk, entry, told, name)
        if entry.uuid:
            talk.length_at[entry.uuid] = len(talk.messages)
    for conversation, talk in talks.items():
        yield from _ended(talk, conversation)


def _heard(talk: _Talk, entry: _Entry, told: _Message, name: str) -> Iterator[Read]:
    """What an entry changes, and the turn that it ends."""
    if entry.type == "assistant" and told.model != _SYNTHETIC and not entry.is_api_error_message:
        if talk.answer is None or not told.id or talk.answer.id != told.id:
            yield from _ended(talk, entry.conversation)
            talk.answer = _Answer(told.id or "", told.model or "", talk.request(), talk.asked_at)
        talk.answer.raw, talk.answer.session = bytes(entry.message), entry.session_id or name
        _answer(talk, blocks_of(told.content))
    elif entry.type == "user" and _is_sent(entry):
        blocks = blocks_of(told.content)
        if not any(_result(block) for block in blocks):
            yield from _ended(talk, entry.conversation)
            _go_back(talk, entry.parent_uuid)
        talk.say("user", blocks)
        talk.asked_at = seconds(entry.timestamp) or talk.asked_at
    elif entry.type == "system" and entry.subtype == "compact_boundary":
        yield from _ended(talk, entry.conversation)
        talk.cut(0)
        talk.length_at.clear()
        yield Compacted()
    elif entry.subtype == "microcompact_boundary" and entry.microcompact_metadata:
        talk.clear(frozenset(entry.microcompact_metadata.compacted_tool_ids))
        yield Compacted()


def _answer(talk: _Talk, blocks: list[bytes]) -> None:
    """Add blocks of the answer that is being written: before the results that came while it was."""
    begun = len(talk.answer.request) if talk.answer else len(talk.messages)
    if begun < len(talk.messages) and talk.messages[begun][0] == "assistant":
        talk.extend(begun, blocks)
    else:
        talk.say("assistant", blocks)


def _go_back(talk: _Talk, parent: str | None) -> None:
    """A prompt that goes on from further back than the last answer: what came since is no history of it."""
    length = talk.length_at.get(parent or "")
    if length is not None and any(role == "assistant" for role, _ in talk.messages[length:]):
        talk.cut(length)


def _ended(talk: _Talk, conversation: str) -> Iterator[Turn]:
    """The turn of the answer that was being written, if one was."""
    answer, talk.answer = talk.answer, None
    if answer is None or not answer.request:
        return
    seen = _seen(answer.raw)
    usage = seen.usage if seen.basis == "provider" else None
    yield Turn(
        session=answer.session,
        conversation=conversation,
        agent=AGENT,
        client=CLIENT,
        format=Format.ANTHROPIC,
        model=answer.model,
        items=answer.request,
        tail_marks=True,
        life="1h" if usage is not None and usage.cache_write_1h else "5m",
        at=answer.at,
        usage=usage,
        response=answer.id,
    )


def _seen(answer: bytes) -> Observation:
    """The answer as the tap reads it on the wire: what the log keeps is the provider's own message."""
    tap = tap_for("anthropic", "messages", b"application/json", b"")
    tap.feed(answer)
    return tap.close()


def _is_sent(entry: _Entry) -> bool:
    return bool(entry.is_compact_summary) or not entry.is_visible_in_transcript_only


def _result(block: bytes) -> str | None:
    """The call that a block is the result of."""
    try:
        told = msgspec.json.decode(block, type=_Result)
    except msgspec.MsgspecError:
        return None
    return told.tool_use_id if told.type == "tool_result" else None


def _cleared(block: bytes, calls: frozenset[str]) -> bytes:
    call = _result(block)
    if call not in calls:
        return block
    return msgspec.json.encode({"type": "tool_result", "tool_use_id": call, "content": CLEARED})
