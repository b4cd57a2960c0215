"""One client connection: bytes in, bytes out, and all the ways it may end.

The reader is the connection's only long task; the application runs beside it, one exchange at a time. Whatever ends a
wait for bytes (idleness, a drain, a client that sends a request too slowly, a next request that has already been read)
does so through the one cancel scope the reader waits in, so no second task is needed to watch the clock.

Ending is where the difficulty lies. Closing a socket on data nobody has read resets the connection, and a reset may
destroy an answer that is still on its way. So an ordinary end sends FIN and reads on for a moment; a connection is not
closed for idleness where a request is arriving, and when a drain begins a busy one gets the moment it takes to be told
`connection: close` with one more answer; and only an answer whose client would mistake FIN for its end (HTTP/1.0) is
broken off by a reset.
"""

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.typing import TaskGroup
from hypercorn.utils import parse_socket_addr

from tokenpak.proxy.defect import report
from tokenpak.proxy.protocol import Ends, Protocol

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application and what it is called with."""

RECEIVE = 256 * 1024
QUEUE = 8
"""Pieces of a request body that may wait for the application, each of `RECEIVE` bytes at most."""

AHEAD_BOUND = 1024 * 1024
"""Bytes of next requests kept while one is being answered; beyond it reading stops, and so does seeing a client leave."""

LINGER_S = 0.5
"""How long an ended connection is read to its end, and how long one may have been idle when a drain begins that is
likely to be used again at this very moment.
"""

HEAD_S = 60.0
"""How long a request's head may take from its first byte on, however many pieces it comes in."""

BODY_S = 60.0
"""How long nothing may come of a request's body while it is waited for. Both as other servers have it (nginx, Apache)."""

WRITE_S = 900.0
"""How long a client may take none of the bytes offered to it."""

_RESET = struct.pack("ii", 1, 0)


