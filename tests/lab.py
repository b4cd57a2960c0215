"""A front inside the test's own event loop: real connections on both sides, stand-ins for dispatch and recorder."""

import itertools
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio

from tokenpak.config.paths import paths_for
from tokenpak.config.prices import in_force, shipped
from tokenpak.core.body import Unreadable, outline
from tokenpak.core.patch import Edit, Patch, Tally
from tokenpak.core.recall import Bounds
from tokenpak.core.redaction_terms import Policy
from tokenpak.core.splice import apply_edits
from tokenpak.ipc.events import RequestClosed, RequestOpened
from tokenpak.proxy.app import App
from tokenpak.proxy.room import Room
from tokenpak.proxy.server import Server, configuration
from tokenpak.services.accounts import Accounts
from tokenpak.services.budgets import Budgets
from tokenpak.services.dispatch import Compressed
from tokenpak.services.marks import CacheMarks
from tokenpak.services.occupancy import Occupancy
from tokenpak.services.redaction import Redaction
from tokenpak.services.response_cache import ResponseCache
from tokenpak.services.upstream import Upstream, base_of

PRICES = in_force(shipped(), {}, "2026-11-28")


class Dispatch:
    """Leaves bodies alone, or replaces the word in `edits` by its value wherever it stands first.

    cache_marks: may marks be placed in bodies that are left alone.
    """

    def __init__(self):
        self.edits = {}
        self.asked = []
        self.clients = []
        self.parties = []
        self.cache_marks = True
        self.echoes = []
        self.delay_s = 0

    async def compress(self, fmt, kind, body, client=None, party=None):
        self.asked.append((fmt, kind, body))
        self.clients.append(client)
        self.parties.append(party)
        await trio.sleep(self.delay_s)
        try:
            about = outline(fmt, body)
        except Unreadable as error:
            return Compressed(body, "unread", str(error))
        edits = tuple(
            Edit(body.index(a), body.index(a) + len(a), b, "test") for a, b in self.edits.items() if a in body
        )
        if not edits:
            return Compressed(body, "literal", "below_floor", outline=about, cache_marks=self.cache_marks)
        patch = Patch(edits, (), 0, b"p" * 16, (Tally("test", len(edits), 7),), {}, 1, "o200k_base")
        return Compressed(apply_edits(body, edits), "worker", None, patch, about, 1.5, 2.5)

    def echoed(self, session):
        self.echoes.append(session)


class Recorder:
    def __init__(self):
        self.events = []

    def record(self, event):
        self.events.append(event)

    @property
    def opened(self):
        return [event for event in self.events if isinstance(event, RequestOpened)]

    @property
    def closed(self):
        return [event for event in self.events if isinstance(event, RequestClosed)]


class Front:
    """app, server, upstream, marks: the real ones. dispatch (or one that is given), recorder: the stand-ins. port: where to
    connect.
    """

    def __init__(
        self, urls, read_cap, keep_alive_s, timeouts, *, budgets, redaction, dispatch, responses, occupancy, tokens
    ):
        self.dispatch = dispatch or Dispatch()
        self.marks = CacheMarks()
        self.recorder = Recorder()
        self.upstream = Upstream(timeouts)
        ids = (f"id-{number}" for number in itertools.count(1))
        self.accounts = Accounts(lambda: PRICES)
        self.budgets = budgets or Budgets((), lambda: PRICES, Path("unused"))
        self.redaction = redaction or Redaction(Policy(), Path("unused"))
        self.responses = responses or ResponseCache((), Bounds(), paths_for(Path("unused")), time.time_ns)
        self.occupancy = occupancy or Occupancy(None, None)
        self.room = Room(
            front="front",
            upstreams={name: base_of(url) for name, url in urls.items()},
            upstream=self.upstream,
            dispatch=self.dispatch,
            marks=self.marks,
            accounts=self.accounts,
            budgets=self.budgets,
            redaction=self.redaction,
            responses=self.responses,
            occupancy=self.occupancy,
            recorder=self.recorder,
            now_ns=time.time_ns,
            new_id=lambda: next(ids),
            read_cap=read_cap,
            tokens=tokens or {},
        )
        self.app = App(self.room)
        self.server = Server(self.app, configuration("127.0.0.1:0", keep_alive_s, 65536))
        self.over = trio.Event()
        self.port = 0

    async def run(self, task_status):
        await self.server.run(task_status=task_status)
        self.over.set()


NAMES = ("anthropic", "openai", "google", "ollama")


@asynccontextmanager
async def front(
    url,
    *,
    read_cap=2**20,
    keep_alive_s=60,
    timeouts=None,
    names=NAMES,
    budgets=None,
    redaction=None,
    dispatch=None,
    responses=None,
    occupancy=None,
    tokens=None,
):
    timeouts = timeouts or httpx.Timeout(5, connect=2)
    it = Front(
        dict.fromkeys(names, url),
        read_cap,
        keep_alive_s,
        timeouts,
        budgets=budgets,
        redaction=redaction,
        dispatch=dispatch,
        responses=responses,
        occupancy=occupancy,
        tokens=tokens,
    )
    try:
        async with trio.open_nursery() as nursery:
            (socket,) = await nursery.start(it.run)
            it.port = socket.getsockname()[1]
            yield it
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await it.upstream.aclose()
