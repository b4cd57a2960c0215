"""A request body: taken whole where it is to be read, else handed on piece by piece, and watched for its sender.

ASGI delivers body and disconnection through one `receive`, which only one task may await. So this class is the one that
awaits it: first for the body, by `whole` or by the upload, afterwards for the client's leaving, by `gone`. What comes
in between, because the provider answered before the upload was over, is let go.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import trio

from tokenpak.core.content_coding import CodingError, unpack

IN_A_THREAD = 64 * 1024
"""Bytes of a coded body beyond which it is unpacked beside the event loop."""


class ClientGone(Exception):  # noqa: N818 an event, not an error
    """The client left before its request was complete."""


class Body:
    """One request's body. size: bytes received so far."""

    def __init__(self, receive: Callable[[], Awaitable[Any]]) -> None:
        self._receive = receive
        self._held: list[bytes] = []
        self._complete = False
        self._let_go = trio.Event()
        self.size = 0

    async def whole(self, cap: int) -> bytes | None:
        """The body, or None when it is larger than `cap` bytes; `upload` then has all of it. Raises ClientGone."""
        while not self._complete:
            await self._more()
            if self.size > cap:
                return None
        self._let_go.set()
        return self._held[0] if len(self._held) == 1 else b"".join(self._held)

    def upload(self) -> httpx.AsyncByteStream:
        """The body as a stream, in the pieces it arrives in; reading it raises ClientGone."""
        return _Upload(self)

    async def piece(self) -> bytes | None:
        """The next piece of an upload, None at its end."""
        while not self._held and not self._complete:
            await self._more()
        if self._complete:
            self._let_go.set()
        return self._held.pop(0) if self._held else None

    def let_go(self) -> None:
        """Nobody wants the rest of the body."""
        self._let_go.set()

    async def gone(self) -> None:
        """Return when the client has left; needs the body to be complete or let go."""
        await self._let_go.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _more(self) -> None:
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise ClientGone
        if event["body"]:
            self._held.append(event["body"])
            self.size += len(event["body"])
        self._complete = not event["more_body"]


class _Upload(httpx.AsyncByteStream):
    """No generator: nothing has to be closed when the provider stops reading."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._body.piece()
        if piece is None:
            raise StopAsyncIteration
        return piece


async def plain(raw: bytes, coding: bytes | None, cap: int) -> bytes | None:
    """A body without its content coding: the same object where it has none, None where it cannot be undone in `cap`."""
    if not coding:
        return raw
    try:
        if len(raw) < IN_A_THREAD:
            return unpack(raw, coding, cap)
        return await trio.to_thread.run_sync(unpack, raw, coding, cap)
    except CodingError:  # the provider will say what is wrong with it; here it only goes unread
        return None
