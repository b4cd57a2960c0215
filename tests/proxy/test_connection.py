import contextlib

import pytest
import trio
import trio.testing
import wire
from structlog.testing import capture_logs

from tokenpak.proxy import connection as module
from tokenpak.proxy.connection import Connection
from tokenpak.proxy.server import configuration

GET = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"


class Served:
    """One connection between a test and an application, over a real socket."""

    def __init__(self, app, keep_alive_s=60.0):
        self.app = app
        self.keep_alive_s = keep_alive_s
        self.draining = False
        self.over = trio.Event()

    async def serve(self, stream):
        config = configuration("127.0.0.1:0", self.keep_alive_s, 65536)
        self.connection = Connection(self.app, config, stream, lambda: self.draining)
        await self.connection.run()
        self.over.set()

    def drain(self):
        self.draining = True
        self.connection.drain()

    async def is_over(self, within_s=2):
        with trio.fail_after(within_s):
            await self.over.wait()


@contextlib.asynccontextmanager
async def served(app, **more):
    it = Served(app, **more)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, it.serve, 0)
        it.client = await wire.connect(listeners[0].socket.getsockname()[1])
        await wire.wait_until(lambda: hasattr(it, "connection"))
        yield it
        await it.client.close()
        nursery.cancel_scope.cancel()


async def respond(send, body=b"ok", headers=()):
    lines = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": lines})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def path(scope, receive, send):
    await respond(send, scope["raw_path"])


async def test_serves_one_request_after_the_other():
    async with served(path) as it:
        for number in range(3):
            await it.client.send(GET % number)
            assert (await it.client.message()).body == b"/%d" % number


async def test_requests_sent_ahead_are_answered_in_order():
    async with served(path) as it:
        await it.client.send(b"".join(GET % number for number in range(50)))
        for number in range(50):
            assert (await it.client.message()).body == b"/%d" % number


async def test_an_idle_connection_ends_after_its_time():
    async with served(path, keep_alive_s=0.05) as it:
        await it.client.send(GET % 1)
        await it.client.message()
        assert await it.client.ended() == "fin"
        await it.is_over()


async def test_a_slow_answer_is_not_idleness():
    async def slow(scope, receive, send):
        await trio.sleep(0.1)
        await respond(send)

    async with served(slow, keep_alive_s=0.05) as it:
        for _ in range(2):
            await it.client.send(GET % 1)
            assert (await it.client.message()).body == b"ok"


async def test_an_application_hears_that_its_client_has_left_even_when_the_next_request_is_there():
    heard = trio.Event()

    async def wait(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        heard.set()

    async with served(wait) as it:
        await it.client.send(GET % 1 + GET % 2)
        await wire.wait_until(lambda: it.connection._protocol.is_ahead)
        await it.client.close()
        with trio.fail_after(2):
            await heard.wait()
        await it.is_over()


async def test_reading_ahead_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "AHEAD_BOUND", 100_000)
    go_on = trio.Event()

    async def wait(scope, receive, send):
        await go_on.wait()
        await respond(send)

    async with served(wait) as it:
        requests = [b"GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (b"x" * 50_000)] * 200
        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.client.send, b"".join(requests))
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert it.connection._ahead < 100_000 + module.RECEIVE
            go_on.set()
            for _ in requests:
                assert (await it.client.message()).body == b"ok"


async def test_a_body_that_is_not_read_holds_nothing_up():
    async def answer_when_the_queue_is_full(scope, receive, send):
        await trio.testing.wait_all_tasks_blocked(0.01)
        await path(scope, receive, send)

    async with served(answer_when_the_queue_is_full) as it:
        body = b"x" * 8_000_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                it.client.send, b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            assert (await it.client.message()).body == b"/1"
        await it.client.send(GET % 2)
        assert (await it.client.message()).body == b"/2"


