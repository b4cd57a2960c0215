"""A serving slot of the front: one trio process between clients and providers.

It listens on descriptor 0, which supervisord opened and the keeper holds open, says in its ready file that it accepts,
and answers for its statistics on a socket of its own. The order of ending is the point of this file:

1. The ready file goes, the port is let go (new connections wait in the kernel for the next slot), every response from
   now on says `connection: close`, idle connections end.
2. The drain ends with the last request, or at its bound. Then every request still under way is told in its own format.
3. What the recorder holds goes to the writer, or stays in the journal.
"""

import os
import resource
import signal
import sys
import time
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec
import trio

from tokenpak.config.settings import Settings, read_settings
from tokenpak.processes import lifecycle
from tokenpak.processes.lifecycle import SLOT_VARIABLE, Exit
from tokenpak.processes.logs import write_log_to_stderr
from tokenpak.proxy.app import App
from tokenpak.proxy.connection import Receive, Scope, Send
from tokenpak.proxy.room import Room
from tokenpak.proxy.server import Server, configuration
from tokenpak.services.accounts import Accounts
from tokenpak.services.budgets import Budgets
from tokenpak.services.dispatch import Dispatch, Limits
from tokenpak.services.learned_file import LearnedFile
from tokenpak.services.marks import CacheMarks
from tokenpak.services.memory import PlanMemory
from tokenpak.services.occupancy import Occupancy
from tokenpak.services.pool import WorkerPool
from tokenpak.services.prices import PricesInForce
from tokenpak.services.record import Recorder
from tokenpak.services.redaction import Redaction
from tokenpak.services.response_cache import ResponseCache
from tokenpak.services.upstream import Upstream, base_of, trust
from tokenpak.tip.errors import envelope
from tokenpak.tip.ids import RANDOM_BYTES, uuid7

FILES = 65536
"""Open files asked for: two a request, and shells often allow no more than 1024."""

LAST_WORDS_S = 1.5
"""From the bound of the drain until connections are cut whatever they still say."""

STATISTICS_IDLE_S = 5.0

WRITE_S = 60.0
"""How long a provider may take to take in one piece of a request body."""


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    settings = read_settings(os.environ)
    slot = int(os.environ[SLOT_VARIABLE])
    write_log_to_stderr()
    _allow_files()
    return trio.run(serve, settings, slot)


async def serve(settings: Settings, slot: int) -> Exit:
    """The life of the process, on descriptor 0."""
    identity = uuid4()
    responses = ResponseCache(settings.rules, settings.response_cache, settings.paths, time.time_ns)
    async with Recorder(settings.paths, identity.bytes) as recorder, WorkerPool(settings) as pool, responses:
        memory = PlanMemory(settings.paths.plans / "plans", settings.plan_memory_bytes)
        prices = PricesInForce(settings)
        accounts = Accounts(prices, file=LearnedFile(settings.paths.learned))
        dispatch = Dispatch(pool, memory, Limits(settings.terms, settings.rules), accounts.learned)
        upstream, marks = _upstream(settings), CacheMarks(prices=prices.of_marks)
        budgets = Budgets(settings.budgets, prices, settings.paths.spend)
        redaction = Redaction(settings.redaction, settings.paths.redaction_key)
        occupancy = Occupancy(settings.requests_per_client, settings.requests_per_session)
        room = Room(
            front=str(identity),
            upstreams={name: base_of(url) for name, url in settings.upstreams.items()},
            upstream=upstream,
            dispatch=dispatch,
            marks=marks,
            accounts=accounts,
            budgets=budgets,
            redaction=redaction,
            responses=responses,
            occupancy=occupancy,
            recorder=recorder,
            now_ns=time.time_ns,
            new_id=_new_id,
            read_cap=settings.read_cap_bytes,
            tokens=settings.tokens,
        )
        app = App(room)
        # a duplicate: descriptor 0 itself is let go by number when the drain begins
        listening = configuration(f"fd://{os.dup(0)}", settings.keep_alive_s, settings.header_limit_bytes)
        server = Server(app, listening)
        counted = {"server": server, "app": app, "upstream": upstream, "recorder": recorder, "dispatch": dispatch}
        counted |= {"marks": marks, "accounts": accounts, "budgets": budgets, "redaction": redaction, "pool": pool}
        counted |= {"responses": responses, "occupancy": occupancy}
        statistics = _Statistics(slot, counted)
        try:
            return await _Front(settings, slot, server, app).live(upstream, statistics)
        finally:
            accounts.close()
            with trio.CancelScope(shield=True):
                await upstream.aclose()


class _Front(NamedTuple):
    """What is told to begin, to drain and to end."""

    settings: Settings
    slot: int
    server: Server
    app: App

    async def live(self, upstream: Upstream, statistics: "_Statistics") -> Exit:
        """From the first connection to the last."""
        paths, over = self.settings.paths, trio.Event()
        own = configuration(f"unix:{paths.front_sock(self.slot)}", STATISTICS_IDLE_S, self.settings.header_limit_bytes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(upstream.sweep)
            await nursery.start(Server(statistics, own).run)
            await nursery.start(self._accept, over)
            try:
                async with trio.open_nursery() as waiting:
                    waiting.start_soon(self._say_ready)
                    await lifecycle.wait_for_stop()
                    waiting.cancel_scope.cancel()
            finally:
                lifecycle.unready(paths, self.slot)
            self.app.drain()
            self.server.drain()
            lifecycle.release_listener()
            result = await self._wind_down(over)
            nursery.cancel_scope.cancel()
        return result

    async def _say_ready(self) -> None:
        """Not before a stop signal would be heard: whoever reads that we are ready may send one at once."""
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            await trio.lowlevel.checkpoint()
        lifecycle.ready(self.settings.paths, self.slot)

    async def _accept(self, over: trio.Event, *, task_status: trio.TaskStatus[object]) -> None:
        await self.server.run(task_status=task_status)
        over.set()

    async def _wind_down(self, over: trio.Event) -> Exit:
        with trio.move_on_after(self.settings.drain_s):
            await over.wait()
            return Exit.DONE
        self.app.stop()
        with trio.move_on_after(LAST_WORDS_S):
            await over.wait()
        self.server.abort()
        return Exit.DRAIN_CUT


_NOTHING_ELSE = msgspec.json.encode(envelope("tip.protocol.unknown-method", "Nothing is here. Ask GET /statistics."))


class _Statistics:
    """The application behind a slot's own socket: what each part of the process counts, as one JSON object."""

    def __init__(self, slot: int, parts: dict[str, object]) -> None:
        self._slot = slot
        self._parts = parts
        self._began = time.monotonic()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        found = scope["raw_path"] == b"/statistics" and scope["method"] in {"GET", "HEAD"}
        body = self._report() if found else _NOTHING_ELSE
        lines = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": lines})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _report(self) -> bytes:
        counts = {name: part.statistics() for name, part in self._parts.items()}  # type: ignore[attr-defined]  # all have
        uptime = round(time.monotonic() - self._began, 1)
        return msgspec.json.encode({"slot": self._slot, "pid": os.getpid(), "uptime_s": uptime, **counts})


def _upstream(settings: Settings) -> Upstream:
    timeouts = httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s, write=WRITE_S)
    secure = any(urlsplit(url).scheme == "https" for url in settings.upstreams.values())
    # read now: at the first request it would stand in the way
    return Upstream(timeouts, trust() if secure else None)


def _new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, os.urandom(RANDOM_BYTES))


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
