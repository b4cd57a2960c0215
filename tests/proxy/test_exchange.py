"""The whole of an exchange over real connections; dispatch and recorder are stand-ins, the provider is bytes."""

import gzip
import json
import re

import brotli
import header_cases
import header_drive
import httpx
import lab
import pytest
import trio
import wire
import zstandard

from tests.core import agent_loop
from tokenpak.core.patch import Format
from tokenpak.ipc.events import PassTally
from tokenpak.proxy.exchange import fault_of

MESSAGE = {"model": "claude-x", "stream": False, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
BODY = json.dumps(MESSAGE).encode()
USAGE = {"input_tokens": 3, "output_tokens": 5}
REPLY = json.dumps(
    {"type": "message", "role": "assistant", "model": "claude-x-1", "content": [], "usage": USAGE}
).encode()


def http(start, body=b"", *lines):
    head = [start, "Host: localhost:8766", *lines]
    if body and not any("ransfer-" in line for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def post(body=BODY, *lines, path="/v1/messages"):
    return http(f"POST {path} HTTP/1.1", body, *lines)


def ok(body=REPLY, kind="application/json"):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Echo:
    """A provider that answers all requests alike and keeps them."""

    def __init__(self, answer=ok()):  # noqa: B008 bytes
        self.answer = answer
        self.seen = []

    async def __call__(self, peer, number):
        while True:
            self.seen.append(await peer.message())
            await peer.send(self.answer)


async def row(front):
    await wire.wait_until(lambda: front.recorder.closed)
    (opened,), (closed,) = front.recorder.opened, front.recorder.closed
    assert opened.id == closed.id
    assert front.recorder.events == [opened, closed]
    return opened, closed


async def asked(front, request, **reading):
    client = await wire.connect(front.port)
    await client.send(request)
    reply = await client.message(**reading)
    await client.close()
    return reply


# Header multiset


async def test_lines_pass_both_ways_in_all_odd_cases():
    script = header_drive.Script()
    async with wire.provider(script) as provider, lab.front(provider.url) as front:
        host = f"127.0.0.1:{provider.port}".encode()
        for case in header_cases.cases():
            try:
                await header_drive.drive(front.port, script, case, host)
            except (AssertionError, wire.Broken, trio.TooSlowError) as error:
                raise AssertionError(case.name) from error


def test_the_cases_are_many():
    header_drive.test_there_are_enough()


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "/v1//messages",
        "//v1/messages",
        "/v1/./messages/../x",
        "/v1/a%2Fb%20c?q=%26&q=a+b",
        "/v1/x?",
        "/v1/x??y=?",
        "/v1/;p=1/~'()",
    ],
)
async def test_the_path_arrives_as_its_bytes(path):
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url + "/base/") as front:
        await asked(front, post(path="/openai" + path))
    assert echo.seen[0].start == f"POST /base{path} HTTP/1.1".encode()


# The row


async def test_a_row_of_a_plain_request():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        await asked(
            front,
            post(BODY, "User-Agent: claude-cli/2", "X-Claude-Code-Session-Id: s-1", "X-TokenPak-Request-Id: mine"),
        )
        opened, closed = await row(front)
    assert (opened.front, opened.method, opened.path) == ("front", "POST", "/v1/messages")
    assert (opened.provider, opened.format) == ("anthropic", "anthropic")
    assert (opened.client, opened.session, opened.client_request_id) == ("claude-code", "s-1", "mine")
    assert (opened.model_asked, opened.stream) == ("claude-x", False)
    assert (closed.state, closed.status, closed.error_code, closed.attempts) == ("done", 200, None, 1)
    assert (closed.model_served, closed.usage.uncached, closed.usage.output) == ("claude-x-1", 3, 5)
    assert closed.usage_basis == "provider"
    assert (closed.bytes_before, closed.bytes_after, closed.bytes_response) == (len(BODY), len(BODY), len(REPLY))
    assert (closed.compression, closed.reason, closed.passes) == ("literal", "below_floor", {})
    for value in (closed.first_byte_ms, closed.total_ms, closed.added_ms):
        assert 0 <= value < 5000
    assert closed.added_ms <= closed.total_ms


