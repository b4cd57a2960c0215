"""HTTP/1.1 as a client of ours speaks it: hypercorn's protocol, without protocol switches and with honest endings.

Hypercorn parses with h11 and runs the ASGI state machine; this class changes what a relay must not leave to it:

- No switching. An `upgrade: h2c` is ignored and HTTP/2 without it refused; a websocket handshake, well-formed or not,
  reaches the application as the plain request it is, so that it can be answered like one.
- An answer that the application did not finish ends as a broken one, never as a complete one.
- A client may send its next request before the last answer is quite over. Hypercorn parks its reader for that, for ever
  if the connection is to end meanwhile, which is why its shutdown can take all of the grace period, and deaf to a client
  that leaves. Here the reader goes on reading and is told when to look again.
- An answer may be over before its request is. The rest of the request is then read and let go for a while, since closing
  on unread data would reset the connection and take the answer away from the client.
- A client may cut its body into thousands of chunks. Those that came together are handed on together, so that a request
  costs what its size does, not the number of its chunks: each piece handed on is a turn of the loop, and all take turns.
- What comes behind a request that says `connection: close`, or speaks HTTP/1.0, is no request and not looked at (RFC 9112
  section 9.6). h11 would call it an error, in place of the answer or in the middle of it.
- While the process drains every response says `connection: close`.
- A head is measured whole, however it arrives, and a request whose end two readers could see in two places is refused
  rather than read one way (RFC 9112 section 6.3): what is behind such an end would be a request that nobody sent.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import h11
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup

from tokenpak.proxy import refuse

REST_S = 5.0
"""How long the rest of a request may take whose answer is already given."""

PIECES = 256
"""Chunks of a body that are handed on as one, at most; a few milliseconds of work."""

VERSIONS = (b"1.1", b"1.0")

MOST_LINES = 500
"""Header lines of a request. Other servers take 100 (Apache) to 2000 (Node); clients of ours send up to 40."""

Ends = tuple[tuple[str, int] | None, tuple[str, int] | None]
"""Addresses of client and server; None where a family has none that ASGI knows."""


class Protocol(H11Protocol):
    """One connection's protocol. `wake` makes the reader call `go_on`; `is_draining` is asked at every response."""

    def __init__(  # noqa: PLR0917 one caller, which has these and nothing else
        self,
        config: Config,
        task_group: TaskGroup,
        ends: Ends,
        send: Callable[[Event], Awaitable[None]],
        wake: Callable[[], None],
        is_draining: Callable[[], bool],
    ) -> None:
        client, server = ends
        super().__init__(
            cast("AppWrapper", _no_app),
            config,
            WorkerContext(None),
            task_group,
            ConnectionState({}),
            ssl=False,
            client=client,
            server=server,
            send=send,
        )
        self.http = cast("h11.Connection", self.connection)  # never swapped for a websocket's
        self.is_ahead = False  # bytes of a next request have come before the answer to this one was over
        self._wake = wake
        self._is_draining = is_draining
        self._rest: trio.Event | None = None
        self._is_head = False
        self._has_rejected = False

    @property
    def is_fresh(self) -> bool:
        """Whether not one byte of a next request has come."""
        return self.http.their_state is h11.IDLE and not self.http.trailing_data[0]

    @property
    def waits_for_body(self) -> bool:
        """Whether more of a body is due from the client, and nothing has been answered yet."""
        return self.http.their_state is h11.SEND_BODY and self.http.our_state in _UNANSWERED

    @property
    def has_broken_off(self) -> bool:
        """Whether a response was begun and not finished."""
        return self.http.our_state is h11.SEND_BODY

    @property
    def ends_with_connection(self) -> bool:
        """Whether the client knows the end of a response by the end of the connection alone."""
        return self.http.their_http_version == b"1.0"

    @property
    def _said_close(self) -> bool:
        """Whether the client has sent its last request whole."""
        return self.http.their_state is h11.MUST_CLOSE

    async def go_on(self) -> None:
        """Take up what was read ahead."""
        self.is_ahead = False
        await self._handle_events()

    async def handle(self, event: RawData | Closed) -> None:  # type: ignore[override]  # the events that there are
        if isinstance(event, Closed):
            self._end_rest()
        elif event.data and self._said_close:
            return
        await super().handle(event)

    async def stream_send(self, event: StreamEvent) -> None:
        if self._has_rejected:  # the application had not heard yet that its request came to nothing
            return
        if isinstance(event, Response):
            headers = event.headers
            if self._is_draining():
                headers = [*headers, (b"connection", b"close")]
            # hypercorn keeps the application's message, but not for errors it answers itself
            reason = getattr(self.stream, "response", {}).get("reason", b"")
            await self._send_h11_event(h11.Response(headers=headers, status_code=event.status_code, reason=reason))
        else:
            await super().stream_send(event)

    async def _handle_events(self) -> None:
        pieces: list[bytes] = []
        while not self._said_close:
            if self.http.they_are_waiting_for_100_continue:
                await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                await self.reject(error.error_status_hint)
                return
            if isinstance(event, h11.Data):
                pieces.append(event.data)
            if pieces and (len(pieces) == PIECES or not isinstance(event, h11.Data)):
                await self._hand_on(pieces)
                pieces = []
            self.is_ahead = event is h11.PAUSED
            if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
                return
            await self._handle_event(event)

    async def _handle_event(self, event: h11.Event) -> None:
        if isinstance(event, h11.Request):
            self._is_head = event.method == b"HEAD"
            if (status := self._objection(event)) is not None:
                await self.reject(status)
                return
            await self.send(Updated(idle=False))
            await self._create_stream(event)
        elif isinstance(event, h11.EndOfMessage):
            self._end_rest()
            if self.stream is not None:
                await self.stream.handle(EndBody(stream_id=STREAM_ID))

    async def _hand_on(self, pieces: list[bytes]) -> None:
        if self.stream is None:  # answered already; the rest of the request is let go
            return
        await self.stream.handle(Body(stream_id=STREAM_ID, data=pieces[0] if len(pieces) == 1 else b"".join(pieces)))

    async def _create_stream(self, request: h11.Request) -> None:
        stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        self.stream = stream
        await stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=request.headers.raw_items(),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii"),
                raw_path=request.target,
                # ASGI's path and query lose the "?" of an empty query
                state=ConnectionState({"target": request.target}),
            )
        )

    async def _maybe_recycle(self) -> None:
        await self._close_stream()
        if self.http.their_state is h11.SEND_BODY and not self.has_broken_off:
            self._rest = trio.Event()
            with trio.move_on_after(REST_S):
                await self._rest.wait()
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
            self._is_head = False
            await self.send(Updated(idle=True))
            if self.is_ahead:
                self._wake()
        else:
            await self.send(Closed())

    def _objection(self, request: h11.Request) -> int | None:
        """The status for a head that is HTTP and not to be served."""
        if request.http_version not in VERSIONS:
            return 505
        lines = request.headers.raw_items()
        size = len(request.target) + sum(len(name) + len(value) for name, value in lines)
        if len(lines) > MOST_LINES or size > self.config.h11_max_incomplete_size:
            return 431
        if request.method == b"CONNECT" and request.target.startswith(b"/"):
            return 400  # a tunnel to no host; h11 would take what follows for the tunnel's
        names = {name.lower() for name, _ in lines}
        if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
            return 400
        return None

    async def reject(self, status: int) -> None:
        """Answer what is no HTTP of ours, if an answer can still be given, and end the connection."""
        self._has_rejected = True
        if self.http.our_state in _UNANSWERED:
            body = refuse.malformed(status)
            lines = [*refuse.framing(body), (b"connection", b"close")]
            await self._send_h11_event(h11.Response(status_code=status, headers=lines))
            if not self._is_head:
                await self._send_h11_event(h11.Data(data=body))
            await self._send_h11_event(h11.EndOfMessage())
        await self._close_stream()
        await self.send(Closed())

    def _end_rest(self) -> None:
        if self._rest is not None:
            self._rest.set()
            self._rest = None


_UNANSWERED = frozenset({h11.IDLE, h11.SEND_RESPONSE})


async def _no_app(*_: Any) -> None:
    """In the place of the application: the task group that starts it has its own."""
