"""Whoever is slow makes the other side wait: what is on its way stays in sockets, and never piles up in the front."""

from contextlib import asynccontextmanager

import lab
import trio
import wire

WHOLE = 64 * 2**20
"""Bytes. Far more than all the sockets on the way hold together, which Linux lets grow to some 6 MiB each."""
PIECE = b"x" * 2**16


@asynccontextmanager
async def connected(port):
    """A client that is closed whatever happens: a write to one that takes nothing is shielded, and would outlast the test."""
    client = await wire.connect(port)
    try:
        yield client
    finally:
        with trio.CancelScope(shield=True):
            await client.close()


async def until_it_stands_still(counted):
    """Return what is counted once it has not grown for a while."""
    with trio.fail_after(wire.PATIENCE_S * 2):
        before, since = -1, trio.current_time()
        while trio.current_time() - since < 0.3:
            if counted() != before:
                before, since = counted(), trio.current_time()
            await trio.sleep(0.01)
    return before


async def test_a_client_that_reads_late_holds_its_provider_back_and_gets_everything():
    sent = []

    async def answer(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % WHOLE)
        for _ in range(WHOLE // len(PIECE)):
            await peer.send(PIECE)
            sent.append(len(PIECE))

    async with wire.provider(answer) as provider, lab.front(provider.url) as front, connected(front.port) as client:
        await client.send(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.head())[0] == b"HTTP/1.1 200 OK"
        await wire.wait_until(lambda: sent)
        held = await until_it_stands_still(lambda: sum(sent))
        assert 0 < held < WHOLE // 2
        left = WHOLE - len(client.rest)
        while left > 0:
            left -= len(await client.more())
            client.rest = b""
        assert left == 0


async def test_a_provider_that_reads_late_holds_its_client_back_and_gets_everything():
    read_on, sent, got = trio.Event(), [], []

    async def answer(peer, number):
        await peer.head()
        got.append(len(peer.rest))
        await read_on.wait()
        while sum(got) < WHOLE:
            got.append(len(await peer.more()))
            peer.rest = b""
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with wire.provider(answer) as provider, lab.front(provider.url) as front, connected(front.port) as client:

        async def upload():
            await client.send(b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % WHOLE)
            for _ in range(WHOLE // len(PIECE)):
                await client.send(PIECE)
                sent.append(len(PIECE))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(upload)
            await wire.wait_until(lambda: got and sent)
            held = await until_it_stands_still(lambda: sum(sent))
            assert 0 < held < WHOLE // 2
            read_on.set()
        assert (await client.message()).body == b"ok"
        assert sum(got) == WHOLE