async def test_what_is_received_waits_for_the_application(monkeypatch):
    """An upload is read no faster than it is taken."""
    monkeypatch.setattr(module, "RECEIVE", 1000)
    go_on = trio.Event()
    sizes = []

    async def slow(scope, receive, send):
        await go_on.wait()
        while (event := await receive())["more_body"]:
            sizes.append(len(event["body"]))
        await respond(send)

    async with served(slow) as it:
        await it.client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        await trio.testing.wait_all_tasks_blocked(0.02)
        assert it.connection._stream.socket.is_readable()
        go_on.set()
        await it.client.message()
    assert sum(sizes) == 100_000


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_an_unfinished_answer_does_not_look_finished(version):
    async def half(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async with served(half) as it:
        await it.client.send(b"GET / HTTP/%s\r\nHost: h\r\n\r\n" % version)
        with pytest.raises((wire.Broken, trio.BrokenResourceError)):
            await it.client.message()


async def test_a_failing_application_ends_its_connection_only():
    async def fail(scope, receive, send):
        raise ValueError(scope["headers"])

    with capture_logs() as logs:
        async with served(fail) as it:
            await it.client.send(b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: secret\r\n\r\n")
            with contextlib.suppress(wire.Broken, trio.BrokenResourceError):
                await it.client.message()
            await it.is_over()
    assert [entry["event"] for entry in logs] == ["connection_failed"]
    assert "secret" not in str(logs)


async def test_a_client_that_takes_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "WRITE_S", 0.1)
    gone = trio.Event()

    async def flood(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with trio.fail_after(5):
            while not gone.is_set():
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
                if it.over.is_set() or it.connection._has_ended:
                    gone.set()

    async with served(flood) as it:
        await it.client.send(GET % 1)
        with trio.fail_after(3):
            await gone.wait()
        await it.is_over()


async def test_a_client_that_breaks_its_request_while_it_takes_nothing_is_cut_off(monkeypatch):
    monkeypatch.setattr(module, "WRITE_S", 3.0)  # what would end it otherwise

    async def flood(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not it.over.is_set() and not it.connection._has_ended:
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            await trio.lowlevel.checkpoint()

    with capture_logs() as logs:
        async with served(flood) as it:
            await it.client.send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            await it.client.until(b"xxx")
            await trio.testing.wait_all_tasks_blocked(0.02)
            await it.client.send(b"no size\r\n")
            await it.is_over()
    assert logs == []


# Slow clients


async def test_a_head_has_its_time_however_many_pieces_it_comes_in(monkeypatch):
    """Every byte comes soon after the one before; all of them together take too long."""
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    async with served(path) as it:
        await it.client.send(b"GET / HTTP/1.1\r\nHost: h\r\nX: ")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dripped, it.client)
            reply = await it.client.message()
            nursery.cancel_scope.cancel()
        assert (reply.status, reply.value("connection")) == (408, b"close")
        await it.is_over()


async def dripped(client):
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while True:
            await client.send(b"x")
            await trio.sleep(0.01)


async def test_a_head_that_stops_has_its_time_too(monkeypatch):
    monkeypatch.setattr(module, "HEAD_S", 0.05)
    async with served(path) as it:
        await it.client.send(GET % 1)
        assert (await it.client.message()).status == 200
        await it.client.send((GET % 2)[:9])
        assert (await it.client.message()).status == 408
        assert await it.client.ended() == "fin"


async def test_each_head_has_its_own_time(monkeypatch):
    monkeypatch.setattr(module, "HEAD_S", 0.5)
    async with served(path) as it:
        for number in range(7):
            await it.client.send((GET % number)[:9])
            await trio.sleep(0.1)
            await it.client.send((GET % number)[9:])
            assert (await it.client.message()).body == b"/%d" % number


async def test_a_body_that_stops_ends_its_request(monkeypatch):
    monkeypatch.setattr(module, "BODY_S", 0.05)
    heard = []

    async def take(scope, receive, send):
        while (event := await receive())["type"] != "http.disconnect":
            heard.append(event["body"])
        heard.append("gone")

    async with served(take) as it:
        await it.client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
        assert (await it.client.message()).status == 408
        assert await it.client.ended() == "fin"
        await it.is_over()
    assert heard[-1] == "gone"
    assert b"".join(heard[:-1]) == b"half"


async def test_a_body_may_take_long_as_long_as_it_comes(monkeypatch):
    monkeypatch.setattr(module, "BODY_S", 0.2)
    sizes = []

    async def take(scope, receive, send):
        while (event := await receive())["more_body"]:
            sizes.append(len(event["body"]))
        await respond(send)

    async with served(take) as it:
        await it.client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            await trio.sleep(0.01)
            await it.client.send(b"x")
        assert (await it.client.message()).body == b"ok"
    assert sum(sizes) == 40


async def test_an_answer_that_was_begun_is_not_cut_for_the_rest_of_the_body(monkeypatch):
    monkeypatch.setattr(module, "BODY_S", 0.05)
    go_on = trio.Event()

    async def answer_early(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"k", "more_body": False})

    async with served(answer_early) as it:
        await it.client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
        await it.client.until(b"\r\n\r\no")
        await trio.sleep(0.15)
        go_on.set()
        assert await it.client.exactly(1) == b"k"


# Draining


async def test_an_idle_connection_ends_at_once(monkeypatch):
    async with served(path) as it:
        await it.client.send(GET % 1)
        await it.client.message()
        await wire.wait_until(lambda: it.connection._is_idle)
        monkeypatch.setattr(module, "LINGER_S", 0)
        it.drain()
        await it.is_over(0.3)
        assert await it.client.ended() == "fin"


async def test_a_new_connection_may_still_say_something():
    async with served(path) as it:
        it.drain()
        await it.client.send(GET % 1)
        reply = await it.client.message()
        assert (reply.body, reply.value("connection")) == (b"/1", b"close")
        assert await it.client.ended() == "fin"


async def test_a_busy_connection_is_told_with_its_next_answer():
    async with served(path) as it:
        await it.client.send(GET % 1)
        await it.client.message()
        it.drain()
        await it.client.send(GET % 2)
        reply = await it.client.message()
        assert (reply.body, reply.value("connection")) == (b"/2", b"close")
        await it.is_over()


async def test_a_request_that_comes_at_the_very_last_moment_is_served(monkeypatch):
    async with served(path) as it:
        await it.client.send(GET % 1)
        await it.client.message()
        await wire.wait_until(lambda: it.connection._is_idle)
        monkeypatch.setattr(module, "LINGER_S", 0)
        it.drain()  # the reader has been told, and has not run yet
        it.client.stream.socket._sock.send(GET % 2)
        monkeypatch.undo()
        assert (await it.client.message()).body == b"/2"


async def test_a_silent_new_connection_ends_soon():
    async with served(path) as it:
        it.drain()
        await it.is_over(module.LINGER_S + 0.3)


async def test_a_request_that_is_just_arriving_is_served():
    async with served(path) as it:
        await it.client.send(GET % 1)
        await it.client.message()
        await it.client.send((GET % 2)[:10])
        await wire.wait_until(lambda: not it.connection._protocol.is_fresh)
        it.drain()
        await trio.sleep(0.02)
        await it.client.send((GET % 2)[10:])
        assert (await it.client.message()).body == b"/2"


async def test_an_answer_under_way_is_finished_first():
    go_on = trio.Event()

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": False})

    async with served(stream) as it:
        await it.client.send(GET % 1)
        await it.client.until(b"one")
        it.drain()
        go_on.set()
        await it.client.until(b"two\r\n0\r\n\r\n")
        assert await it.client.ended() == "fin"
        await it.is_over()


async def test_a_next_request_that_came_before_the_end_of_a_drained_answer_does_not_hang_the_connection():
    """Hypercorn's reader waits for ever here."""
    go_on = trio.Event()

    async def wait(scope, receive, send):
        await go_on.wait()
        await respond(send, scope["raw_path"])

    async with served(wait) as it:
        await it.client.send(GET % 1 + GET % 2)
        await wire.wait_until(lambda: it.connection._protocol.is_ahead)
        it.drain()
        go_on.set()
        assert (await it.client.message()).body == b"/1"
        await it.is_over()
