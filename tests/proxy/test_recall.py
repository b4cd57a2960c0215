"""Answers given again, as an exchange meets them: a real cache over real connections, the provider is bytes."""

import gzip
import json
import time

import lab
import pytest
import trio
import wire

from tests.proxy.test_exchange import http, ok
from tokenpak.config.paths import paths_for
from tokenpak.core.recall import Bounds
from tokenpak.core.redaction_terms import Policy, Terms
from tokenpak.core.rules import Rule
from tokenpak.proxy import recall
from tokenpak.services.redaction import Redaction
from tokenpak.services.response_cache import ResponseCache

MODEL = "claude-sonnet-4-5"
BODY = json.dumps({"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}).encode()
USAGE = {"input_tokens": 1000, "output_tokens": 100}
COST = 1000 * 3_000 + 100 * 15_000
ANSWER = json.dumps({"type": "message", "model": MODEL, "content": [], "usage": USAGE}).encode()
EVENTS = [
    b'event: message_start\ndata: {"type":"message_start","message":{"model":"' + MODEL.encode() + b'","usage":'
    b'{"input_tokens":1000,"output_tokens":1}}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":100}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]
STREAM = (
    b"HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nDate: now\r\n"
    b"request-id: theirs\r\nset-cookie: a=b\r\nX-Odd: kept\r\n\r\n"
    + b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in EVENTS)
    + b"0\r\n\r\n"
)


class Provider:
    """Answers all requests alike; `answers` says how, if it differs; `gate` holds them back;
    after request number `ends` it hangs up."""

    def __init__(self, answer=ok(ANSWER)):  # noqa: B008 bytes
        self.answer, self.answers = answer, []
        self.seen = []
        self.gate = None
        self.ends = 0

    async def __call__(self, peer, number):
        while True:
            self.seen.append(await peer.message())
            if self.gate is not None:
                await self.gate.wait()
            await peer.send(self.answers.pop(0) if self.answers else self.answer)
            if self.ends == len(self.seen):
                return


def post(body=BODY, *lines, path="/v1/messages"):
    return http(f"POST {path} HTTP/1.1", body, "x-api-key: one", "Content-Type: application/json", *lines)


class Lab:
    def __init__(self, provider, front):
        self.provider, self.front = provider, front

    async def ask(self, request=None):
        """The answer to a request, and its row's end."""
        before = len(self.front.recorder.closed)
        client = await wire.connect(self.front.port)
        await client.send(request or post())
        reply = await client.message()
        await client.close()
        await wire.wait_until(lambda: len(self.front.recorder.closed) > before)
        return reply, self.front.recorder.closed[-1]

    async def twice(self, first=None, second=None):
        """Both answers and rows, and how many requests the provider saw."""
        one = await self.ask(first)
        return one, await self.ask(second or first), len(self.provider.seen)


@pytest.fixture
async def it(tmp_path, request):
    """A front whose rules are `request.param`, by default the one that turns the cache on."""
    marker = request.node.get_closest_marker("parametrize")
    rules = getattr(request, "param", (Rule(response_cache=True),)) if marker else (Rule(response_cache=True),)
    provider = Provider()
    cache = ResponseCache(rules, Bounds(max_entry_bytes=4096), paths_for(tmp_path), time.time_ns)
    async with wire.provider(provider) as there, lab.front(there.url, responses=cache) as front:
        yield Lab(provider, front)


async def test_a_hit_says_the_same_and_asks_nobody(it):
    (one, first), (two, second), asked = await it.twice()
    assert asked == 1
    assert (two.start, two.body) == (one.start, ANSWER)
    assert two.value("content-type") == b"application/json"
    assert two.value("content-length") == b"%d" % len(ANSWER)
    assert 0 <= int(two.value("age")) < 60
    origins = [reply.value("x-tokenpak-cache-origin") for reply in (one, two)]
    assert origins == [b"unknown", b"proxy"]
    assert (first.cache_origin, first.cost_nanos, first.attempts) == (None, COST, 1)
    assert (second.state, second.status, second.attempts, second.bytes_after) == ("done", 200, 0, None)
    assert (second.cache_origin, second.cost_nanos, second.usage_basis) == ("proxy", 0, None)
    assert (second.usage.uncached, second.usage.output) == (None, None)
    assert (second.bytes_before, second.bytes_response) == (len(BODY), len(ANSWER))
    assert (second.compression, second.reason, second.model_served) == ("unread", "recalled", MODEL)
    (line,) = second.savings
    assert (line.cause, line.mechanism, line.basis) == ("proxy", "response_cache", "provider")
    assert (line.tokens, line.nanos, line.spread_nanos) == (1100, COST, 0)
    assert it.front.recorder.opened[-1].model_asked == MODEL


async def test_the_look_into_the_cache_is_part_of_what_a_request_waits_for_us(it, monkeypatch):
    find = it.front.responses.find

    async def late(ticket):
        await trio.sleep(0.05)
        return await find(ticket)

    monkeypatch.setattr(it.front.responses, "find", late)
    _, row = await it.ask()
    assert row.added_ms >= 50


async def test_the_identity_of_a_hit_is_its_own(it):
    await it.ask(post(BODY, "X-TokenPak-Request-Id: mine-1"))
    reply, _ = await it.ask(post(BODY, "X-TokenPak-Request-Id: mine-2"))
    assert reply.values("x-tokenpak-request-id") == [b"mine-2"]
    assert len(it.provider.seen) == 1


async def test_a_stream_is_given_again_as_it_came_without_what_was_true_of_it_alone(it):
    it.provider.answer = STREAM
    (one, _), (two, row), asked = await it.twice()
    assert asked == 1
    assert (two.start, two.body) == (one.start, b"".join(EVENTS))
    assert two.chunks == EVENTS
    assert (two.value("x-odd"), two.value("content-type")) == (b"kept", b"text/event-stream")
    for name in ("request-id", "set-cookie", "content-length"):
        assert two.values(name) == []
    assert b"now" not in two.values("date")
    assert row.savings[0].nanos == COST


async def test_without_a_rule_nothing_is_kept(tmp_path):
    provider = Provider()
    async with wire.provider(provider) as there, lab.front(there.url) as front:
        (_, _), (reply, row), asked = await Lab(provider, front).twice()
    assert (asked, row.cache_origin, row.savings) == (2, None, ())
    assert reply.value("x-tokenpak-cache-origin") == b"unknown"


@pytest.mark.parametrize(
    "other",
    [
        http("POST /v1/messages HTTP/1.1", BODY, "x-api-key: two", "Content-Type: application/json"),
        http("POST /v1/messages HTTP/1.1", BODY, "Content-Type: application/json"),
        post(BODY, "anthropic-beta: x"),
        post(BODY + b" "),
        post(BODY, path="/v1/messages?beta=true"),
        post(BODY, path="/openai/v1/messages"),
        post(BODY, "Cache-Control: no-cache"),
        post(BODY, "Cache-Control: no-store"),
        post(BODY, path="/v1/messages/count_tokens"),
    ],
)
async def test_another_request_is_another_request(it, other):
    _, (_, row), asked = await it.twice(post(), other)
    assert (asked, row.cache_origin) == (2, None)


async def test_no_cache_brings_a_new_answer_for_all(it):
    newer = ANSWER.replace(b'"content": []', b'"content": [1]')
    it.provider.answers = [ok(ANSWER), ok(newer)]
    await it.ask()
    assert (await it.ask(post(BODY, "Cache-Control: no-cache")))[0].body == newer
    assert (await it.ask())[0].body == newer
    assert len(it.provider.seen) == 2


@pytest.mark.parametrize(
    "answer",
    [
        ok(ANSWER).replace(b"200 OK", b"529 Busy", 1),
        ok(b'{"type":"error","error":{"type":"overloaded_error","message":"no"}}'),
        STREAM.replace(b"message_stop", b"message_stay"),
        ok(ANSWER, "application/json\r\nCache-Control: no-store"),
        ok(ANSWER[:-1] + b" " * 5000 + b"}"),
        ok(b"<html>all is well</html>", "text/html"),
    ],
    ids=["busy", "an error", "no end", "no-store", "too large", "no answer at all"],
)
async def test_what_is_no_whole_answer_is_asked_for_again(it, answer):
    it.provider.answer = answer
    _, (_, row), asked = await it.twice()
    assert (asked, row.cache_origin) == (2, None)


async def test_an_answer_that_broke_off_is_not_kept(it):
    it.provider.answers = [ok(ANSWER)[:-5]]
    it.provider.ends = 1
    client = await wire.connect(it.front.port)
    await client.send(post())
    with pytest.raises(wire.Broken):
        await client.message()
    await client.close()
    await wire.wait_until(lambda: it.front.recorder.closed)
    assert it.front.recorder.closed[0].state == "upstream_failed"
    assert (await it.ask())[1].cache_origin is None
    assert (await it.ask())[1].cache_origin == "proxy"


async def test_a_coded_answer_and_a_coded_request_are_kept_as_they_are(it):
    packed = gzip.compress(ANSWER)
    it.provider.answer = ok(packed, "application/json\r\nContent-Encoding: gzip")
    request = post(gzip.compress(BODY, mtime=0), "Content-Encoding: gzip", "Accept-Encoding: gzip")
    _, (reply, row), asked = await it.twice(request)
    assert (asked, reply.body, reply.value("content-encoding")) == (1, packed, b"gzip")
    assert (row.savings[0].tokens, row.bytes_before) == (1100, len(gzip.compress(BODY, mtime=0)))


async def test_embeddings_are_kept_too(it):
    reply = json.dumps({"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 7}}).encode()
    it.provider.answer = ok(reply)
    _, (two, row), asked = await it.twice(post(b'{"model":"e","input":"x"}', path="/v1/embeddings"))
    assert (asked, two.body, row.cache_origin) == (1, reply, "proxy")


async def test_other_paths_are_not(it):
    assert (await it.twice(post(b'{"model":"e"}', path="/v1/completions")))[2] == 2


async def test_a_large_upload_without_a_format_goes_on_as_ever(it):
    body = b'{"model":"e","input":"' + b"x" * 2**20 + b'"}'
    await it.ask(post(body, path="/v1/embeddings"))
    assert it.provider.seen[0].body == body


@pytest.mark.parametrize(
    "it", [(Rule(response_cache=True), Rule(model="claude-*", response_cache=False))], indirect=True
)
async def test_a_rule_for_the_model_turns_it_off(it):
    assert (await it.twice())[2] == 2


SINGLE = (Rule(response_cache=True, single_flight=True),)


@pytest.mark.parametrize("it", [SINGLE], indirect=True)
async def test_the_same_at_the_same_time_is_asked_once(it):
    it.provider.gate, replies = trio.Event(), []

    async def ask():
        replies.append(await it.ask())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await wire.wait_until(lambda: it.front.responses.statistics()["waited"] == 4)
        it.provider.gate.set()
    assert len(it.provider.seen) == 1
    assert [reply.body for reply, _ in replies] == [ANSWER] * 5
    await wire.wait_until(lambda: len(it.front.recorder.closed) == 5)
    rows = it.front.recorder.closed
    assert sorted(row.cache_origin or "" for row in rows) == ["", *["proxy"] * 4]
    assert sum(row.cost_nanos for row in rows) == COST


@pytest.mark.parametrize("it", [SINGLE], indirect=True)
async def test_when_the_first_ones_client_leaves_the_others_go_on_by_themselves(it):
    it.provider.gate, replies = trio.Event(), []

    async def ask():
        replies.append(await it.ask())

    leader = await wire.connect(it.front.port)
    await leader.send(post())
    await wire.wait_until(lambda: len(it.provider.seen) == 1)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(ask)
        await wire.wait_until(lambda: it.front.responses.statistics()["waited"] == 2)
        await leader.close()
        await wire.wait_until(lambda: len(it.provider.seen) == 3)
        it.provider.gate.set()
    assert [reply.body for reply, _ in replies] == [ANSWER] * 2


async def test_a_secret_is_searched_for_only_where_something_leaves(tmp_path):
    """What is redacted on its way out is one request for the cache: the one the client sent."""
    cache = ResponseCache((Rule(response_cache=True),), Bounds(), paths_for(tmp_path), time.time_ns)
    redaction = Redaction(Policy(Terms(secrets="redact")), tmp_path / "key")
    provider = Provider()
    async with wire.provider(provider) as there, lab.front(there.url, responses=cache, redaction=redaction) as front:
        assert (await Lab(provider, front).twice())[2] == 1


async def test_a_stop_in_the_middle_of_a_hit_is_told_once_and_in_its_own_format(it, monkeypatch):
    it.provider.answer = STREAM
    await it.ask()
    given = recall._Pieces.__anext__

    async def first_alone(pieces):
        if it.front.app.statistics().under_way and getattr(pieces, "begun", False):
            await trio.sleep_forever()
        pieces.begun = True
        return await given(pieces)

    monkeypatch.setattr(recall._Pieces, "__anext__", first_alone)
    client = await wire.connect(it.front.port)
    await client.send(post())
    await client.until(EVENTS[0])
    it.front.app.stop()
    await client.until(b"event: error\n")
    with pytest.raises(wire.Broken) as broken:
        await client.until(b"never")
    assert b"HTTP/1.1" not in broken.value.args[0]
    await client.close()
    await wire.wait_until(lambda: len(it.front.recorder.closed) == 2)
    row = it.front.recorder.closed[1]
    assert (row.error_code, row.cache_origin, row.cost_nanos, row.savings) == ("stopping", "proxy", 0, ())