async def test_the_clients_own_id_is_echoed_and_ours_is_made():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        theirs = await asked(front, post(BODY, "x-tokenpak-request-id: same"))
        again = await asked(front, post(BODY, "x-tokenpak-request-id: same"))
        ours = await asked(front, post())
        await wire.wait_until(lambda: len(front.recorder.closed) == 3)
    assert theirs.value("x-tokenpak-request-id") == again.value("x-tokenpak-request-id") == b"same"
    assert ours.value("x-tokenpak-request-id") == b"id-3"
    assert [event.id for event in front.recorder.opened] == ["id-1", "id-2", "id-3"]
    assert ours.value("x-tokenpak-cache-origin") == b"unknown"


async def test_an_unread_request_has_a_row_too():
    async with wire.provider(Echo(ok(b"[]"))) as provider, lab.front(provider.url) as front:
        await asked(front, http("GET /v1/models HTTP/1.1"))
        opened, closed = await row(front)
    assert (opened.provider, opened.format, opened.model_asked) == ("openai", None, None)
    assert (closed.state, closed.compression, closed.reason) == ("done", "unread", None)
    assert (closed.bytes_before, closed.bytes_after, closed.bytes_response) == (0, 0, 2)
    assert front.dispatch.asked == []


# Compression


@pytest.mark.parametrize(
    ("path", "fmt", "kind"),
    [
        ("/v1/messages?beta=true", Format.ANTHROPIC, "messages"),
        ("/v1/messages/count_tokens", Format.ANTHROPIC, "count_tokens"),
        ("/v1/chat/completions", Format.OPENAI_CHAT, "chat"),
        ("/v1/responses", Format.OPENAI_RESPONSES, "responses"),
    ],
)
async def test_bodies_that_are_read_go_to_dispatch(path, fmt, kind):
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        await asked(front, post(path=path))
    assert front.dispatch.asked == [(fmt, kind, BODY)]


async def test_an_edited_body_goes_out_with_its_new_length():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        front.dispatch.edits = {b"hello": b"[hi]"}
        await asked(front, post())
        _, closed = await row(front)
    sent = BODY.replace(b"hello", b"[hi]")
    assert echo.seen[0].body == sent
    assert echo.seen[0].value("content-length") == b"%d" % len(sent)
    assert (closed.compression, closed.bytes_before, closed.bytes_after) == ("worker", len(BODY), len(sent))
    assert closed.passes["test"].saved == 7
    assert (closed.counter, closed.plan_hash, closed.defects) == ("o200k_base", (b"p" * 16).hex(), 1)
    assert (closed.queue_ms, closed.worker_ms) == (1.5, 2.5)


async def test_an_edited_chunked_body_stays_chunked():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        front.dispatch.edits = {b"hello": b"[hi]"}
        _, chunks = header_cases.framed("chunked", BODY)
        await asked(front, http("POST /v1/messages HTTP/1.1", chunks, "Transfer-Encoding: chunked"))
    assert echo.seen[0].value("transfer-encoding") == b"chunked"
    assert echo.seen[0].values("content-length") == []
    assert echo.seen[0].body == BODY.replace(b"hello", b"[hi]")


CODINGS = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_coded_body_is_read_and_passes_as_it_was(coding):
    echo, body = Echo(), CODINGS[coding](BODY)
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        await asked(front, post(body, f"Content-Encoding: {coding}"))
        _, closed = await row(front)
    assert front.dispatch.asked[0][2] == BODY
    assert echo.seen[0].body == body
    assert echo.seen[0].value("content-encoding") == coding.encode()
    assert (closed.bytes_before, closed.bytes_after) == (len(body), len(body))


