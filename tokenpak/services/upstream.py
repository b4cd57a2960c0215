"""Connections to providers: an httpx transport over a small stack of httpcore connections for each origin.

There is no client above it: no cookies, no redirects, no proxy variables, no header of ours. A request's lines, its
method and target (extensions `method` and `target`, raw bytes: httpx would write both its own way) and its body leave as
they were given. The stack is last in, first out: the warmest connection serves next and the coldest ones expire, so
choosing one costs the same whatever the load.

The difficulty is the connection that died while it lay idle. It shows only when the request has been written, and a
request must not reach a provider twice. It is sent again, once and on a fresh connection, exactly when all of these
hold: the connection had served before; it ended without one byte of an answer (not even 1xx); it ended at once,
within `STALE_S` of the attempt, which is how a stale connection fails and how a provider that worked on the request
does not; and the body is at hand to be sent again (`Whole`). Everything else is the caller's to report.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import certifi
import httpcore
import httpx
import msgspec
import trio

IDLE_BOUND = 64
"""Idle connections kept for one origin."""

ACTIVE_BOUND = 1000
"""Requests under way at a time, of all origins; one more is refused at once (httpx.PoolTimeout)."""

IDLE_S = 90.0
"""How long an idle connection is kept. Providers' front ends keep theirs longer."""

SWEEP_S = 10.0
STALE_S = 5.0
WRITE_PIECE = 256 * 1024
"""Bytes; each piece has the whole write timeout, so slow lines may carry large bodies."""

_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
)
_CAUGHT = tuple(theirs for theirs, _ in _ERRORS)
_ENDED = (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError)
"""How a connection shows that its other end has gone."""


class UpstreamStatistics(msgspec.Struct, frozen=True):
    """Counts since the start, but `active` and `idle`, which are now. refused: for lack of room. dropped: idle
    connections closed because they expired, were closed by the provider, or had no place on the stack.
    """

    active: int
    idle: int
    opened: int
    reused: int
    retried: int
    refused: int
    failed: int
    dropped: int


class Base(NamedTuple):
    """An upstream as configured. host: for the host header. prefix: of every path, without the last slash."""

    url: httpx.URL
    host: bytes
    prefix: bytes


def base_of(url: str) -> Base:
    parsed = httpx.URL(url)
    return Base(parsed, parsed.netloc, parsed.raw_path.rstrip(b"/"))


class Whole(httpx.AsyncByteStream):
    """A request body that is at hand, and can be sent again."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._data)


class _Once(AsyncIterator[bytes]):
    """No generator: h11 and httpcore leave one unfinished when a provider stops reading, and nobody would close it."""

    def __init__(self, data: bytes) -> None:
        self._left = [data] if data else []

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


def trust() -> ssl.SSLContext:
    """Whom https upstreams are believed: the system's store (with what SSL_CERT_FILE names), and certifi's beside it,
    as some Pythons know no system store.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Upstream(httpx.AsyncBaseTransport):
    """The connections of one process. `timeouts`: seconds for connect, read and write, unless a request has its own."""

    def __init__(self, timeouts: httpx.Timeout, context: ssl.SSLContext | None = None) -> None:
        self._timeouts = timeouts.as_dict()
        self._context = context
        self._idle: dict[str, list[_Link]] = {}
        self._is_closed = False
        self._active = self._opened = self._reused = self._retried = self._refused = self._failed = self._dropped = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return when the head of its response is there; the body follows through its stream.

        Raises httpx.TransportError. The connection is given back when the response is read to its end or closed.
        """
        if self._active >= ACTIVE_BOUND:
            self._refused += 1
            raise httpx.PoolTimeout(f"{ACTIVE_BOUND} requests are under way already.", request=request)
        self._active += 1
        try:
            return await self._answer(request, self._translated(request))
        except BaseException as error:
            self._active -= 1
            self._failed += isinstance(error, Exception)
            raise

    async def sweep(self) -> None:
        """Close idle connections that expired or died; runs as long as the process."""
        while True:
            await trio.sleep(SWEEP_S)
            for origin, links in list(self._idle.items()):
                gone = [link for link in links if link.connection.has_expired()]
                self._idle[origin] = [link for link in links if link not in gone]
                await self._drop(gone)

    async def aclose(self) -> None:
        """Close the idle connections; those in use close with their responses."""
        self._is_closed = True
        links = [link for idle in self._idle.values() for link in idle]
        self._idle.clear()
        await self._drop(links)

    def statistics(self) -> UpstreamStatistics:
        return UpstreamStatistics(
            active=self._active,
            idle=sum(map(len, self._idle.values())),
            opened=self._opened,
            reused=self._reused,
            retried=self._retried,
            refused=self._refused,
            failed=self._failed,
            dropped=self._dropped,
        )

    def _translated(self, request: httpx.Request) -> httpcore.Request:
        url = request.url
        return httpcore.Request(
            # methods are case-sensitive (RFC 9110 section 9.1), and httpx knows capitals only
            request.extensions.get("method", request.method),
            httpcore.URL(
                scheme=url.raw_scheme,
                host=url.raw_host,
                port=url.port,
                target=request.extensions.get("target", url.raw_path),
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": request.extensions.get("timeout", self._timeouts)},
        )

    async def _answer(self, request: httpx.Request, sent: httpcore.Request) -> httpx.Response:
        link = await self._take(sent.url.origin)
        try:
            began = trio.current_time()
            try:
                response = await link.connection.handle_async_request(sent)
            except _ENDED:
                at_once = trio.current_time() - began < STALE_S
                if not (link.served and not link.heard and at_once and isinstance(request.stream, Whole)):
                    raise
                self._retried += 1
                link = self._open(sent.url.origin)
                response = await link.connection.handle_async_request(sent)
        except _CAUGHT as error:
            raise _named(error, request) from error
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(self, link, response, request),
            extensions=response.extensions,
            request=request,
        )

    async def _take(self, origin: httpcore.Origin) -> "_Link":
        links = self._idle.get(str(origin))
        while links:
            link = links.pop()
            if not link.connection.has_expired():
                self._reused += 1
                link.heard = False
                return link
            await self._drop([link])
        return self._open(origin)

    def _open(self, origin: httpcore.Origin) -> "_Link":
        if origin.scheme == b"https" and self._context is None:
            self._context = trust()
        self._opened += 1
        return _Link(origin, self._context)

    async def give_back(self, link: "_Link") -> None:
        """End a request's use of its connection, whatever state that is in."""
        self._active -= 1
        link.served = True
        idle = self._idle.setdefault(link.key, [])
        if link.is_clean() and len(idle) < IDLE_BOUND and not self._is_closed:
            idle.append(link)
        else:
            await self._drop([link])

    async def _drop(self, links: Iterable["_Link"]) -> None:
        for link in links:
            self._dropped += link.connection.is_idle()
            await link.connection.aclose()


