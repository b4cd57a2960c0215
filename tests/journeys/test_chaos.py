"""Everything at once for ten minutes: 200 streams, and every second something of the service is killed, stopped, starved or
restarted, its configuration broken, its clock set. What may not happen: an error that an agent sees, a request without its
row, a tree that grows.

A killed front is the one exception, and it is counted exactly. It is held still before it dies, so that the connections it
has accepted can be listed by the clients' ports; whatever an agent notices must have happened on one of those. A connection
refused has no port and is never excused, nor is one that was still waiting on the open socket. Of the requests on those
connections some had a row already, which ends as `interrupted`, and some were not yet told of; no other may lack its row.

The clock is set without the product knowing: tests/journeys/stepped holds a `sitecustomize` that every Python process of the
service imports first, supervisord included, because PYTHONPATH is handed down; it adds the seconds that stand in a file to
every wall clock. Forwards and backwards by an hour, and to just before midnight, which then passes.
"""

import contextlib
import os
import random
import resource
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import trio

from tests.journeys.service import Configured, eventually, provider
from tests.journeys.storm import Noticed, converse, storm, turns

SECONDS = float(os.environ.get("TOKENPAK_CHAOS_S") or 600)
AGENTS = 200
SMALL = 4096
"""Bytes that a file may have while a disk is full."""
MIB = 1024 * 1024
HOUR_S = 3600
STEPPED = Path(__file__).parent / "stepped"
KEPT = 70
"""Descriptors that may stay open in peace: the front keeps 64 idle connections to the provider."""

DRAIN_S = 50
"""What a drain does not end in this time it cuts, as it should: longer than any stream takes on a machine with much to do,
and shorter than an agent waits.
"""
CONFIG = """
drain_s = {drain_s}
[upstreams]
anthropic = "{url}"
openai = "{url}"
"""


class Death(NamedTuple):
    """A front that was killed: when, by `time.monotonic`, and the ports of the clients it was connected with."""

    at: float
    ports: frozenset[int]