@pytest.mark.parametrize("coding", CODINGS)
async def test_an_edited_coded_body_goes_out_plain(coding):
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        front.dispatch.edits = {b"hello": b"[hi]"}
        await asked(front, post(CODINGS[coding](BODY), f"Content-Encoding: {coding}"))
    sent = BODY.replace(b"hello", b"[hi]")
    assert (echo.seen[0].body, echo.seen[0].values("content-encoding")) == (sent, [])
    assert echo.seen[0].value("content-length") == b"%d" % len(sent)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"not gzip", "gzip"),
        (gzip.compress(b"0" * 3_000_000), "gzip"),
        (BODY, "sdch"),
        (gzip.compress(BODY)[:-9], "gzip"),
    ],
    ids=["garbled", "bomb", "unknown", "cut"],
)
async def test_a_body_whose_coding_cannot_be_undone_passes_unread(body, coding):
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        await asked(front, post(body, f"Content-Encoding: {coding}"))
        _, closed = await row(front)
    assert (echo.seen[0].body, echo.seen[0].value("content-encoding")) == (body, coding.encode())
    assert (closed.compression, closed.reason, front.dispatch.asked) == ("unread", "coded", [])


@pytest.mark.parametrize("frame", ["length", "chunked"])
async def test_a_body_beyond_the_cap_streams_through_unread(frame):
    echo, body = Echo(), BODY + b" " * 200_000
    lines, coded = header_cases.framed(frame, body)
    async with wire.provider(echo) as provider, lab.front(provider.url, read_cap=100_000) as front:
        await asked(
            front, header_cases.written(b"POST /v1/messages HTTP/1.1", [(b"Host", b"localhost"), *lines], coded)
        )
        _, closed = await row(front)
    assert echo.seen[0].body == body
    assert sorted(echo.seen[0].lines[1:]) == lines
    assert (closed.compression, closed.reason, closed.bytes_before) == ("unread", "too_large", len(body))
    assert closed.added_ms is None


async def test_an_unread_upload_arrives_while_it_is_sent():
    first, answered = trio.Event(), trio.Event()

    async def answer(peer, number):
        await peer.head()
        await peer.until(b"one")
        first.set()
        await peer.until(b"0\r\n\r\n")
        answered.set()
        await peer.send(ok())

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(http("POST /v1/files HTTP/1.1", b"", "Transfer-Encoding: chunked") + b"3\r\none\r\n")
        with trio.fail_after(5):
            await first.wait()
        assert not answered.is_set()
        await client.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert (await client.message()).status == 200
        await client.close()


async def test_request_trailers_are_dropped():
    echo = Echo()
    body = b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        await asked(front, http("POST /v1/files HTTP/1.1", body, "Transfer-Encoding: chunked", "Trailer: X-Sum"))
        await wire.wait_until(lambda: front.recorder.closed)
    assert (echo.seen[0].body, echo.seen[0].values("x-sum"), echo.seen[0].values("trailer")) == (b"abc", [], [])


async def test_an_expectation_is_answered_here():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(
            http("POST /v1/messages HTTP/1.1", b"", "Expect: 100-continue", f"Content-Length: {len(BODY)}")
        )
        assert (await client.head())[0].startswith(b"HTTP/1.1 100")
        assert not echo.seen
        await client.send(BODY)
        assert (await client.message()).body == REPLY
        await client.close()
    assert (echo.seen[0].body, echo.seen[0].values("expect")) == (BODY, [])


async def test_head_keeps_its_length():
    async with (
        wire.provider(Echo(b"HTTP/1.1 200 OK\r\nContent-Length: 4711\r\n\r\n")) as provider,
        lab.front(provider.url) as front,
    ):
        reply = await asked(front, http("HEAD / HTTP/1.1"), bodiless=True)
        await wire.wait_until(lambda: front.recorder.closed)
    assert reply.value("content-length") == b"4711"


# Cache marks


