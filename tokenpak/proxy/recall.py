"""The recall of a request: whether a stored answer is given to it, and whether its own answer is kept.

A hit goes through the same relay as a provider's response, so that it is told to stop, cut off and counted by one set of
rules. The difficulty is the other end: an answer is kept only if it is known to be all of the answer, which is not decided
before the exchange is over, and whoever waits for it must hear of every other end too. So `settle` runs in account, for
every request that was asked about.
"""

from collections.abc import AsyncIterator, Sequence

import httpx
import trio

from tokenpak.core import recall
from tokenpak.core.body import Unreadable, outline
from tokenpak.core.headers import Line, relayed
from tokenpak.core.recall import Asked, Stored
from tokenpak.core.route import Route
from tokenpak.core.usage import Observation
from tokenpak.proxy.body import Body, plain
from tokenpak.proxy.relay import Tap
from tokenpak.proxy.room import Room
from tokenpak.proxy.row import Course
from tokenpak.services.dispatch import Compressed
from tokenpak.services.upstream import Base

RECALLED = "recalled"
"""Why a body was not compressed: nothing was sent."""


class Silent:
    """A tap for an answer whose usage is known already, and was used once."""

    def feed(self, chunk: bytes) -> None:
        """Nothing is read."""


class Keeping:
    """Collects a response beside its tap, as it passes; lets go of all of it beyond `most` bytes."""

    def __init__(self, tap: Tap, response: httpx.Response, most: int) -> None:
        self._tap, self._response, self._most = tap, response, most
        self._pieces: list[bytes] | None = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take note of a piece."""
        self._tap.feed(chunk)
        self._size += len(chunk)
        if self._size > self._most:
            self._pieces = None
        elif self._pieces is not None:
            self._pieces.append(chunk)

    def answer(self, key: bytes, now_ns: int, seen: Observation) -> Stored | None:
        """What may be given again of a response that is over; None: it may not, or it is too large."""
        lines = relayed(self._response.headers.raw, [])
        if self._pieces is None or not recall.may_keep(self._response.status_code, seen, lines):
            return None
        reason = self._response.extensions.get("reason_phrase", b"")
        return Stored(key, now_ns, reason, recall.kept_lines(lines), tuple(self._pieces), seen)


def target_of(base: Base, route: Route, query: bytes) -> bytes:
    """The address a request goes to, with its scheme and its query."""
    return b"%s://%s%s%s%s" % (base.url.raw_scheme, base.host, base.prefix, route.upstream_path, query)


async def ask(room: Room, course: Course, target: bytes, lines: Sequence[Line], body: Body) -> Stored | None:
    """A stored answer to this very request; `course.ticket` is what it may have of the cache. Raises ClientGone.

    target: where it goes, as `target_of` says it. lines: those that would go there.
    """
    route, client = course.route, course.client.name if course.client else None
    kind = recall.kind_of(course.method, route) if route else None
    if route is None or kind is None or not room.responses.wants(client):
        return None
    raw = await body.whole(room.read_cap)
    text = await plain(raw, _coding(lines), room.read_cap) if raw is not None else None
    if raw is None or text is None:
        return None
    course.read_at = trio.current_time()
    asked = Asked(course.method, route.provider, target, lines, raw)
    course.ticket = ticket = room.responses.ask(kind, asked, text, client)
    stored = await room.responses.find(ticket) if ticket else None
    if stored is not None:
        course.recalled = stored
        course.compressed = _unsent(route, text)
    return stored


def response_of(stored: Stored, now_ns: int) -> httpx.Response:
    """A stored answer as a response, with its age (RFC 9111 section 5.1)."""
    age_s = max(0, now_ns - stored.at_ns) // 1_000_000_000
    lines = [*stored.lines, (b"age", b"%d" % age_s)]
    extensions = {"reason_phrase": stored.reason}
    return httpx.Response(200, headers=lines, stream=_Pieces(stored.pieces), extensions=extensions)


def settle(room: Room, course: Course, keeping: Keeping | None, seen: Observation) -> None:
    """The exchange is over: keep its answer if it got all of one, and let go of whoever waits for it."""
    ticket = course.ticket
    if ticket is None:
        return
    came = keeping is not None and course.state == "done"
    room.responses.settle(ticket, keeping.answer(ticket.key, room.now_ns(), seen) if keeping and came else None)


def _coding(lines: Sequence[Line]) -> bytes | None:
    return b",".join(value for name, value in lines if name.lower() == b"content-encoding") or None


def _unsent(route: Route, text: bytes) -> Compressed:
    """What the row says of a body that was not sent: what it says of itself, and that nothing is claimed for it."""
    try:
        about = outline(route.format, text) if route.format else None
    except Unreadable:
        about = None
    return Compressed(text, "unread", RECALLED, outline=about, claims=False, cache_marks=False)


class _Pieces(httpx.AsyncByteStream):
    """No generator: nothing has to be closed when a client leaves."""

    def __init__(self, pieces: tuple[bytes, ...]) -> None:
        self._left = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        for piece in self._left:
            return piece
        raise StopAsyncIteration
