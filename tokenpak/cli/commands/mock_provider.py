"""`tokenpak mock-provider`: the embedded provider on a port of this machine, until it is told to stop."""

import os
import signal
import sys
import time
from typing import Annotated, get_args

import msgspec
from cyclopts import Parameter

from tokenpak.cli.application import NOT_UNDERSTOOD
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Manner
from tokenpak.mock_provider.coding import Coding
from tokenpak.mock_provider.faults import AnyFault, BadFault, parse_words

NAMES = tuple(str(each.__struct_config__.tag) for each in get_args(AnyFault))


def mock_provider(
    *,
    port: int = 0,
    fault: Annotated[list[str] | None, Parameter(negative="", show_default=False, metavar="STR")] = None,
    pieces: int = 8,
    interval_ms: float = 0.0,
    think_ms: float = 0.0,
    coding: Coding = "identity",
) -> int:
    """Run the embedded provider, for trying things out.

    It answers as Anthropic and OpenAI would, with made-up text and usage from a prompt cache that is really kept. Listens on
    127.0.0.1 and prints one JSON line when it accepts connections. Stops on SIGTERM or Ctrl-C. What it received is at
    /__mock/log, faults are switched at /__mock/faults while it runs.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    fault
        A fault to start with, such as "refuse status=529 times=1", "cut at_byte=300", "stall at_byte=300 seconds=60",
        "slow seconds=2", "error_event after=2", "drop times=1". Write the option again for another.
    pieces
        Deltas in each stream.
    interval_ms
        Milliseconds between two events of a stream.
    think_ms
        Milliseconds before each reply.
    coding
        Content coding of replies, where the client accepts it.

    """
    try:
        faults = [parse_words(words) for words in fault or []]
    except BadFault as error:
        sys.stderr.write(f"tokenpak: --fault: {error}. Faults are {', '.join(NAMES)}.\n")
        return NOT_UNDERSTOOD
    return _serve(port, Manner(pieces, interval_ms / 1000, think_ms / 1000, coding), faults)


def _serve(port: int, manner: Manner, faults: list[AnyFault]) -> int:
    import trio

    try:
        trio.run(_until_told, port, Provider(time.monotonic, manner, faults))
    except OSError as error:
        sys.stderr.write(f"tokenpak: port {port}: {error.strerror or error}\n")
        return 1
    return 0


async def _until_told(port: int, provider: Provider) -> None:
    import trio

    from tokenpak.mock_provider.server import listen, serve_in

    listeners = await listen(port)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as told:
        async with trio.open_nursery() as nursery:
            running = await serve_in(nursery, provider, listeners)
            sys.stdout.write(ready_line(running.url, os.getpid()) + "\n")
            sys.stdout.flush()
            async for _ in told:
                nursery.cancel_scope.cancel()


def ready_line(url: str, pid: int) -> str:
    """What is printed once connections are accepted."""
    return msgspec.json.encode({"ready": True, "url": url, "pid": pid}).decode()