class _Link(httpcore.AsyncNetworkBackend):
    """One connection, which dials for itself in order to know: served a request before; heard a byte since the last."""

    def __init__(self, origin: httpcore.Origin, context: ssl.SSLContext | None) -> None:
        self.key = str(origin)
        self.served = False
        self.heard = False
        self._dialer = httpcore.TrioBackend()
        self.connection = httpcore.AsyncHTTPConnection(
            origin, ssl_context=context, keepalive_expiry=IDLE_S, network_backend=self
        )

    def is_clean(self) -> bool:
        """True where the next request may use it: its answer is over, and nothing came behind that.

        httpcore hands the bytes behind an answer to the next request as the beginning of its own. It does not tell of
        them, but for its parser: what it has read and not used.
        """
        parser = getattr(getattr(self.connection, "_connection", None), "_h11_state", None)
        return self.connection.is_idle() and parser is not None and not parser.trailing_data[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Wire(self, await self._dialer.connect_tcp(host, port, timeout, local_address, socket_options))


class _Wire(httpcore.AsyncNetworkStream):
    """The bytes of a link: notes that some came, and cuts large writes so that each piece has its own deadline."""

    def __init__(self, link: _Link, stream: httpcore.AsyncNetworkStream) -> None:
        self._link = link
        self._stream = stream
        self.aclose = stream.aclose  # type: ignore[method-assign]  # nothing to add to these two
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 httpcore's interface
        data = await self._stream.read(max_bytes, timeout)
        if data:
            self._link.heard = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 httpcore's interface
        if len(buffer) <= WRITE_PIECE:
            await self._stream.write(buffer, timeout)
            return
        for start in range(0, len(buffer), WRITE_PIECE):
            await self._stream.write(buffer[start : start + WRITE_PIECE], timeout)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 httpcore's interface
    ) -> httpcore.AsyncNetworkStream:
        return _Wire(self._link, await self._stream.start_tls(ssl_context, server_hostname, timeout))


class _Body(httpx.AsyncByteStream):
    """A response body as it arrives; closing it gives the connection back, or closes that where the body is not over."""

    def __init__(self, pool: Upstream, link: _Link, response: httpcore.Response, request: httpx.Request) -> None:
        self._pool = pool
        self._link = link
        self._response = response
        self._request = request
        self._chunks = response.stream.__aiter__()  # type: ignore[union-attr]  # this connection's is asynchronous
        self._open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except _CAUGHT as error:
            raise _named(error, self._request) from error

    async def aclose(self) -> None:
        """Never waits for the provider: what is left of the body is read in a cancelled scope, so whatever has arrived
        is used up and the first look at the network ends it, from the inside out. Abandoned generators would not.
        """
        if not self._open:
            return
        self._open = False
        with trio.CancelScope(shield=True) as scope:
            scope.cancel()
            with contextlib.suppress(*_CAUGHT):  # a body that fails while nobody wants it any more
                async for _ in self._chunks:
                    pass
        with trio.CancelScope(shield=True):
            await self._response.aclose()
            await self._pool.give_back(self._link)


def _named(error: Exception, request: httpx.Request) -> httpx.TransportError:
    for theirs, ours in _ERRORS:
        if isinstance(error, theirs):
            return ours(str(error) or theirs.__name__, request=request)
    raise error
