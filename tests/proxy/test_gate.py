"""The gate over real connections: tokens, limits, and that nothing of either reaches a provider."""

import hashlib
import json

import lab
import pytest
import trio
import wire

from tokenpak.services.occupancy import Occupancy

TOKEN = "tpk-the-token-of-the-laptop"
TOKENS = {"laptop": hashlib.sha256(TOKEN.encode()).hexdigest(), "ci": hashlib.sha256(b"another").hexdigest()}
BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(*lines, path="/v1/messages"):
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "X-Api-Key: sk-ant-key", *lines, f"Content-Length: {len(BODY)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + BODY


class Echo:
    def __init__(self):
        self.seen = []

    async def __call__(self, peer, number):
        while True:
            self.seen.append(await peer.message())
            await peer.send(OK)


async def asked(front, request):
    client = await wire.connect(front.port)
    await client.send(request)
    reply = await client.message()
    await client.close()
    return reply


# Tokens


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("X-TokenPak-Token: tpk-another",),
        ("X-TokenPak-Token:",),
        (f"Authorization: Bearer {TOKEN}",),
        (f"X-Api-Key: {TOKEN}",),
        (f"X-TokenPak-Token: {TOKENS['laptop']}",),  # who has read the configuration has not got the token
        ("X-TokenPak-Token: wrong", f"X-TokenPak-Token: {TOKEN}"),
    ],
    ids=["none", "unknown", "empty", "authorization", "api key", "its hash", "the second of two"],
)
async def test_without_a_known_token_nothing_is_sent(lines):
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url, tokens=TOKENS) as front:
        reply = await asked(front, post(*lines))
        await wire.wait_until(lambda: front.recorder.closed)
    assert reply.status == 403
    assert json.loads(reply.body)["error"]["type"] == "permission_error"
    assert (echo.seen, provider.connections) == ([], 0)
    closed = front.recorder.closed[0]
    assert (closed.state, closed.error_code) == ("refused", "no_token")
    assert TOKEN not in repr(front.recorder.events)


async def test_a_known_token_comes_in_and_stays_here():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url, tokens=TOKENS) as front:
        reply = await asked(front, post(f"x-ToKenPak-Token: {TOKEN}"))
        await wire.wait_until(lambda: front.recorder.closed)
    assert reply.status == 200
    assert echo.seen[0].values("x-tokenpak-token") == []
    assert echo.seen[0].value("x-api-key") == b"sk-ant-key"
    assert TOKEN not in repr((echo.seen, reply, front.recorder.events))
    assert front.dispatch.parties == ["laptop"]


async def test_no_token_is_asked_for_unless_there_are_some():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        assert (await asked(front, post())).status == 200


async def test_health_needs_no_token():
    async with wire.provider(Echo()) as provider, lab.front(provider.url, tokens=TOKENS) as front:
        assert (await asked(front, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200


# Who takes turns


async def test_a_session_that_a_client_names_takes_turns_as_one():
    async with wire.provider(Echo()) as provider, lab.front(provider.url) as front:
        await asked(front, post("X-Claude-Code-Session-Id: s-1"))
        await asked(front, post())
    assert front.dispatch.parties == ["s-1", None]


# Limits


class Held:
    """A provider that answers when it is told to."""

    def __init__(self):
        self.go_on = trio.Event()
        self.asked = 0

    async def __call__(self, peer, number):
        while True:
            await peer.message()
            self.asked += 1
            await self.go_on.wait()
            await peer.send(OK)


SHAPES = {
    "/v1/messages": lambda body: body["error"]["type"] == "rate_limit_error",
    "/v1/chat/completions": lambda body: body["error"]["code"] == "tokenpak_too_many",
    "/v1beta/models/m:generateContent": lambda body: body["error"]["status"] == "RESOURCE_EXHAUSTED",
    "/api/chat": lambda body: body["error"].startswith("TokenPak: "),
}


@pytest.mark.parametrize("path", SHAPES)
async def test_one_request_too_many_is_told_when_to_come_again_in_its_providers_words(path):
    held = Held()
    async with (
        wire.provider(held) as provider,
        lab.front(provider.url, occupancy=Occupancy(1, None)) as front,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(asked, front, post("User-Agent: codex/1"))
        await wire.wait_until(lambda: held.asked == 1)
        reply = await asked(front, post("User-Agent: codex/1", path=path))
        assert (reply.status, reply.value("retry-after")) == (429, b"1")
        assert SHAPES[path](json.loads(reply.body))
        assert b"1 requests of this client" in reply.body
        nursery.start_soon(asked, front, post("User-Agent: aider/1"))
        await wire.wait_until(lambda: held.asked == 2)
        held.go_on.set()
    assert [closed.error_code for closed in front.recorder.closed].count("too_many") == 1
    assert front.occupancy.statistics().clients == 0


async def test_a_place_is_given_back_however_a_request_ends():
    async def rude(peer, number):
        await peer.message()
        peer.reset()

    one = Occupancy(1, 1)
    async with wire.provider(rude) as provider, lab.front(provider.url, occupancy=one) as front:
        for _ in range(3):
            assert (await asked(front, post("User-Agent: codex/1"))).status == 502
        client = await wire.connect(front.port)
        await client.send(post("User-Agent: codex/1")[:-10])
        await wire.wait_until(lambda: one.statistics().clients == 1)
        client.reset()
        await wire.wait_until(lambda: one.statistics().clients == 0)
        assert (await asked(front, post("User-Agent: codex/1"))).status == 502


async def test_a_session_has_a_limit_of_its_own():
    held = Held()
    lines = ("User-Agent: claude-cli/2", "X-Claude-Code-Session-Id: s-1")
    async with (
        wire.provider(held) as provider,
        lab.front(provider.url, occupancy=Occupancy(None, 1)) as front,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(asked, front, post(*lines))
        await wire.wait_until(lambda: held.asked == 1)
        assert (await asked(front, post(*lines))).status == 429
        nursery.start_soon(asked, front, post(lines[0], "X-Claude-Code-Session-Id: s-2"))
        await wire.wait_until(lambda: held.asked == 2)
        held.go_on.set()


async def test_a_token_names_the_client_whatever_it_claims_to_be():
    held = Held()
    async with (
        wire.provider(held) as provider,
        lab.front(provider.url, occupancy=Occupancy(1, None), tokens=TOKENS) as front,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(asked, front, post(f"X-TokenPak-Token: {TOKEN}", "User-Agent: codex/1"))
        await wire.wait_until(lambda: held.asked == 1)
        reply = await asked(front, post(f"X-TokenPak-Token: {TOKEN}", "User-Agent: aider/1"))
        assert reply.status == 429
        held.go_on.set()
