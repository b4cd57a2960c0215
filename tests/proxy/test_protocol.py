import json

import pytest
import trio
import trio.testing
import wire
from structlog.testing import capture_logs

from tokenpak.proxy import protocol as module
from tokenpak.proxy.server import Server, configuration


@pytest.fixture
async def front(nursery):
    """A server whose application tells what it was called with."""

    async def app(scope, receive, send):
        seen.append(scope)
        body = scope["method"].encode()
        lines = [(b"Content-Length", b"%d" % len(body)), (b"X-Case", b"\xe9"), (b"x-case", b"")]
        await send({"type": "http.response.start", "status": 299, "reason": b"Fine So", "headers": lines})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    seen = []
    server = Server(app, configuration("127.0.0.1:0", 60, 65536))
    (socket,) = await nursery.start(server.run)
    client = await wire.connect(socket.getsockname()[1])
    client.seen = seen
    client.server = server
    yield client
    await client.close()


def request(start, *lines):
    return "\r\n".join([start, "Host: h", *lines, "", ""]).encode()


async def test_head_passes_as_written(front):
    await front.send(request("GET /a//b?x HTTP/1.1", "X-Odd: 1", "x-odd:   2  "))
    reply = await front.message()
    assert reply.start == b"HTTP/1.1 299 Fine So"
    assert reply.lines == [(b"Content-Length", b"3"), (b"X-Case", b"\xe9"), (b"x-case", b"")]
    assert front.seen[0]["headers"] == [(b"Host", b"h"), (b"X-Odd", b"1"), (b"x-odd", b"2")]
    assert front.seen[0]["state"]["target"] == b"/a//b?x"


@pytest.mark.parametrize("method", ["get", "Post", "head", "connect"])
async def test_a_method_means_what_is_written(front, method):
    await front.send(request(f"{method} / HTTP/1.1"))
    assert (await front.message()).body == method.encode()
    assert front.seen[0]["method"] == method


async def test_an_empty_query_is_kept(front):
    await front.send(request("GET /a? HTTP/1.1"))
    await front.message()
    assert front.seen[0]["state"]["target"] == b"/a?"


@pytest.mark.parametrize(
    "lines",
    [
        [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
        ["Connection: Upgrade", "Upgrade: websocket"],
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ],
)
async def test_every_upgrade_is_a_plain_request(front, lines):
    for _ in range(2):
        await front.send(request("GET / HTTP/1.1", *lines))
        assert (await front.message()).status == 299
    assert [scope["type"] for scope in front.seen] == ["http", "http"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/3.7\r\nHost: h\r\n\r\n", 505),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 300_000, 431),
    ],
)
async def test_what_is_not_http_of_ours_is_answered_and_ended(front, data, status):
    await front.send(data)
    reply = await front.message()
    assert reply.status == status
    assert json.loads(reply.body)["error"]["message"].startswith("TokenPak: ")
    assert reply.value("connection") == b"close"
    assert await front.ended() == "fin"
    assert not front.seen


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"X: " + b"x" * 65_000 + b"\r\n", 299),
        (b"X: " + b"x" * 66_000 + b"\r\n", 431),
        (b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(70)), 431),
        (b"X: 1\r\n" * (module.MOST_LINES - 1), 299),
        (b"X: 1\r\n" * module.MOST_LINES, 431),
        (b"a:\r\n" * 16_000, 431),
    ],
    ids=["just long enough", "too long", "too long in all", "many lines", "too many lines", "nothing but lines"],
)
async def test_a_head_is_measured_however_it_arrives(front, head, status, pieces):
    data = b"GET / HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n"
    step = len(data) // pieces + 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_in, front, [data[at : at + step] for at in range(0, len(data), step)])
        assert (await front.message()).status == status
    assert len(front.seen) == (status == 299)


@pytest.mark.parametrize(
    "rest",
    [b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"X: 1\r\n" * 600 + b"\r\n"],
    ids=["two ends", "too many lines"],
)
async def test_a_refusal_of_a_head_request_has_no_body(front, rest):
    with capture_logs() as logs:
        await front.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n" + rest)
        assert (await front.message(bodiless=True)).status in {400, 431}
        assert await front.ended() == "fin"
    assert logs == []