async def talked(front, echo, *bodies, path="/v1/messages", lines=()):
    """What arrives for the last of these requests, and its row."""
    for body in bodies:
        await asked(front, post(body, *lines, path=path))
    await wire.wait_until(lambda: len(front.recorder.closed) == len(bodies))
    return echo.seen[-1], front.recorder.closed[-1]


async def test_a_conversation_without_marks_gets_them_from_its_second_request_on():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        seen, closed = await talked(front, echo, agent_loop.plain(0), agent_loop.plain(1))
    assert echo.seen[0].body == agent_loop.plain(0)
    assert seen.body.count(b'"cache_control":{"type":"ephemeral"}') == 3
    assert json.loads(re.sub(rb',"cache_control":\{[^}]*\}', b"", seen.body)) == json.loads(agent_loop.plain(1))
    assert seen.value("content-length") == b"%d" % len(seen.body)
    assert (closed.bytes_before, closed.bytes_after) == (len(agent_loop.plain(1)), len(seen.body))
    assert closed.passes == {"cache-marks": PassTally(3, 0)}
    assert (closed.compression, closed.reason) == ("literal", "below_floor")
    assert front.recorder.closed[0].passes == {}


async def test_marks_are_put_on_the_body_as_sent():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        front.dispatch.edits = {b"Mend the parser.": b"[mend]"}
        seen, closed = await talked(front, echo, agent_loop.plain(0), agent_loop.plain(1))
    assert b"[mend]" in seen.body
    assert (closed.compression, closed.passes["test"].edits, closed.passes["cache-marks"].edits) == ("worker", 1, 3)


async def test_a_marked_coded_body_goes_out_plain():
    echo, packed = Echo(), [gzip.compress(agent_loop.plain(steps)) for steps in range(2)]
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        seen, _ = await talked(front, echo, *packed, lines=["Content-Encoding: gzip"])
    assert echo.seen[0].body == packed[0]
    assert b"cache_control" in seen.body
    assert seen.values("content-encoding") == []


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/messages/count_tokens", {}),
        ("/v1/messages", {"max_tokens": 0}),
        ("/acme/v1/messages", {}),
        ("/v1/chat/completions", {}),
    ],
    ids=["count", "pre-warm", "unknown host", "other format"],
)
async def test_where_no_marks_are_placed(path, more):
    echo, names = Echo(), (*lab.NAMES, "acme")
    bodies = [json.dumps({**json.loads(agent_loop.plain(steps)), **more}).encode() for steps in range(3)]
    async with wire.provider(echo) as provider, lab.front(provider.url, names=names) as front:
        seen, closed = await talked(front, echo, *bodies, path=path)
        counted = front.marks.statistics()["requests"]
    assert (seen.body, closed.passes, counted) == (bodies[-1], {}, 0)


async def test_rules_may_forbid_marks():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        front.dispatch.cache_marks = False
        seen, _ = await talked(front, echo, agent_loop.plain(0), agent_loop.plain(1))
    assert seen.body == agent_loop.plain(1)


async def test_dispatch_is_told_who_calls():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        await asked(front, post(BODY, "User-Agent: codex_cli_rs/1"))
    assert front.dispatch.clients == ["codex"]


# Responses


