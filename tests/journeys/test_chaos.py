"""Everything at once for ten minutes: 200 streams, and every second something of the service is killed, stopped, starved or
restarted. What may not happen: an error that an agent sees, a request without its row, a tree that grows.

A killed front is not among it: it costs its own streams, which tests/journeys/test_failures.py tells apart.
"""

import contextlib
import os
import random
import resource

import psutil
import pytest
import trio

from tests.journeys.service import Configured, eventually, provider
from tests.journeys.storm import Noticed, storm

SECONDS = float(os.environ.get("TOKENPAK_CHAOS_S") or 600)
AGENTS = 200
SMALL = 4096
"""Bytes that a file may have while a disk is full."""
MIB = 1024 * 1024
CONFIG = """
drain_s = 15
[upstreams]
anthropic = "{url}"
openai = "{url}"
"""


class Chaos:
    """Acts on a running service; whatever is stopped or starved is let go again."""

    def __init__(self, running, config, seed):
        self._running, self._config, self._whole = running, config, config.read_text()
        self._rng = random.Random(seed)
        self.done = []

    async def once(self):
        acts = (self._kill, self._kill, self._stop, self._fill_disk, self._restart, self._restart_front, self._break)
        act = self._rng.choice(acts)
        name = self._rng.choice(["worker", "worker", "writer", "control"])
        self.done.append(f"{act.__name__.strip('_')} {name}")
        await act(name)

    def end(self):
        for process in self._running.tree():
            self._quietly(process.resume)

    async def _kill(self, name):
        for process in self._running.named(name):
            self._quietly(process.kill)

    async def _stop(self, name):
        stopped = self._running.named(name)
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


def measure(running):
    """MiB and descriptors of the whole tree, and its zombies."""
    size = descriptors = 0
    zombies = []
    for process in running.tree():
        try:
            size += process.memory_info().rss
            descriptors += process.num_fds()
            zombies += [process.pid] if process.status() == psutil.STATUS_ZOMBIE else []
        except psutil.Error:
            continue
    return size // MIB, descriptors, zombies


@pytest.mark.long
def test_ten_minutes_of_everything(tmp_path):
    config = tmp_path / "config.toml"
    noticed = Noticed()
    with provider(tmp_path, "--pieces", "20", "--interval-ms", "10") as upstream:
        config.write_text(CONFIG.format(url=upstream.url))
        running = Configured(tmp_path / "state", config)
        try:
            chaos = Chaos(running, config, seed=6)
            first = last = None

            async def main():
                nonlocal first, last
                until = trio.Event()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(storm, running.port, AGENTS, until, noticed)
                    began = trio.current_time()
                    while trio.current_time() - began < SECONDS:
                        await chaos.once()
                        await trio.sleep(1)
                        if first is None and trio.current_time() - began > SECONDS / 4:
                            first = measure(running)
                    chaos.end()
                    last = measure(running)
                    until.set()

            trio.run(main)
            eventually("one row for each request", lambda: settled(running, noticed), 60)
            quiet = eventually("no zombies", lambda: not measure(running)[2] and measure(running), 30)
            counts = {
                word: sum(act.startswith(word) for act in chaos.done)
                for word in ("kill", "stop", "fill", "restart", "break")
            }
            print(
                f"{noticed.sent} requests, {len(chaos.done)} acts {counts}, first {first}, last {last}, quiet {quiet}"
            )
            assert not noticed.errors
            assert last[0] < first[0] * 1.25
            assert quiet[1] <= first[1]
        finally:
            running.stop()


def settled(running, noticed):
    states = dict(running.rows("state, count(*)", "1 group by state"))
    return sum(states.values()) == noticed.sent and "open" not in states
