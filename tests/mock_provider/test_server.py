"""The mock on real sockets."""

import json
import socket

import httpx
import pytest
import trio

from tokenpak.mock_provider import server
from tokenpak.mock_provider.faults import CutAt, Drop, Slow, Stall

BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
RAW = json.dumps({**BODY, "stream": True}).encode()


@pytest.fixture
async def mock(nursery):
    return await server.start(nursery)


@pytest.fixture
async def client(mock):
    async with httpx.AsyncClient(base_url=mock.url, trust_env=False, timeout=20, limits=httpx.Limits()) as client:
        yield client


def request(body, *headers, method="POST", path="/v1/messages"):
    lines = [f"{method} {path} HTTP/1.1", "Host: mock", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def connected(mock):
    return await trio.open_tcp_stream("127.0.0.1", int(mock.url.rpartition(":")[2]))


async def read_until(stream, words):
    data = b""
    with trio.fail_after(10):
        while words not in data:
            more = await stream.receive_some()
            assert more, data
            data += more
    return data


async def read_all(stream):
    data = b""
    with trio.fail_after(10):
        while more := await stream.receive_some():
            data += more
    return data


async def becomes(condition):
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - conditions of a server have no event
            await trio.sleep(0.01)


async def test_replies_whole_and_streamed(mock, client):
    whole = (await client.post("/v1/messages", json=BODY)).json()
    async with client.stream("POST", "/v1/messages", json={**BODY, "stream": True}) as reply:
        events = [line async for line in reply.aiter_lines() if line.startswith("event:")]
    assert whole["type"] == "message"
    assert events[-1] == "event: message_stop"
    kept = mock.provider.record.since(0)
    await becomes(lambda: [each.ended for each in kept] == ["done", "done"])


async def test_200_streams_at_once(mock):
    mock.provider.manner = mock.provider.manner.__class__(pieces=20, interval_s=0.005)
    ended = []

    async def one():
        stream = await connected(mock)
        async with stream:
            await stream.send_all(request(RAW, "Connection: close"))
            ended.append((await read_all(stream)).endswith(b"0\r\n\r\n"))

    async with trio.open_nursery() as clients:
        for _ in range(200):
            clients.start_soon(one)
    assert ended == [True] * 200
    assert mock.provider.record.statistics().received == 200
    await becomes(lambda: mock.statistics().open == 0)


async def test_heads_and_bodies_are_recorded_as_they_came(mock):
    async with await connected(mock) as stream:
        await stream.send_all(request(b"\x00\xff", "X-Odd-CASE:  v", "x-odd-case: w", path="/v1/a%2Fb?q=%C3%A9"))
        await read_until(stream, b"\r\n\r\n")
    kept = mock.provider.record.since(0)[0]
    assert ("X-Odd-CASE", "v") in kept.headers
    assert ("x-odd-case", "w") in kept.headers
    assert kept.target == "/v1/a%2Fb?q=%C3%A9"
    assert kept.body == b"\x00\xff"


async def test_keep_alive_pipelining_and_head(mock):
    async with await connected(mock) as stream:
        await stream.send_all(request(b"", method="HEAD", path="/") + request(b"", method="GET", path="/"))
        told = await read_until(stream, b'{"provider":"mock"}')
        assert told.count(b"HTTP/1.1 200") == 2
        assert told.count(b"content-length: 19") == 2
        assert told.count(b'{"provider"') == 1
        await stream.send_all(request(RAW))
        assert (await read_until(stream, b"0\r\n\r\n")).count(b"message_stop") == 2


async def test_expect_is_answered(mock):
    async with await connected(mock) as stream:
        await stream.send_all(request(b"{}", "Expect: 100-continue")[:-2])
        assert await read_until(stream, b"100") == b"HTTP/1.1 100 \r\n\r\n"
        await stream.send_all(b"{}")
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 400")


async def test_cut_after_so_many_bytes(mock):
    mock.provider.faults.arm([CutAt(at_byte=10)])
    async with await connected(mock) as stream:
        await stream.send_all(request(RAW))
        head, _, body = (await read_all(stream)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b"a\r\nevent: mes\r\n"
    assert mock.provider.record.since(0)[0].ended == "cut"


async def test_drop_says_nothing(mock):
    mock.provider.faults.arm([Drop()])
    async with await connected(mock) as stream:
        await stream.send_all(request(RAW))
        assert await read_all(stream) == b""


async def test_slow_and_stalled_replies_arrive_whole(mock, client):
    mock.provider.faults.arm([Slow(seconds=0.2, times=1), Stall(at_byte=10, seconds=0.2, times=1)])
    for _ in range(2):
        started = trio.current_time()
        told = (await client.post("/v1/messages", content=RAW)).text
        assert trio.current_time() - started >= 0.2
        assert "message_stop" in told


@pytest.mark.parametrize("fault", [Stall(at_byte=10), Slow(seconds=3600.0)])
async def test_a_client_that_leaves_is_noticed_at_once(mock, fault):
    mock.provider.faults.arm([fault])
    stream = await connected(mock)
    await stream.send_all(request(RAW))
    await becomes(lambda: mock.provider.record.since(0))
    await stream.aclose()
    await becomes(lambda: mock.provider.record.since(0)[0].ended == "client_gone")
    await becomes(lambda: mock.statistics().open == 0)


async def test_a_reset_ends_the_stream_and_nothing_else(mock, client):
    mock.provider.manner = mock.provider.manner.__class__(pieces=200, interval_s=0.01)
    stream = await connected(mock)
    await stream.send_all(request(RAW))
    await read_until(stream, b"message_start")
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.socket.close()
    await becomes(lambda: mock.provider.record.since(0)[0].ended == "client_gone")
    assert (await client.get("/")).status_code == 200


async def test_what_is_no_http_is_counted(mock, client):
    for raw in (b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        async with await connected(mock) as stream:
            await stream.send_all(raw)
            assert await read_all(stream) == b""
    assert mock.statistics().malformed == 2
    assert (await client.get("/")).status_code == 200


async def test_bodies_beyond_the_bound_are_refused(mock, monkeypatch):
    monkeypatch.setattr(server, "BODY_BOUND", 1000)
    async with await connected(mock) as stream:
        await stream.send_all(request(b"x" * 2000)[:-900])
        assert (await read_all(stream)).startswith(b"HTTP/1.1 413")


async def test_connections_beyond_the_bound_are_closed_and_counted(mock, monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 1)
    async with await connected(mock) as first:
        await first.send_all(request(b"", method="GET", path="/"))
        await read_until(first, b"mock")
        async with await connected(mock) as second:
            assert await read_all(second) == b""
    assert mock.statistics().refused == 1


async def test_admin_requests_are_not_recorded(mock, client):
    await client.post("/__mock/faults", json={"fault": "refuse", "status": 429, "times": 1})
    assert (await client.post("/v1/messages", json=BODY)).status_code == 429
    assert len((await client.get("/__mock/log")).json()) == 1
    assert (await client.get("/__mock/statistics")).json()["connections"] >= 1
