"""What every log is read into: turns, in the order in which their requests were sent.

A log tells what was said, not what was sent. A turn is what the client must have sent for one answer: all that the
conversation held by then. The difficulty is size, since a conversation of n turns holds its first message n times; so
messages are bytes that turns share, and a reader gives one turn at a time.
"""

import re
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from tokenpak.core.ledger import Life
from tokenpak.core.patch import Format
from tokenpak.core.usage import Usage

_T = TypeVar("_T")
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""Half of a surrogate pair, which terminals print, clients escape, and a strict reader of JSON refuses."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A request and what came of it.

    session: as the user knows it. conversation: within it; a sub-agent has its own. client: as rules of the configuration
    name it. items: messages, or input items, each as JSON. tools, system: JSON where the log holds them, else b"". tail_marks:
    the client marks its head and its last message for the cache, and the log does not show it. life: of those marks. at:
    when it was sent, seconds since the epoch. usage: as the provider reported it. total: its input
    tokens, where no more than that was recorded. response: the provider's id of the answer.
    """

    session: str
    conversation: str
    agent: str
    client: str | None
    format: Format
    model: str
    items: tuple[bytes, ...]
    tools: bytes = b""
    system: bytes = b""
    tail_marks: bool = False
    life: Life = "5m"
    at: float | None = None
    usage: Usage | None = None
    total: int | None = None
    response: str = ""

    @property
    def provider(self) -> str:
        """Whose API the format is."""
        return "anthropic" if self.format is Format.ANTHROPIC else "openai"


class Broken(NamedTuple):
    """A line or a file that could not be read. why: one word."""

    why: str


class Compacted(NamedTuple):
    """The client replaced its history by a summary, or cleared results in it."""


Read = Turn | Broken | Compacted


def decoded(line: bytes, kind: type[_T]) -> _T:
    """A line's value; halves of surrogate pairs become the sign for what cannot be shown. Raises what msgspec raises."""
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError:
        if not _HALF.search(line):
            raise
        return msgspec.json.decode(_HALF.sub(rb"\\ufffd", line), type=kind)


def message(role: str, blocks: list[bytes]) -> bytes:
    """A message of Anthropic's from its role and its blocks."""
    return b'{"role":%s,"content":[%s]}' % (msgspec.json.encode(role), b",".join(blocks))


def blocks_of(content: object) -> list[bytes]:
    """The blocks of a message's content: a string is one of text, and an empty one none. content: str, or raw blocks."""
    if isinstance(content, str):
        return [msgspec.json.encode({"type": "text", "text": content})] if content else []
    return [bytes(block) for block in content] if isinstance(content, list) else []


def seconds(text: str | None) -> float | None:
    """Seconds since the epoch of a time as logs write it, None for what is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
