"""The front as a process: what goes in and comes out, byte by byte, and how it ends. No workers, no writer, no client
library: everything that is missing here must not be missed by a request.
"""

import json
import socket

import front_process
import header_cases
import header_drive
import pytest
import trio
import wire

from tokenpak.services.learned_file import Kept, LearnedFile

BODY = b'{"model":"claude-x","stream":true,"messages":[{"role":"user","content":"hello"}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(path=b"/v1/messages", body=BODY):
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (path, len(body), body)


async def always_ok(peer, number):
    while True:
        await peer.message()
        await peer.send(OK)


async def test_two_hundred_odd_messages_pass_line_by_line():
    script = header_drive.Script()
    async with wire.provider(script) as provider, front_process.slot(provider.url) as front:
        host = f"127.0.0.1:{provider.port}".encode()
        for case in header_cases.cases():
            try:
                await header_drive.drive(front.port, script, case, host)
            except (AssertionError, wire.Broken, trio.TooSlowError) as error:
                raise AssertionError(case.name) from error
        counts = await front.statistics()
        assert counts["app"]["defects"] == 0
        assert counts["app"]["ended"] == {"done": len(list(header_cases.cases()))}
        assert counts["recorder"]["recorded"] == 2 * len(list(header_cases.cases()))
        assert counts["recorder"]["dropped"] == 0
        assert front.log == ""


async def test_health_and_statistics():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
        client = await wire.connect(front.port)
        for path in (b"/livez", b"/readyz"):
            await client.send(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            assert (await client.message()).body == b"ok\n"
            await client.send(b"HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            assert (await client.message(bodiless=True)).status == 200
        await client.close()
        counts = await front.statistics()
        assert (counts["slot"], counts["pid"]) == (1, front.process.pid)
        assert counts["server"]["accepted"] == 1
        assert counts["app"]["ended"] == {}
        assert {"upstream", "recorder", "dispatch", "pool"} <= counts.keys()
        assert provider.connections == 0


async def test_a_model_that_drifts_is_still_halted_after_a_restart():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
        assert (await front.statistics())["accounts"]["learned"]["restored"] == 0
        halted = Kept("anthropic", "claude-x", 1.25, 9, 1.2, 0.001, 0.5, 30, halted=True)
        assert LearnedFile(front.settings.paths.learned).write(lambda news: [halted])
        front.stop()
        assert await front.exit_code(10) == 0
        with socket.create_server(("127.0.0.1", 0)) as listener:
            again = front_process.Slot(front.settings, 1, listener, front._log)
            try:
                await again.is_ready()
                counts = (await again.statistics())["accounts"]
            finally:
                again.process.kill()
                again.process.wait()
        assert counts["learned"] == {"restored": 1, "unread": 0, "unsaved": 0, "reason": ""}
        assert counts["models"]["anthropic/claude-x"]["halted"]


async def test_no_http2_by_upgrade_or_by_knowledge():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
        client = await wire.connect(front.port)
        upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        await client.send(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + upgrade + b"\r\n")
        assert (await client.message()).start == b"HTTP/1.1 200 OK"
        await client.close()
        client = await wire.connect(front.port)
        await client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        assert (await client.message()).status == 505
        assert await client.ended() == "fin"
        await client.close()


async def test_heads_up_to_64_kb_and_not_beyond():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
        head = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Large: %s\r\n\r\n"
        client = await wire.connect(front.port)
        await client.send(head % (b"x" * 60_000))
        assert (await client.message()).status == 200
        await client.close()
        client = await wire.connect(front.port)
        await client.send(head % (b"x" * 400_000))
        reply = await client.message()
        assert (reply.status, b"headers" in reply.body) == (431, True)
        await client.close()


# The end


async def test_idle_connections_do_not_hold_up_the_end():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url, drain_s=30.0) as front:
        clients = [await wire.connect(front.port) for _ in range(20)]
        for client in clients:
            await client.send(post())
            assert (await client.message()).body == b"ok"
        front.stop()
        for client in clients:
            assert await client.ended() == "fin"
            await client.close()
        assert await front.exit_code(within_s=2) == 0
        assert not front.ready_file.exists()
        assert front.log == ""


async def test_connections_that_have_said_nothing_do_not_hold_up_the_end():
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url, drain_s=30.0) as front:
        clients = [await wire.connect(front.port) for _ in range(5)]
        front.stop()
        assert await front.exit_code(within_s=2) == 0
        for client in clients:
            await client.close()


async def gated(peer, number):
    """Streams one event, then ends when the client's third byte of patience is asked for by `gate`."""
    await peer.message()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    await peer.send(b"9\r\ndata: 1\n\n\r\n")
    await peer.ended()


async def test_a_drain_waits_for_what_is_under_way_and_says_close():
    finish = trio.Event()

    async def answer(peer, number):
        await peer.message()
        await finish.wait()
        await peer.send(OK)
        await peer.more()

    async with wire.provider(answer) as provider, front_process.slot(provider.url, drain_s=30.0) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await wire.wait_until(lambda: provider.connections)
        front.stop()
        await wire.wait_until(lambda: not front.ready_file.exists())
        # nobody accepts here any more; the next slot would
        waiting = await wire.connect(front.port)
        finish.set()
        reply = await client.message()
        assert (reply.body, reply.value("connection")) == (b"ok", b"close")
        assert await client.ended() == "fin"
        await client.close()
        await waiting.close()
        assert await front.exit_code(within_s=2) == 0


async def test_a_drain_ends_at_its_bound_in_words_and_then_in_deed():
    async with wire.provider(gated) as provider, front_process.slot(provider.url, drain_s=0.3) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await client.until(b"data: 1\n\n\r\n")
        front.stop()
        event = await client.exactly(int(await client.until(b"\r\n"), 16))
        assert event.startswith(b"event: error\ndata: ")
        assert json.loads(event.partition(b"data: ")[2])["type"] == "error"
        with pytest.raises((wire.Broken, trio.BrokenResourceError)):
            await client.until(b"0\r\n\r\n")
        await client.close()
        assert await front.exit_code(within_s=4) == 5
        assert front.log == ""


async def test_a_client_that_takes_nothing_cannot_hold_up_the_end():
    async def flood(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    async with wire.provider(flood) as provider, front_process.slot(provider.url, drain_s=0.3) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await client.until(b"xxx")
        await trio.sleep(0.3)
        front.stop()
        assert await front.exit_code(within_s=6) == 5
        await client.close()


async def test_requests_that_arrive_as_the_drain_begins_are_served():
    """Clients that keep one connection busy see every request answered, or the connection closed between two."""
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url, drain_s=30.0) as front:
        served = []

        async def ask_until_closed():
            client = await wire.connect(front.port)
            while True:
                await client.send(post())
                reply = await client.message()
                served.append(reply.body)
                if reply.values("connection") == [b"close"]:
                    await client.close()
                    return

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask_until_closed)
            await wire.wait_until(lambda: len(served) > 200)
            front.stop()
        assert set(served) == {b"ok"}
        assert await front.exit_code(within_s=2) == 0


async def test_the_listening_socket_outlives_the_slot():
    """What the keeper does for the port: connections made while nobody serves wait in the kernel."""
    async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
        front.stop()
        await front.exit_code(within_s=4)
        with socket.create_connection(("127.0.0.1", front.port), timeout=1):
            pass


async def test_a_stop_is_heard_as_soon_as_the_slot_is_ready():
    for _ in range(3):
        async with wire.provider(always_ok) as provider, front_process.slot(provider.url) as front:
            front.stop()
            assert await front.exit_code(within_s=2) == 0
