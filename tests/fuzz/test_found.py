"""Bodies and requests by which the mutator broke something, small and by name; each stays here once it is mended."""

import lab
import pytest
import trio.testing
import wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

BROKEN = [
    pytest.param(
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":{"a":1},"text":"x"}]}]}',
        id="a type that is an object",
    ),
]


@pytest.mark.parametrize("body", BROKEN)
async def test_a_body_the_provider_answers_is_no_error_of_ours(body):
    async def answer(peer, number):
        while True:
            await peer.message()
            await peer.send(OK)

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(
            b"POST /v1/messages HTTP/1.1\r\nHost: h.localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        reply = await client.message()
        await client.close()
    assert (reply.status, front.app.statistics().defects) == (200, 0)


# Requests


@pytest.mark.parametrize("method", [b"get", b"pOST", b"head", b"connect"])
async def test_a_method_in_small_letters_leaves_as_it_came(method):
    seen = []

    async def answer(peer, number):
        while True:
            seen.append(await peer.message())
            await peer.send(OK)

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(method + b" /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reply = await client.message()
        await client.close()
        await wire.wait_until(lambda: front.recorder.closed)
    assert [message.start for message in seen] == [method + b" /v1/models HTTP/1.1"]
    assert (reply.status, reply.body) == (200, b"ok")
    assert front.recorder.opened[0].method == method.decode()


@pytest.mark.parametrize("origin", [b"", b"Sec-Fetch-Site: cross-site\r\n"], ids=["passed on", "refused"])
@pytest.mark.parametrize("upgrade", [b"", b"Upgrade: h2c\r\nUpgrade: h2c\r\n"], ids=["plain", "upgrade"])
async def test_a_body_without_a_length_behind_a_last_request_takes_nothing_from_its_answer(upgrade, origin):
    async def answer(peer, number):
        while True:
            await peer.message()
            await trio.testing.wait_all_tasks_blocked()
            await peer.send(OK)

    async with wire.provider(answer) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + upgrade + origin + b"\r\n"
        await client.send(head + b'{"contents":[')
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"x" * 35_000)
        reply = await client.message()
        assert await client.ended() == "fin"
        await client.close()
    assert reply.status == (403 if origin else 200)
    assert reply.body
