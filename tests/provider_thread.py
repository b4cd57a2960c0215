"""A mock provider in a thread of its own, for tests of what is synchronous."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from tokenpak.mock_provider import server
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.server import Running


@contextmanager
def serving(provider: Provider) -> Iterator[Running]:
    """The provider on a free port of this machine."""
    ready, stop, running = threading.Event(), trio.Event(), {}

    async def serve():
        async with trio.open_nursery() as nursery:
            running["mock"] = await server.start(nursery, provider)
            running["token"] = trio.lowlevel.current_trio_token()
            ready.set()
            await stop.wait()
            nursery.cancel_scope.cancel()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(10)
    try:
        yield running["mock"]
    finally:
        running["token"].run_sync_soon(stop.set)
        thread.join(10)
