"""A reply as a value: what is sent, when, and where it breaks off. Built here, carried out by the server."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from tokenpak.mock_provider.call import Manner
from tokenpak.mock_provider.coding import Coding, agreed, coded
from tokenpak.mock_provider.faults import Action, AnyFault, Cut, CutAt, Drop, Send, Slow, Stall, Wait, interrupted

Headers = Sequence[tuple[str, str]]


def _nothing() -> None:
    """What most replies do when they begin."""


class Request(msgspec.Struct, frozen=True):
    """A request as received. target: raw path and query. Header names keep their case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str:
        """The first value of a header, "" without one."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class Reply(msgspec.Struct, frozen=True):
    """before: actions ahead of the status. script: the body; its length is in the headers, or it is chunked.

    begun: called when the status is about to be sent.
    """

    status: int
    headers: Headers
    script: Iterator[Action]
    before: tuple[Action, ...] = ()
    begun: Callable[[], None] = _nothing


JSON = "application/json"
SSE = "text/event-stream; charset=utf-8"
NDJSON = "application/x-ndjson"


def plain(status: int, body: bytes, headers: Headers = (), media: str = JSON) -> Reply:
    """A short reply in one piece, faultless."""
    length = ("content-length", str(len(body)))
    return Reply(status, [("content-type", media), *headers, length], iter([Send(body)] if body else []))


class Manners(msgspec.Struct, frozen=True):
    """What one reply depends on beside its content: the manner, the fault it meets, what the client accepts."""

    manner: Manner
    fault: AnyFault | None
    accept_encoding: str

    def whole(self, body: bytes, headers: Headers, begun: Callable[[], None] = _nothing) -> Reply:
        """A JSON reply."""
        coding, named = self._coding()
        sent = b"".join(coded([body], coding))
        head = [("content-type", JSON), *named, *headers, ("content-length", str(len(sent)))]
        return Reply(200, head, self._broken(iter([Send(sent)])), self._before(), begun)

    def stream(
        self, pieces: Iterable[bytes], media: str, headers: Headers, begun: Callable[[], None] = _nothing
    ) -> Reply:
        """A reply in pieces, each flushed."""
        coding, named = self._coding()
        head = [("content-type", media), ("cache-control", "no-cache"), *named, *headers]
        return Reply(200, head, self._broken(self._paced(coded(pieces, coding))), self._before(), begun)

    def _coding(self) -> tuple[Coding, Headers]:
        coding = agreed(self.manner.coding, self.accept_encoding)
        return coding, () if coding == "identity" else (("content-encoding", coding),)

    def _paced(self, pieces: Iterable[bytes]) -> Iterator[Action]:
        for piece in pieces:
            yield Send(piece)
            if self.manner.interval_s:
                yield Wait(self.manner.interval_s)

    def _before(self) -> tuple[Action, ...]:
        waits: list[Action] = [Wait(self.manner.think_s)] if self.manner.think_s else []
        match self.fault:
            case Slow(seconds=seconds):
                waits.append(Wait(seconds))
            case Drop():
                waits.append(Cut())
            case _:
                pass
        return tuple(waits)

    def _broken(self, script: Iterator[Action]) -> Iterator[Action]:
        match self.fault:
            case CutAt(at_byte=at):
                return interrupted(script, at, Cut())
            case Stall(at_byte=at, seconds=seconds):
                return interrupted(script, at, Wait(seconds))
            case _:
                return script
