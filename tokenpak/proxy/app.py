"""The application of a front: health of its own, everything else an exchange.

It keeps the exchanges that are under way, because when the process stops somebody must tell each of them.
"""

from collections import Counter

import msgspec

from tokenpak.core.admit import admit
from tokenpak.core.headers import first_values
from tokenpak.proxy.connection import Receive, Scope, Send
from tokenpak.proxy.exchange import Exchange
from tokenpak.proxy.room import Room

HEALTH = (b"/livez", b"/readyz")
"""Answered here on the listening port, for GET and HEAD; no provider has such paths. Not for web pages of others, which
need not know that somebody runs this.
"""

_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class AppStatistics(msgspec.Struct, frozen=True):
    """under_way: now. ended: since the start, by the row's state. defects: exchanges ended by a mistake of ours."""

    under_way: int
    ended: dict[str, int]
    defects: int


class App:
    """An ASGI application for HTTP. Call `drain`, later `stop`, when the process is to end."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._under_way: set[Exchange] = set()
        self._ended: Counter[str] = Counter()
        self._defects = 0
        self._ready = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _asks_for_health(scope):
            await self._health(scope["raw_path"], send)
            return
        exchange = Exchange(self._room, scope, receive, send)
        self._under_way.add(exchange)
        try:
            self._ended[await exchange.run()] += 1
        finally:
            self._under_way.discard(exchange)
            self._defects += exchange.course.fault == "internal"

    def drain(self) -> None:
        """Say that no new requests are wanted."""
        self._ready = False

    def stop(self) -> None:
        """End every exchange now."""
        for exchange in list(self._under_way):
            exchange.stop()

    def statistics(self) -> AppStatistics:
        return AppStatistics(len(self._under_way), dict(self._ended), self._defects)

    async def _health(self, path: bytes, send: Send) -> None:
        well = self._ready or path == b"/livez"
        body = b"ok\n" if well else b"draining\n"
        headers = [_TEXT, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if well else 503, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _asks_for_health(scope: Scope) -> bool:
    known = scope["raw_path"] in HEALTH and scope["method"] in {"GET", "HEAD"}
    return known and admit(first_values(scope["headers"])) is None