class Chaos:
    """Acts on a running service; whatever is stopped, starved or set is let go again."""

    def __init__(self, running, config, clock, seed):
        self._running, self._config, self._whole, self._clock = running, config, config.read_text(), clock
        self._rng = random.Random(seed)
        self.done, self.deaths, self.offsets = Counter(), [], set()

    async def once(self):
        acts = (self._kill, self._kill, self._stop, self._fill_disk, self._restart, self._restart_front, self._break)
        act = self._rng.choice((*acts, self._kill_front, self._set_clock))
        name = self._rng.choice(["worker", "worker", "writer", "control"])
        self.done[act.__name__.strip("_")] += 1
        await act(name)

    def end(self):
        for process in self._running.tree():
            self._quietly(process.resume)
        self._step(0)

    async def _kill(self, name):
        for process in self._running.named(name):
            self._quietly(process.kill)

    async def _kill_front(self, _name):
        """One that serves, or drains. Held still first: what it accepted until then is all it will ever have."""
        fronts = self._running.named("front")
        with contextlib.suppress(psutil.Error):
            front = self._rng.choice(fronts or [None])
            if front is None:
                return
            front.suspend()
            held = lambda: front.status() == psutil.STATUS_STOPPED  # noqa: E731 - it is asked for in a thread
            await trio.to_thread.run_sync(eventually, "a front held still", held)
            found = front.net_connections("tcp")
            ports = {one.raddr.port for one in found if one.raddr and one.laddr.port == self._running.port}
            self.deaths.append(Death(time.monotonic(), frozenset(ports)))
            front.kill()

    async def _set_clock(self, _name):
        now = datetime.now().astimezone()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        self._step(self._rng.choice((HOUR_S, -HOUR_S, (midnight - now).total_seconds() - 1)))

    def _step(self, seconds):
        self.offsets.add(seconds)
        scratch = self._clock.with_suffix(".new")
        scratch.write_text(str(seconds))
        scratch.replace(self._clock)

    async def _stop(self, name):
        stopped = self._running.named(self._rng.choice([name, "front"]))
        for process in stopped:
            self._quietly(process.suspend)
        await trio.sleep(2)
        for process in stopped:
            self._quietly(process.resume)

    async def _fill_disk(self, _name):
        """No file of the writer may grow for a while."""
        for process in self._running.named("writer"):
            self._quietly(
                lambda process=process: process.rlimit(resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
            )
        await trio.sleep(2)
        for process in self._running.named("writer"):
            whole = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            self._quietly(lambda process=process, whole=whole: process.rlimit(resource.RLIMIT_FSIZE, whole))

    async def _restart(self, name):
        await self._ctl("restart", name)

    async def _restart_front(self, _name):
        assert (await self._ctl("restart", "front")).returncode == 0

    async def _break(self, _name):
        """A configuration that cannot be used is refused, and what runs goes on."""
        self._config.write_text("colour = 1\n")
        assert (await self._ctl("reload")).returncode != 0
        self._config.write_text(self._whole)

    async def _ctl(self, *words):
        return await trio.to_thread.run_sync(lambda: self._running.ctl(*words))

    @staticmethod
    def _quietly(act):
        with contextlib.suppress(psutil.Error):
            act()


def stepped(clock):
    """The environment of programs whose wall clocks are as many seconds ahead as stand in this file."""
    places = filter(None, (str(STEPPED), os.environ.get("PYTHONPATH")))
    return {"PYTHONPATH": os.pathsep.join(places), "STEPPED_CLOCK": str(clock)}


class Size(NamedTuple):
    """MiB and descriptors of a whole tree, and its zombies."""

    mib: int
    descriptors: int
    zombies: tuple[int, ...]


def measure(running):
    size, descriptors, zombies = 0, 0, ()
    for process in running.tree():
        try:
            size += process.memory_info().rss
            descriptors += process.num_fds()
            zombies += (process.pid,) if process.status() == psutil.STATUS_ZOMBIE else ()
        except psutil.Error:
            continue
    return Size(size // MIB, descriptors, zombies)


def at_rest(running):
    """The size of the tree once every process is there, and there once, and none is a zombie."""

    def whole():
        counts = [len(running.named(name)) for name in ("front", "worker", "writer", "control")]
        size = measure(running)
        return counts == [1, 2, 1, 1] and not size.zombies and size

    return eventually("a whole tree without zombies", whole, 30)


def costs(chaos, noticed):
    """The breaks that killed fronts account for, and all the others that an agent would have called an error."""
    own, others = [], []
    for one in noticed.breaks:
        if any(one.port in death.ports and one.opened_at <= death.at <= one.at for death in chaos.deaths):
            own.append(one)
        elif not one.again:
            others.append(one)
    return own, others


@pytest.mark.long
def test_ten_minutes_of_everything(tmp_path):
    config, clock = tmp_path / "config.toml", tmp_path / "clock"
    noticed = Noticed()
    with provider(tmp_path, "--pieces", "20", "--interval-ms", "10") as upstream:
        config.write_text(CONFIG.format(url=upstream.url, drain_s=DRAIN_S))
        running = Configured(tmp_path / "state", config, stepped(clock))
        try:
            chaos = Chaos(running, config, clock, seed=6)
            still, sizes = at_rest(running), []
            began_ns = time.time_ns()

            async def main():
                until = trio.Event()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(storm, running.port, AGENTS, until, noticed)
                    began = trio.current_time()
                    while trio.current_time() - began < SECONDS:
                        await chaos.once()
                        await trio.sleep(1)
                        sizes.append(measure(running))
                    chaos.end()
                    until.set()

            trio.run(main)
            own, others = costs(chaos, noticed)
            states = eventually("the end of every row", lambda: settled(running, noticed, len(own)), 60)
            quiet, third = at_rest(running), len(sizes) // 3
            first, last = (max(size.mib for size in part) for part in (sizes[: third + 1], sizes[-third - 1 :]))
            final = sum(not one.again for one in own)
            print(
                f"\n{noticed.sent} requests, rows {states}, {chaos.done.total()} acts {dict(chaos.done)}\n"
                f"{len(own)} of {sum(len(death.ports) for death in chaos.deaths)} connections of killed fronts broke in "
                f"a request, {final} of them errors; {noticed.sent - sum(states.values())} of those requests without a "
                f"row; {len(noticed.breaks) - len(own)} other requests sent again\n"
                f"before {still}, after {quiet}; most MiB in the first third {first}, in the last {last}"
            )
            assert not others
            assert sum(noticed.errors.values()) == final, noticed.errors
            assert noticed.sent == noticed.complete + len(noticed.breaks)
            assert set(states) <= {"done", "interrupted"}
            assert states.get("interrupted", 0) <= len(own)
            assert not chaos.done["kill_front"] or own
            was_set(running, chaos, began_ns)
            assert last < first * 1.25
            assert quiet.mib < still.mib * 1.25
            assert quiet.descriptors <= still.descriptors + KEPT
        finally:
            running.stop()


def settled(running, noticed, broken):
    """The rows by state, once none is open and none is missing but of requests a killed front had not told of."""
    states = dict(running.rows("state, count(*)", "1 group by state"))
    return "open" not in states and 0 <= noticed.sent - sum(states.values()) <= broken and states


def was_set(running, chaos, began_ns):
    """The steps were seen where rows are made."""
    ((earliest, latest, days),) = running.rows(
        "min(opened_ns), max(opened_ns), count(distinct date(opened_ns / 1000000000, 'unixepoch', 'localtime'))"
    )
    hour_ns = HOUR_S * 1_000_000_000
    assert HOUR_S not in chaos.offsets or latest >= began_ns + hour_ns
    assert -HOUR_S not in chaos.offsets or earliest <= time.time_ns() - hour_ns
    assert days > 1 or chaos.offsets <= {0, HOUR_S, -HOUR_S}


@pytest.mark.long
def test_a_clock_set_forward_while_a_front_drains_cuts_no_stream(tmp_path):
    """supervisord has its own patience with a front that it stops; an hour that did not pass does not use it up."""
    config, clock = tmp_path / "config.toml", tmp_path / "clock"
    clock.write_text("0")
    with provider(tmp_path, "--pieces", "200", "--interval-ms", "100") as upstream:
        config.write_text(CONFIG.format(url=upstream.url, drain_s=DRAIN_S))
        running = Configured(tmp_path / "state", config, stepped(clock))
        log = running.state / "logs" / "supervisord.log"

        def waits():
            return log.read_text().count("waiting for front_01 to stop")

        async def main():
            noticed = Noticed()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(converse, running.port, turns("drained", 20, 1), noticed)
                await trio.to_thread.run_sync(eventually, "a request under way", lambda: running.rows("id"))
                nursery.start_soon(trio.to_thread.run_sync, lambda: running.ctl("restart", "front"))
                await trio.to_thread.run_sync(eventually, "a drain", waits)
                clock.write_text(str(HOUR_S))
            return noticed

        try:
            noticed = trio.run(main)
            assert waits() > 1
            assert (noticed.complete, dict(noticed.errors)) == (1, {})
        finally:
            running.stop()