async def test_pieces_pass_as_they_come_and_the_first_is_not_kept_waiting():
    go_on = [trio.Event() for _ in range(3)]
    events = [b"event: a\ndata: 1\n\n", b"data: 2", b"\n\n"]

    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event, going in zip(events, go_on, strict=True):
            await going.wait()
            await peer.send(b"%x\r\n%s\r\n" % (len(event), event))
        await peer.send(b"0\r\n\r\n")

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        start, _ = await client.head()  # the head alone, before any event
        assert start == b"HTTP/1.1 200 OK"
        for event, going in zip(events, go_on, strict=True):
            going.set()
            size = int(await client.until(b"\r\n"), 16)
            assert await client.exactly(size + 2) == event + b"\r\n"
        assert await client.until(b"\r\n\r\n") == b"0"
        await client.close()


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_coded_responses_pass_as_they_came_and_are_read_beside(coding):
    body = CODINGS[coding](REPLY)
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with wire.provider(Echo(answer.encode() + body)) as provider, lab.front(provider.url) as front:
        reply = await asked(front, post())
        _, closed = await row(front)
    assert (reply.body, reply.value("content-encoding")) == (body, coding.encode())
    assert (closed.usage.output, closed.bytes_response) == (5, len(body))


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529])
async def test_errors_of_the_provider_pass_untouched(status):
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'
    answer = (
        f"HTTP/1.1 {status} So\r\nretry-after: 7999\r\nrequest-id: req_1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    async with wire.provider(Echo(answer)) as provider, lab.front(provider.url) as front:
        reply = await asked(front, post())
        _, closed = await row(front)
    assert (reply.start, reply.body) == (f"HTTP/1.1 {status} So".encode(), body)
    assert (reply.value("retry-after"), reply.value("request-id")) == (b"7999", b"req_1")
    assert (closed.state, closed.status, closed.error_code) == ("done", status, "overloaded_error")


async def test_an_echo_is_told_to_dispatch():
    says = b"[lines 1-9: same as in Read a.py #123456]"
    reply = json.dumps(
        {"type": "message", "content": [{"type": "text", "text": says.decode()}], "usage": USAGE}
    ).encode()
    async with wire.provider(Echo(ok(reply))) as provider, lab.front(provider.url) as front:
        await asked(front, post())
        await wire.wait_until(lambda: len(front.recorder.closed) == 1)
        assert front.dispatch.echoes == []  # without an edit there is nothing to echo
        front.dispatch.edits = {b"hello": b"[hi]"}
        await asked(front, post())
        await wire.wait_until(lambda: len(front.recorder.closed) == 2)
    assert len(front.dispatch.echoes) == 1
    assert [event.echo for event in front.recorder.closed] == [False, True]


# Refusals


@pytest.mark.parametrize(
    ("request_bytes", "status", "fault"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}", 403, "foreign_host"),
        (http("POST /v1/messages HTTP/1.1", b"{}", "Origin: https://evil.example"), 403, "foreign_origin"),
        (http("GET /nowhere HTTP/1.1"), 404, "unknown_path"),
        (http("GET http://api.openai.com/v1/models HTTP/1.1"), 400, "forward_proxy"),
        (
            http(
                "GET /v1/responses HTTP/1.1",
                b"",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
            426,
            "websocket",
        ),
        (http("GET /v1/responses HTTP/1.1", b"", "Connection: Upgrade", "Upgrade: websocket"), 426, "websocket"),
        (http("POST /v1/responses HTTP/1.1", b"{}", "Connection: x, upgrade", "Upgrade: WebSocket"), 426, "websocket"),
    ],
)
async def test_refused_before_any_provider_is_asked(request_bytes, status, fault):
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        for _ in range(2):  # the connection stays in order
            await client.send(request_bytes)
            reply = await client.message()
            assert reply.status == status
            assert b"TokenPak" in reply.body
            assert reply.value("x-tokenpak-profile") == b"tip-proxy"
        await wire.wait_until(lambda: len(front.recorder.closed) == 2)
        await client.close()
        assert provider.connections == 0
    closed = front.recorder.closed[0]
    assert (closed.state, closed.status, closed.error_code, closed.attempts) == ("refused", status, fault, 0)
    assert (closed.bytes_response, closed.first_byte_ms) == (None, None)


async def test_a_refused_upload_is_read_to_its_end():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        body = b"x" * 6_000_000
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, http("POST /nowhere HTTP/1.1", body))
            assert (await client.message()).status == 404
        await client.send(http("GET /nowhere HTTP/1.1"))
        assert (await client.message()).status == 404
        await client.close()


# Failures of the provider


