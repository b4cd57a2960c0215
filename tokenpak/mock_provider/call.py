"""What one request asks and gets, whatever the API shape: the values that the shape files read and write."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from tokenpak.mock_provider.cache import BYTES_PER_TOKEN, Block, Used
from tokenpak.mock_provider.coding import Coding

Json = dict[str, Any]
"""A parsed body. It goes no further than the shape files."""


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool the model calls."""

    name: str
    arguments: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the model says: text, then tool calls. `text` may be empty."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()

    @property
    def tokens(self) -> int:
        """Output tokens, by the fixed estimate."""
        size = len(self.text.encode()) + sum(len(encoded(call.arguments)) for call in self.calls)
        return max(1, -(-size // BYTES_PER_TOKEN))


class Call(msgspec.Struct, frozen=True):
    """One accepted request: its number (ids are made of it), model, input tokens, answer, and the pieces of a stream.

    body: as parsed, for what a shape echoes or obeys.
    """

    number: int
    model: str
    used: Used
    answer: Answer
    pieces: int
    body: Json

    def ident(self, prefix: str, nth: int = 0) -> str:
        """An id of this reply, the same in every run."""
        return f"{prefix}_mock_{self.number:08d}" + (f"_{nth}" if nth else "")


class Manner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How replies are given. pieces: deltas of a stream. interval_s: pause after each event of a stream.

    think_s: pause before the status. coding: content coding, where the client accepts it.
    """

    pieces: int = 8
    interval_s: float = 0.0
    think_s: float = 0.0
    coding: Coding = "identity"


class Refusal(msgspec.Struct, frozen=True):
    """Why a request is not served: HTTP status, the provider's word for it, a sentence."""

    status: int
    kind: str
    message: str


class Shape(Protocol):
    """What each file of an API format offers. Events are the chunks of a stream, each flushed as it stands."""

    def objection(self, body: Json) -> Refusal | None:
        """Why the body is no request of this format, or None."""

    def prompt(self, body: Json) -> Sequence[Block]:
        """The blocks of the prompt in the provider's cache order."""

    def whole(self, call: Call) -> bytes:
        """The reply of a request that does not stream."""

    def events(self, call: Call) -> Iterator[bytes]:
        """The reply of a request that streams."""

    def refusal(self, refusal: Refusal, request_id: str) -> bytes:
        """The body of an error."""

    def broken(self, request_id: str) -> bytes:
        """An error as it appears inside a stream that began with status 200."""


encoded: Callable[[Any], bytes] = msgspec.json.encode


def canonical(value: Any) -> bytes:
    """JSON without blanks and without cache marks, in the order of its keys: what a provider hashes."""
    return encoded(without_marks(value))


def without_marks(value: Any) -> Any:
    """A copy without any `cache_control`."""
    if isinstance(value, dict):
        return {key: without_marks(each) for key, each in value.items() if key != "cache_control"}
    if isinstance(value, list):
        return [without_marks(each) for each in value]
    return value


def objects(value: Any) -> list[Json]:
    """The objects of a list; nothing where it is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def sse(data: Any, event: str | None = None) -> bytes:
    """One server-sent event; bytes are taken as they are."""
    raw = data if isinstance(data, bytes) else encoded(data)
    name = b"event: " + event.encode() + b"\n" if event else b""
    return name + b"data: " + raw + b"\n\n"


def cut_up(text: str, pieces: int) -> list[str]:
    """The text in so many pieces of nearly equal length, none of them empty."""
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[at : at + size] for at in range(0, len(text), size)]
