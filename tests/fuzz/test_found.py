"""Bodies by which the mutator broke something, small and by name; each stays here once it is mended."""

import lab
import pytest
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