class Connection:
    """`run` serves one accepted stream to its end; `drain` and `abort` may be called meanwhile from outside."""

    def __init__(self, app: App, config: Config, stream: trio.SocketStream, is_draining: Callable[[], bool]) -> None:
        self._app = app
        self._stream = stream
        self._keep_alive_s = config.keep_alive_timeout
        self._is_draining = is_draining
        self._is_idle = True
        self._has_ended = False
        self._ahead = 0
        self._idle_since = trio.current_time()
        self._deadline = self._idle_since + self._keep_alive_s
        self._head_due = inf
        self._wait = trio.CancelScope()
        self._writing = trio.Lock()
        self._nursery: trio.Nursery
        # of a task group, only `spawn_app` is asked
        group = cast("TaskGroup", self)
        self._protocol = Protocol(config, group, _ends(stream), self.send, self._wake, is_draining)

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                if self._is_draining():
                    self.drain()
                await self._read()
                await self._protocol.handle(Closed())
        except* Exception as errors:  # noqa: BLE001 whatever went wrong, it is this connection's alone
            report("connection_failed", errors)
            self.abort()
        finally:
            self._stream.socket.close()

    def drain(self) -> None:
        """End after the answer under way; now if idle for a while; else in the moment a next request would take."""
        if not self._is_idle or self._has_ended:
            return
        arriving = self._stream.socket.is_readable() or not self._protocol.is_fresh
        self._expire_at((trio.current_time() if arriving else self._idle_since) + LINGER_S)

    def abort(self) -> None:
        """End at once, whoever is reading or writing; the client sees a reset."""
        self._has_ended = True
        if self._stream.socket.fileno() >= 0:
            self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._stream.socket.close()

    async def send(self, event: Event) -> None:
        """What the protocol wants done: bytes written, the connection ended, idleness noted."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            self._note(event.idle)
        elif isinstance(event, Closed):
            await self._end()

    async def spawn_app(self, _app: object, _config: Config, scope: Scope, send: Send) -> Send:
        """Start the application on a request; the result delivers its events, to nobody once either side is over."""
        put, take = trio.open_memory_channel[Any](QUEUE)

        async def receive() -> Any:
            try:
                return await take.receive()
            except trio.EndOfChannel:
                return {"type": "http.disconnect"}

        async def exchange() -> None:
            try:
                await self._app(scope, receive, send)
            finally:
                take.close()
                await send(None)

        async def deliver(event: Any) -> None:
            if event["type"] == "http.disconnect":
                put.close()  # never waits for room, and ends a wait for it
                return
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await put.send(event)

        self._nursery.start_soon(exchange)
        return deliver

    async def _read(self) -> None:
        while True:
            if self._protocol.is_ahead and self._is_idle:
                self._ahead = 0
                await self._protocol.go_on()
            try:
                data = await self._received()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if data is None:
                if await self._is_over():
                    return
                continue
            if not self._has_ended:
                await self._protocol.handle(RawData(data))
                self._ahead += len(data) if self._protocol.is_ahead else 0
            if not data:
                return

    async def _received(self) -> bytes | None:
        """The next bytes; None when the wait for them was cut short."""
        with trio.CancelScope(deadline=self._due()) as self._wait:
            if self._ahead > AHEAD_BOUND:
                await trio.sleep_forever()  # until woken
            return await self._stream.receive_some(RECEIVE)
        return None

    async def _is_over(self) -> bool:
        """Whether the connection ends after a wait that was cut short; if not, there is more to wait for."""
        if self._has_ended:
            return True
        if self._is_late():
            await self._protocol.reject(408)
            return False  # until that has been heard
        return self._is_idle and not self._has_more()

    def _due(self) -> float:
        """How long the wait that begins now may last."""
        if self._has_ended:
            return self._deadline
        now = trio.current_time()
        if self._protocol.waits_for_body:
            return now + BODY_S
        if not self._is_idle or self._protocol.is_fresh:
            self._head_due = inf
        elif self._head_due == inf:
            self._head_due = now + HEAD_S
        return min(self._deadline, self._head_due)

    def _is_late(self) -> bool:
        """Whether a wait was cut short because a part of a request is overdue."""
        if self._is_idle:
            return trio.current_time() >= self._head_due
        return self._protocol.waits_for_body

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._writing.acquire_nowait()
        except trio.WouldBlock:
            await self._writing.acquire()
        try:
            # half a write would garble what follows; a connection that takes nothing is aborted instead
            with trio.CancelScope(deadline=trio.current_time() + WRITE_S, shield=True) as scope:
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):  # busy: the end goes out
            await self._protocol.handle(Closed())
        finally:
            self._writing.release()
        if scope.cancelled_caught:
            self.abort()

    def _note(self, idle: bool) -> None:  # noqa: FBT001 hypercorn's word for it
        self._is_idle = idle
        if not idle:
            self._deadline = inf
            return
        self._idle_since = trio.current_time()
        self._expire_at(self._idle_since + self._keep_alive_s)
        if self._is_draining():
            self.drain()

    async def _end(self) -> None:
        if self._has_ended:
            return
        if self._protocol.has_broken_off and self._protocol.ends_with_connection:
            self.abort()
            return
        self._has_ended = True
        self._expire_at(trio.current_time() + LINGER_S)
        try:
            await self._stream.send_eof()
        except trio.BusyResourceError:
            self.abort()  # in the middle of a piece that the client does not take: there is no end to send behind it
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client was faster

    def _has_more(self) -> bool:
        """Whether a wait was cut short although a request is there: read ahead already, or come at the last moment."""
        if self._protocol.is_ahead:
            return True
        if not self._stream.socket.is_readable():
            return False
        self._expire_at(trio.current_time() + LINGER_S)
        return True

    def _expire_at(self, deadline: float) -> None:
        """Let the wait for bytes end then: the one under way, or the next."""
        self._deadline = self._wait.deadline = deadline

    def _wake(self) -> None:
        self._wait.cancel()


def _ends(stream: trio.SocketStream) -> Ends:
    try:
        client, server = stream.socket.getpeername(), stream.socket.getsockname()
    except OSError:  # the client has left already
        return None, None
    family = stream.socket.family
    return parse_socket_addr(family, client), parse_socket_addr(family, server)