async def test_a_request_that_breaks_before_its_answer_is_answered_once(front):
    """The application answers without having heard that the body went wrong."""
    with capture_logs() as logs:
        await front.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"no size\r\n")
        assert (await front.message()).status == 400
        assert await front.ended() == "fin"
    assert logs == []
    assert len(front.seen) == 1


async def send_in(client, pieces):
    for piece in pieces:
        await client.send(piece)
        await trio.testing.wait_all_tasks_blocked()


async def test_a_long_target_is_part_of_the_head(front):
    await front.send(b"GET /" + b"x" * 66_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await front.message()).status == 431


async def test_close_is_said_while_draining(front):
    await front.send(request("GET /1 HTTP/1.1"))
    assert (await front.message()).values("connection") == []
    front.server._draining = True
    await front.send(request("GET /2 HTTP/1.1"))
    assert (await front.message()).values("connection") == [b"close"]
    assert await front.ended() == "fin"


async def test_the_rest_of_a_request_has_its_time(front, monkeypatch):
    monkeypatch.setattr(module, "REST_S", 0.05)
    await front.send(request("POST / HTTP/1.1", "Content-Length: 10"))
    assert (await front.message()).body == b"POST"
    with trio.fail_after(2):
        assert await front.ended() == "fin"


async def test_nobody_waits_for_the_rest_of_a_client_that_has_left(front):
    await front.send(request("POST / HTTP/1.1", "Content-Length: 10"))
    await front.message()
    await front.close()
    await wire.wait_until(lambda: front.server.statistics().connections == 0, 1)


async def test_http_1_0_without_a_host(front):
    await front.send(b"GET /old HTTP/1.0\r\n\r\n")
    reply = await front.message()
    assert (reply.status, reply.body) == (299, b"GET")
    assert await front.ended() == "fin"


# Behind a last request


BEHIND = [b"\r\n", b'{"model":"m"}', b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n", b"x" * 300_000]
LAST = {
    "close": request("POST /1 HTTP/1.1", "Connection: close", "Content-Length: 2") + b"{}",
    "close and upgrade": request("POST /1 HTTP/1.1", "Connection: close", "Upgrade: h2c"),
    "HTTP/1.0": b"POST /1 HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("behind", BEHIND, ids=["empty line", "body without a length", "request", "much"])
@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
async def test_what_comes_behind_a_last_request_takes_nothing_from_its_answer(front, last, behind, apart):
    await send_in(front, [last, behind] if apart else [last + behind])
    reply = await front.message()
    assert (reply.status, reply.body) == (299, b"POST")
    assert await front.ended() == "fin"
    assert len(front.seen) == 1


# Many chunks


async def delivered(nursery, data):
    """The body's pieces as the application gets them."""
    pieces = []

    async def app(scope, receive, send):
        while (event := await receive())["more_body"]:
            pieces.append(event["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    (socket,) = await nursery.start(Server(app, configuration("127.0.0.1:0", 60, 65536)).run)
    client = await wire.connect(socket.getsockname()[1])
    await client.send(data)
    assert (await client.message()).status == 200
    await client.close()
    return pieces


async def test_chunks_that_came_together_are_handed_on_together(nursery):
    chunks = b"".join(b"1\r\n%c\r\n" % (65 + number % 26) for number in range(2000))
    data = request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"
    pieces = await delivered(nursery, data)
    assert b"".join(pieces) == bytes(65 + number % 26 for number in range(2000))
    assert max(map(len, pieces)) <= module.PIECES
    assert len(pieces) < 20


async def test_a_chunk_does_not_wait_for_the_next(nursery):
    first = trio.Event()

    async def app(scope, receive, send):
        assert (await receive())["body"] == b"one"
        first.set()
        assert (await receive())["body"] == b"two"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    (socket,) = await nursery.start(Server(app, configuration("127.0.0.1:0", 60, 65536)).run)
    client = await wire.connect(socket.getsockname()[1])
    await client.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"3\r\none\r\n")
    with trio.fail_after(2):
        await first.wait()
    await client.send(b"3\r\ntwo\r\n0\r\n\r\n")
    assert (await client.message()).status == 200
    await client.close()