async def test_nobody_there_is_502():
    async with wire.provider(Echo()) as provider:
        url = provider.url
    async with lab.front(url) as front:
        reply = await asked(front, post())
        _, closed = await row(front)
    assert (reply.status, json.loads(reply.body)["error"]["type"]) == (502, "api_error")
    assert url in json.loads(reply.body)["error"]["message"]
    assert (closed.state, closed.status, closed.error_code) == ("upstream_failed", 502, "upstream_unreachable")


async def test_silence_is_504_and_a_hang_up_502():
    async def silent(peer, number):
        await peer.message()
        await peer.more()

    async def hangs_up(peer, number):
        await peer.message()

    async with (
        wire.provider(silent) as provider,
        lab.front(provider.url, timeouts=httpx.Timeout(0.1, connect=5)) as front,
    ):
        assert (await asked(front, post())).status == 504
        assert (await row(front))[1].error_code == "upstream_silent"
    async with wire.provider(hangs_up) as provider, lab.front(provider.url) as front:
        assert (await asked(front, post())).status == 502
        assert (await row(front))[1].error_code == "upstream_broken"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 500\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_response_that_breaks_off_never_ends_well(head, version):
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + head)

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(http(f"POST /v1/messages HTTP/{version}", BODY))
        with pytest.raises((wire.Broken, trio.BrokenResourceError)):
            await client.message()
        await client.close()
        _, closed = await row(front)
    assert (closed.state, closed.status, closed.error_code) == ("upstream_failed", 200, "upstream_broken")
    assert closed.bytes_response == 2


async def test_a_provider_that_answers_before_the_upload_is_over():
    async def answer(peer, number):
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
        peer.stream.socket.shutdown(1)
        while await peer.more():
            pass

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, http("POST /v1/files HTTP/1.1", b"x" * 5_000_000))
            reply = await client.message()
        assert (reply.status, reply.body) == (413, b"no!")
        await client.close()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (httpx.PoolTimeout("x"), "busy"),
        (httpx.ConnectTimeout("x"), "upstream_unreachable"),
        (httpx.ConnectError("x"), "upstream_unreachable"),
        (httpx.ReadTimeout("x"), "upstream_silent"),
        (httpx.WriteTimeout("x"), "upstream_silent"),
        (httpx.RemoteProtocolError("x"), "upstream_broken"),
        (httpx.ReadError("x"), "upstream_broken"),
    ],
)
def test_fault_of(error, fault):
    assert fault_of(error) == fault


# Clients that leave


async def test_a_client_that_leaves_while_waiting_closes_the_upstream():
    arrived = trio.Event()

    async def answer(peer, number):
        await peer.message()
        arrived.set()
        await peer.ended()

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await arrived.wait()
        await client.close()
        await wire.wait_until(lambda: provider.closed == 1)
        _, closed = await row(front)
    assert (closed.state, closed.status, closed.attempts) == ("client_gone", None, 1)


@pytest.mark.parametrize("leave", ["close", "reset"])
async def test_a_client_that_leaves_in_mid_stream_closes_the_upstream(leave):
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        with trio.fail_after(5):
            while True:
                await peer.send(b"9\r\ndata: 1\n\n\r\n")
                await trio.sleep(0.002)

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await client.until(b"data: 1")
        if leave == "reset":
            client.reset()
        else:
            await client.close()
        await wire.wait_until(lambda: provider.closed == 1)
        _, closed = await row(front)
    assert (closed.state, closed.status) == ("client_gone", 200)
    assert closed.bytes_response > 0


async def test_a_client_that_leaves_during_compression_is_never_dispatched():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        front.dispatch.delay_s = 60
        client = await wire.connect(front.port)
        await client.send(post())
        await wire.wait_until(lambda: front.dispatch.asked)
        await client.close()
        _, closed = await row(front)
        assert provider.connections == 0
    assert (closed.state, closed.attempts) == ("client_gone", 0)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/files"])
