import ssl
from pathlib import Path

import httpcore
import httpx
import pytest
import trio
import wire

from tokenpak.services import upstream as module
from tokenpak.services.upstream import Upstream, Whole, base_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUTS = httpx.Timeout(5, connect=2)


def request(url, body=b"{}", method="POST", headers=(), target=b"/v1/x", **extensions):
    size = 2 if isinstance(body, Trickle) else len(body)
    lines = [(b"Host", b"h"), *headers, (b"Content-Length", b"%d" % size)]
    stream = body if isinstance(body, Trickle) else Whole(body)
    as_came = {"method": method.encode(), "target": target, **extensions}
    return httpx.Request(method, url, headers=lines, stream=stream, extensions=as_came)


@pytest.fixture
async def upstream():
    it = Upstream(TIMEOUTS)
    yield it
    await it.aclose()


async def body_of(response):
    try:
        return b"".join([chunk async for chunk in response.stream])
    finally:
        await response.aclose()


async def forever(peer, number):
    while True:
        await peer.message()
        await peer.send(OK)


class Trickle(httpx.AsyncByteStream):
    """An upload that cannot be had again."""

    def __init__(self):
        self.left = [b"{}"]

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop()


async def test_request_and_response_pass_as_given(upstream):
    seen = []

    async def answer(peer, number):
        seen.append(await peer.message())
        await peer.send(b"HTTP/1.1 299 Very Odd\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\nEmpty:\r\n\r\nok")

    async with wire.provider(answer) as provider:
        lines = [(b"X-Case", b"\xff\xe9"), (b"x-case", b"")]
        response = await upstream.handle_async_request(
            request(provider.url, b"{}", "PATCH", lines, b"/a//b/../%7e?q=%20&q=?")
        )
        assert await body_of(response) == b"ok"
    assert seen[0].start == b"PATCH /a//b/../%7e?q=%20&q=? HTTP/1.1"
    assert seen[0].lines == [(b"Host", b"h"), *lines, (b"Content-Length", b"2")]
    assert seen[0].body == b"{}"
    assert (response.status_code, response.extensions["reason_phrase"]) == (299, b"Very Odd")
    assert response.headers.raw == [(b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Length", b"2"), (b"Empty", b"")]


@pytest.mark.parametrize("method", ["get", "Post", "head", "connect", "M-SEARCH"])
async def test_a_method_is_not_written_another_way(upstream, method):
    """And is no `HEAD` or `CONNECT` where it is not written so: what it is answered with has a body, and opens nothing."""
    seen = []

    async def answer(peer, number):
        while True:
            seen.append(await peer.message())
            await peer.send(OK)

    async with wire.provider(answer) as provider:
        for _ in range(2):
            response = await upstream.handle_async_request(request(provider.url, method=method))
            assert await body_of(response) == b"ok"
    assert [message.start for message in seen] == [f"{method} /v1/x HTTP/1.1".encode()] * 2
    assert upstream.statistics().reused == 1


async def test_the_last_connection_given_back_serves_next(upstream):
    served = []

    async def answer(peer, number):
        while True:
            await peer.message()
            served.append(number)
            await peer.send(OK)

    async with wire.provider(answer) as provider:
        first = await upstream.handle_async_request(request(provider.url))
        second = await upstream.handle_async_request(request(provider.url))
        await body_of(first)
        await body_of(second)
        assert upstream.statistics().idle == 2
        await body_of(await upstream.handle_async_request(request(provider.url)))
        found = upstream.statistics()
        assert (found.opened, found.reused, found.idle, found.active) == (2, 1, 2, 0)
        assert served == [1, 2, 2]
        await upstream.aclose()
        assert upstream.statistics().idle == 0
        await wire.wait_until(lambda: provider.closed == 2)


async def test_origins_do_not_share_connections(upstream):
    async with wire.provider(forever) as one, wire.provider(forever) as other:
        for provider in (one, other, one):
            await body_of(await upstream.handle_async_request(request(provider.url)))
        assert (one.connections, other.connections) == (1, 1)


async def test_a_connection_closed_while_idle_is_not_used(upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(OK)
        if number > 1:
            await peer.more()

    async with wire.provider(answer) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        await wire.wait_until(lambda: provider.closed == 1)
        await body_of(await upstream.handle_async_request(request(provider.url)))
        found = upstream.statistics()
        assert (found.opened, found.retried, found.dropped) == (2, 0, 1)


async def dies_at_the_second(peer, number):
    """Closes its first connection only when a second request has come: a stale connection as its client sees it."""
    await peer.message()
    await peer.send(OK)
    if number == 1:
        await peer.head()
        peer.reset()
        return
    await peer.more()


async def test_a_reused_connection_that_dies_unanswered_is_tried_again_once(upstream):
    async with wire.provider(dies_at_the_second) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        response = await upstream.handle_async_request(request(provider.url))
        assert await body_of(response) == b"ok"
        assert upstream.statistics().retried == 1
        assert provider.connections == 2


async def test_an_upload_is_not_tried_again(upstream):
    async with wire.provider(dies_at_the_second) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        with pytest.raises(httpx.TransportError):
            await upstream.handle_async_request(request(provider.url, Trickle()))
        assert upstream.statistics().retried == 0


@pytest.mark.parametrize("word", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 2"])
async def test_one_that_had_begun_to_answer_is_not_tried_again(word, upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(OK)
        await peer.message()
        await peer.send(word)

    async with wire.provider(answer) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        with pytest.raises(httpx.RemoteProtocolError):
            await upstream.handle_async_request(request(provider.url))
        assert (upstream.statistics().retried, provider.connections) == (0, 1)


async def test_a_fresh_one_that_dies_is_not_tried_again(upstream):
    async def answer(peer, number):
        await peer.message()

    async with wire.provider(answer) as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            await upstream.handle_async_request(request(provider.url))
        found = upstream.statistics()
        assert (provider.connections, found.retried, found.failed, found.active) == (1, 0, 1, 0)


async def test_one_that_worked_on_the_request_for_a_while_is_not_tried_again(monkeypatch, upstream):
    monkeypatch.setattr(module, "STALE_S", 0.05)

    async def answer(peer, number):
        await peer.message()
        await peer.send(OK)
        await peer.message()
        await trio.sleep(0.1)

    async with wire.provider(answer) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        with pytest.raises(httpx.RemoteProtocolError):
            await upstream.handle_async_request(request(provider.url))
        assert upstream.statistics().retried == 0


async def test_silence_is_a_timeout_and_never_tried_again(upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(OK)
        await peer.message()
        await peer.more()

    async with wire.provider(answer) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url)))
        with pytest.raises(httpx.ReadTimeout):
            await upstream.handle_async_request(request(provider.url, timeout=httpx.Timeout(0.05).as_dict()))
        assert (upstream.statistics().retried, provider.connections) == (0, 1)


async def test_nobody_there(upstream):
    async with wire.provider(forever) as provider:
        port = provider.port
    with pytest.raises(httpx.ConnectError):
        await upstream.handle_async_request(request(f"http://127.0.0.1:{port}"))
    assert upstream.statistics().active == 0


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 5\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"],
    ids=["length", "chunked"],
)
async def test_a_body_cut_short_breaks_off(head, upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + head)

    async with wire.provider(answer) as provider:
        response = await upstream.handle_async_request(request(provider.url))
        assert await response.stream.__anext__() == b"ab"
        with pytest.raises(httpx.RemoteProtocolError):
            await response.stream.__anext__()
        await response.aclose()
        found = upstream.statistics()
        assert (found.idle, found.active) == (0, 0)


async def test_a_body_left_in_the_middle_closes_its_connection_without_waiting(upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab")
        assert await peer.ended()

    async with wire.provider(answer) as provider:
        response = await upstream.handle_async_request(request(provider.url))
        assert await response.stream.__anext__() == b"ab"
        with trio.fail_after(1):
            await response.aclose()
            await response.stream.aclose()
        await wire.wait_until(lambda: provider.closed == 1)
        assert upstream.statistics().active == 0


async def test_a_body_nobody_reads_gives_its_connection_back_if_all_of_it_has_come(upstream):
    async with wire.provider(forever) as provider:
        response = await upstream.handle_async_request(request(provider.url))
        await response.aclose()
        assert upstream.statistics().idle == 1


async def test_cancellation_closes_the_connection(upstream):
    arrived = trio.Event()

    async def answer(peer, number):
        await peer.message()
        arrived.set()
        await peer.more()

    async with wire.provider(answer) as provider:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upstream.handle_async_request, request(provider.url))
            await arrived.wait()
            nursery.cancel_scope.cancel()
        await wire.wait_until(lambda: provider.closed == 1)
        found = upstream.statistics()
        assert (found.active, found.failed) == (0, 0)


async def test_a_switch_of_protocols_nobody_asked_for(upstream):
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")
        await peer.more()

    async with wire.provider(answer) as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            await upstream.handle_async_request(request(provider.url))
        await wire.wait_until(lambda: provider.closed == 1)


async def test_the_number_of_requests_is_bounded(monkeypatch, upstream):
    monkeypatch.setattr(module, "ACTIVE_BOUND", 1)
    async with wire.provider(forever) as provider:
        response = await upstream.handle_async_request(request(provider.url))
        with pytest.raises(httpx.PoolTimeout):
            await upstream.handle_async_request(request(provider.url))
        await body_of(response)
        await body_of(await upstream.handle_async_request(request(provider.url)))
        assert upstream.statistics().refused == 1


async def test_the_number_of_idle_connections_is_bounded(monkeypatch, upstream):
    monkeypatch.setattr(module, "IDLE_BOUND", 1)
    async with wire.provider(forever) as provider:
        responses = [await upstream.handle_async_request(request(provider.url)) for _ in range(3)]
        for response in responses:
            await body_of(response)
        found = upstream.statistics()
        assert (found.idle, found.dropped) == (1, 2)


async def test_idle_connections_expire(monkeypatch, upstream):
    monkeypatch.setattr(module, "IDLE_S", 0.02)
    monkeypatch.setattr(module, "SWEEP_S", 0.01)
    async with wire.provider(forever) as provider, trio.open_nursery() as nursery:
        nursery.start_soon(upstream.sweep)
        await body_of(await upstream.handle_async_request(request(provider.url)))
        await wire.wait_until(lambda: provider.closed == 1)
        assert upstream.statistics().idle == 0
        nursery.cancel_scope.cancel()


async def test_no_proxy_environment_is_heard(monkeypatch, upstream):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with wire.provider(forever) as provider:
        assert await body_of(await upstream.handle_async_request(request(provider.url))) == b"ok"


async def test_large_bodies_are_written_in_pieces_each_with_its_own_deadline(monkeypatch, upstream):
    monkeypatch.setattr(module, "WRITE_PIECE", 1000)
    body = bytes(range(256)) * 20
    seen = []

    async def answer(peer, number):
        seen.append(await peer.message())
        await peer.send(OK)

    async with wire.provider(answer) as provider:
        await body_of(await upstream.handle_async_request(request(provider.url, body)))
    assert seen[0].body == body


async def test_tls_believes_whom_it_is_told_to_and_nobody_else():
    certificate = Path(__file__).with_name("localhost.pem")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    seen = []

    async def serve(stream):
        async with trio.SSLStream(stream, server, server_side=True, https_compatible=True) as tls:
            peer = wire.Peer(tls)
            try:
                seen.append(await peer.message())
                await peer.send(OK)
                await peer.more()
            except (trio.BrokenResourceError, wire.Broken):
                pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        url = f"https://localhost:{listeners[0].socket.getsockname()[1]}"
        known = ssl.create_default_context(cafile=certificate)
        upstream = Upstream(TIMEOUTS, known)
        assert await body_of(await upstream.handle_async_request(request(url))) == b"ok"
        assert seen[0].start == b"POST /v1/x HTTP/1.1"
        stranger = Upstream(TIMEOUTS)
        with pytest.raises(httpx.ConnectError):
            await stranger.handle_async_request(request(url))
        await upstream.aclose()
        nursery.cancel_scope.cancel()


def test_trust_knows_the_public_authorities():
    context = module.trust()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize(
    ("url", "host", "prefix"),
    [
        ("https://api.anthropic.com", b"api.anthropic.com", b""),
        ("http://127.0.0.1:11434/", b"127.0.0.1:11434", b""),
        ("https://openrouter.ai/api/v1", b"openrouter.ai", b"/api/v1"),
        ("http://[::1]:80", b"[::1]", b""),
    ],
)
def test_base(url, host, prefix):
    base = base_of(url)
    assert (base.host, base.prefix) == (host, prefix)


def test_every_error_of_the_library_has_a_name_of_ours():
    for name in dir(httpcore):
        kind = getattr(httpcore, name)
        if isinstance(kind, type) and issubclass(kind, (httpcore.NetworkError, httpcore.ProtocolError)):
            if kind in {httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError}:
                continue
            assert isinstance(kind("x"), module._CAUGHT), name
