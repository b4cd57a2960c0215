import socket
import tempfile
from pathlib import Path

import lab
import trio
import wire

from tokenpak.proxy.server import BACKLOG, Server, configuration


async def ok(peer, number):
    while True:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


GET = b"GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_configuration_adds_nothing_of_its_own():
    config = configuration("127.0.0.1:0", 130, 65536)
    assert config.response_headers("h11") == []
    assert (config.keep_alive_timeout, config.h11_max_incomplete_size, config.backlog) == (130, 65536, BACKLOG)


def test_a_unix_socket_is_for_its_user_alone(tmp_path):
    path = tmp_path / "s.sock"
    sockets = configuration(f"unix:{path}", 5, 65536).create_sockets()
    try:
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        for each in sockets.insecure_sockets:
            each.close()


async def test_counts_connections():
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        clients = [await wire.connect(front.port) for _ in range(3)]
        await wire.wait_until(lambda: front.server.statistics().connections == 3)
        for client in clients:
            await client.close()
        await wire.wait_until(lambda: front.server.statistics().connections == 0)
        found = front.server.statistics()
        assert (found.accepted, found.draining) == (3, False)


async def test_a_drain_stops_accepting_and_returns_when_the_last_connection_is_over():
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(GET)
        await client.message()
        front.server.drain()
        assert front.server.statistics().draining
        assert await client.ended() == "fin"
        await client.close()
        with trio.fail_after(2):
            await front.over.wait()


async def test_an_abort_ends_what_a_drain_would_wait_for():
    async def silent(peer, number):
        await peer.message()
        await peer.ended()

    async with wire.provider(silent) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(GET)
        await wire.wait_until(lambda: provider.connections)
        front.server.drain()
        front.server.abort()
        assert await client.ended() == "reset"
        await client.close()
        with trio.fail_after(2):
            await front.over.wait()


async def test_serves_a_socket_that_was_opened_by_another():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = Server(app, configuration(f"fd://{listener.detach()}", 9, 65536))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        client = await wire.connect(port)
        await client.send(GET)
        assert (await client.message(bodiless=True)).status == 204
        await client.close()
        server.drain()


async def test_serves_a_unix_socket_and_takes_the_place_of_a_stale_one():
    async def app(scope, receive, send):
        assert scope["client"] is None
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    with tempfile.TemporaryDirectory(prefix="tp-") as directory:
        path = Path(directory) / "s"
        for _ in range(2):
            server = Server(app, configuration(f"unix:{path}", 9, 65536))
            async with trio.open_nursery() as nursery:
                await nursery.start(server.run)
                client = wire.Peer(await trio.open_unix_socket(path))
                await client.send(GET)
                assert (await client.message()).body == b"ok"
                await client.close()
                server.drain()