async def test_a_client_that_leaves_during_its_upload(path):
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(http(f"POST {path} HTTP/1.1", b"", "Content-Length: 900000") + b"x" * 1000)
        await wire.wait_until(lambda: [exchange._body.size for exchange in front.app._under_way] == [1000])
        await client.close()
        _, closed = await row(front)
    assert (closed.state, closed.bytes_before) == ("client_gone", 1000)


async def test_a_client_that_leaves_after_its_upload_closes_the_upstream():
    async def answer(peer, number):
        await peer.message()
        arrived.set()
        await peer.ended()

    arrived = trio.Event()
    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(http("POST /v1/files HTTP/1.1", b"3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"))
        await arrived.wait()
        await client.close()
        await wire.wait_until(lambda: provider.closed == 1)
        assert (await row(front))[1].state == "client_gone"


async def test_a_client_that_leaves_while_its_upload_is_answered_already():
    class Endless(httpx.AsyncByteStream):
        is_closed = False

        def __aiter__(self):
            return self

        async def __anext__(self):
            await trio.sleep(0.002)
            return b"x"

        async def aclose(self):
            self.is_closed = True

    async def answer_early(request):
        return httpx.Response(200, stream=stream)

    stream = Endless()
    async with lab.front("http://127.0.0.1:1") as front:
        front.upstream.handle_async_request = answer_early
        client = await wire.connect(front.port)
        await client.send(http("POST /v1/files HTTP/1.1", b"3\r\nabc\r\n", "Transfer-Encoding: chunked"))
        await client.until(b"x")
        await client.close()
        await wire.wait_until(lambda: stream.is_closed)
        assert (await row(front))[1].state == "client_gone"


async def test_a_connection_serves_many_requests_and_pipelined_ones_in_order():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        for _ in range(3):
            await client.send(post())
            assert (await client.message()).body == REPLY
        await client.send(b"".join(http(f"GET /v1/x{number} HTTP/1.1") for number in range(5)))
        for _ in range(5):
            assert (await client.message()).status == 200
        await client.close()
    assert [seen.start.split()[1] for seen in echo.seen[3:]] == [b"/v1/x%d" % number for number in range(5)]


# The end of the process


async def streaming(peer, number):
    await peer.message()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    await peer.send(b"9\r\ndata: 1\n\n\r\n")
    await peer.ended()


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/v1/messages", b"event: error\ndata: {"),
        ("/v1/chat/completions", b'data: {"error":{'),
        ("/v1/responses", b'event: error\ndata: {"type":"error"'),
    ],
)
async def test_stopping_tells_a_stream_in_its_own_words_and_breaks_it_off(path, event):
    async with wire.provider(streaming) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post(path=path))
        await client.until(b"data: 1\n\n\r\n")
        front.app.stop()
        size = int(await client.until(b"\r\n"), 16)
        said = await client.exactly(size)
        assert said.startswith(event)
        assert said.endswith(b"}\n\n")
        assert json.loads(said.partition(b"data: ")[2])
        assert await client.exactly(2) == b"\r\n"
        with pytest.raises(wire.Broken):
            await client.until(b"0\r\n\r\n")
        await client.close()
        _, closed = await row(front)
        await wire.wait_until(lambda: provider.closed == 1)
    assert (closed.state, closed.error_code, closed.status) == ("interrupted", "stopping", 200)


async def test_stopping_inside_an_event_says_nothing():
    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await peer.send(b"9\r\ndata: abc\r\n")
        await peer.ended()

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await client.until(b"data: abc\r\n")
        front.app.stop()
        assert await client.ended() == "fin"
        await client.close()


async def test_stopping_answers_a_request_that_waits():
    async def answer(peer, number):
        await peer.message()
        await peer.ended()

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(post())
        await wire.wait_until(lambda: provider.connections)
        front.app.stop()
        reply = await client.message()
        assert (reply.status, json.loads(reply.body)["type"]) == (503, "error")
        await client.close()
        assert (await row(front))[1].state == "interrupted"
