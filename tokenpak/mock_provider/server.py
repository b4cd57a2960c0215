"""The mock on a socket: h11 over trio, a connection a task, replies carried out action by action.

The difficulty is what a well-behaved server never does: to close in the middle of a body, to fall silent, to leave
without an answer, and to notice meanwhile that the client has gone. While a reply goes out a second task watches the
receiving side; what it reads belongs to the next request, and an end of input cancels the reply.
"""

import time
from collections.abc import Callable
from typing import Literal

import h11
import msgspec
import trio

from tokenpak.mock_provider import admin
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.faults import Action, Cut, Send, Wait
from tokenpak.mock_provider.record import Received
from tokenpak.mock_provider.reply import Reply, Request, plain

HOST = "127.0.0.1"
BACKLOG = 1024
CONNECTIONS = 2000
"""Connections served at once; one more is closed at once and counted."""
READ_SIZE = 256 * 1024
HEAD_BOUND = 128 * 1024
BODY_BOUND = 256 * 2**20
IDLE_S = 300.0
"""Seconds a connection may say nothing, between requests and inside one."""
SEND_S = 120.0
"""Seconds a client may take to accept one piece."""

_TOO_LARGE = b'{"error":"request too large"}'

Ending = Literal["done", "cut", "client_gone"]


class Statistics(msgspec.Struct, frozen=True):
    """Connections open now; refused for their number; requests that were no HTTP."""

    open: int
    refused: int
    malformed: int


class Running(msgspec.Struct, frozen=True):
    """A mock that accepts connections."""

    provider: Provider
    url: str
    statistics: Callable[[], Statistics]


async def start(nursery: trio.Nursery, provider: Provider | None = None, port: int = 0) -> Running:
    """Serve a mock in the nursery, on 127.0.0.1; it ends with the nursery's cancellation. port 0: any free one.

    Raises OSError where the port is taken.
    """
    return await serve_in(nursery, provider or Provider(time.monotonic), await listen(port))


async def listen(port: int) -> list[trio.SocketListener]:
    """Sockets on 127.0.0.1. Raises OSError where the port is taken."""
    return await trio.open_tcp_listeners(port, host=HOST, backlog=BACKLOG)


async def serve_in(nursery: trio.Nursery, provider: Provider, listeners: list[trio.SocketListener]) -> Running:
    """Serve a provider on sockets that listen already."""
    server = Server(provider)
    bound = listeners[0].socket.getsockname()[1]
    await nursery.start(trio.serve_listeners, server.connection, listeners)
    return Running(provider, f"http://{HOST}:{bound}", server.statistics)


class Server:
    """Accepts for one provider."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._open = self._refused = self._malformed = 0

    def statistics(self) -> Statistics:
        """Counts for the admin path and for tests."""
        return Statistics(self._open, self._refused, self._malformed)

    async def connection(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end. Whatever the client does ends here."""
        if self._open >= CONNECTIONS:
            self._refused += 1
            await trio.aclose_forcefully(stream)
            return
        self._open += 1
        try:
            await _Connection(self, stream).run()
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass  # the client left or fell silent between requests, or inside one
        except h11.RemoteProtocolError:
            self._malformed += 1
        finally:
            self._open -= 1
            await trio.aclose_forcefully(stream)

    def reply(self, request: Request) -> tuple[Reply, Received | None]:
        """The reply, and the record to complete; admin requests have none."""
        if request.path.startswith(admin.PREFIX):
            return admin.answer(self.provider, request, self._open), None
        return self.provider.receive(request)


class _Connection:
    """One connection: requests in, replies out, one after the other."""

    def __init__(self, server: Server, stream: trio.SocketStream) -> None:
        self._server, self._stream = server, stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BOUND)

    async def run(self) -> None:
        """Until either side closes."""
        while (request := await self._request()) is not None:
            reply, received = self._server.reply(request)
            how = await self._carry_out(reply, request.method)
            if received is not None:
                received.ended = how
            if how != "done" or self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    # In

    async def _request(self) -> Request | None:
        """The next request with its whole body; None at the end of the connection."""
        head = await self._event()
        if not isinstance(head, h11.Request):
            return None
        parts: list[bytes] = []
        size = 0
        while isinstance(part := await self._event(), h11.Data):
            size += len(part.data)
            if size > BODY_BOUND:
                await self._play(plain(413, _TOO_LARGE, [("connection", "close")]), "POST")
                return None
            parts.append(bytes(part.data))
        if not isinstance(part, h11.EndOfMessage):
            return None
        headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in head.headers.raw_items()]
        return Request(head.method.decode(), head.target.decode("latin-1"), headers, b"".join(parts))

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
            with trio.fail_after(IDLE_S):
                self._http.receive_data(await self._stream.receive_some(READ_SIZE))
        return event

    # Out

    async def _carry_out(self, reply: Reply, method: str) -> Ending:
        how: Ending = "client_gone"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            how = await self._play(reply, method)
            nursery.cancel_scope.cancel()
        return how

    async def _play(self, reply: Reply, method: str) -> Ending:
        """Carry out a reply; how it ended."""
        try:
            for action in reply.before:
                if not await self._act(action):
                    return "cut"
            reply.begun()
            headers = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in reply.headers]
            await self._send(self._http.send(h11.Response(status_code=reply.status, headers=headers)))
            for action in reply.script if method != "HEAD" else ():
                if not await self._act(action):
                    return "cut"
            await self._send(self._http.send(h11.EndOfMessage()))
        except (trio.BrokenResourceError, trio.TooSlowError):
            return "client_gone"
        return "done"

    async def _act(self, action: Action) -> bool:
        """False where the reply ends here."""
        match action:
            case Send(data=data):
                await self._send(self._http.send(h11.Data(data=data)))
            case Wait(seconds=seconds):
                await trio.sleep(seconds)
            case Cut():
                return False
        return True

    async def _send(self, data: bytes | None) -> None:
        if data:
            with trio.fail_after(SEND_S):
                await self._stream.send_all(data)

    async def _watch(self, reply: trio.CancelScope) -> None:
        """Ends the reply when the client leaves. The first bytes of a next request show that it has not."""
        try:
            data = await self._stream.receive_some(READ_SIZE)
        except trio.BrokenResourceError:
            data = b""
        if data:
            self._http.receive_data(data)
        else:
            reply.cancel()
