"""The failure table of docs/architecture.md, row by row, under 200 concurrent streams of real processes.

What every row has in common: agents notice nothing they would not have noticed without us, and the store ends with one
row for each request that was sent.
"""

import base64
import contextlib
import json
import os
import random
import signal
import time
import urllib.request
from itertools import pairwise

import psutil
import pytest
import trio

from tests.journeys.agents import Agent, BrokenError
from tests.journeys.service import eventually, provider, service
from tests.journeys.storm import Noticed, converse, storm, turns
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format

AGENTS = 200
PATH = "/v1/messages?beta=true"


@pytest.fixture
def setting(tmp_path):
    """A provider that streams 20 pieces over a fifth of a second, and the service before it."""
    with provider(tmp_path) as upstream:
        told = json.dumps({"pieces": 20, "interval_s": 0.01}).encode()
        urllib.request.urlopen(urllib.request.Request(upstream.url + "/__mock/manner", told), timeout=5).close()
        with service(tmp_path, upstream.url) as running:
            eventually("both workers up", lambda: running.named("worker") and workers_up(running) == 2)
            yield upstream, running


def statistics(running):
    found = running.ctl("status", "--json")
    return json.loads(found.stdout)


def workers_up(running):
    text = json.dumps(statistics(running))
    return text.count('"up": true') or text.count('"up":true')


def under_load(running, work, agents=AGENTS, seconds=10.0):
    """What the agents noticed while `work(port)` went on."""
    noticed = Noticed()

    async def main():
        until = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storm, running.port, agents, until, noticed)
            await trio.sleep(1.0)
            with trio.move_on_after(seconds):
                await work()
            until.set()

    trio.run(main)
    return noticed


def rows_equal_requests(running, noticed):
    def settled():
        states = dict(running.rows("state, count(*)", "1 group by state"))
        return sum(states.values()) == noticed.sent and "open" not in states and states

    return eventually(f"{noticed.sent} closed rows", settled, 30)


@pytest.mark.parametrize("kills", [40, pytest.param(200, marks=pytest.mark.long)])
def test_workers_killed_all_the_time(setting, kills):
    """200 kills in a minute, and a shorter form of the same."""
    _, running = setting

    async def kill_on():
        for _ in range(kills):
            found = running.named("worker")
            if found:
                with_suppress(random.choice(found).kill)
            await trio.sleep(0.3)

    noticed = under_load(running, kill_on, seconds=75)
    assert not noticed.errors
    states = {p["name"]: p["state"] for p in statistics(running)["processes"] if p["name"].startswith("worker")}
    assert "FATAL" not in states.values()
    eventually("both workers up again", lambda: workers_up(running) == 2)
    assert set(rows_equal_requests(running, noticed)) == {"done"}


def with_suppress(action):
    with contextlib.suppress(psutil.NoSuchProcess):
        action()


def test_both_workers_stopped(setting):
    """SIGSTOP, which no exit tells: deadlines do. Everything goes on, literally or as planned."""
    _, running = setting
    stopped = running.named("worker")

    async def stop_them():
        for process in stopped:
            process.suspend()
        await trio.sleep(6)
        for process in stopped:
            with_suppress(process.resume)

    noticed = under_load(running, stop_them, agents=40, seconds=20)
    assert not noticed.errors
    assert set(rows_equal_requests(running, noticed)) == {"done"}


def test_writer_killed(setting):
    _, running = setting

    async def kill_on():
        for _ in range(5):
            for process in running.named("writer"):
                with_suppress(process.kill)
            await trio.sleep(1.5)

    noticed = under_load(running, kill_on)
    assert not noticed.errors
    assert set(rows_equal_requests(running, noticed)) == {"done"}


def test_control_killed(setting):
    _, running = setting

    async def kill_on():
        for process in running.named("control"):
            with_suppress(process.kill)
        await trio.sleep(3)

    noticed = under_load(running, kill_on, seconds=5)
    assert not noticed.errors
    eventually("control is back", lambda: running.named("control"))
    assert set(rows_equal_requests(running, noticed)) == {"done"}


@pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.long)])
def test_serving_slots_killed_again_and_again_refuse_no_connection(setting, kills):
    _, running = setting
    refused, probes = [], []

    async def probe(until):
        while not until.is_set():
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", running.port)
                await stream.aclose()
                probes.append(1)
            except OSError as error:
                refused.append(str(error))
            await trio.sleep(0.005)

    async def main():
        until = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(probe, until)
            for _ in range(kills):
                for process in running.named("front"):
                    with_suppress(process.kill)
                await trio.sleep(0.5)
            until.set()

    trio.run(main)
    assert not refused
    assert len(probes) > 20 * kills

    async def served():
        agent = Agent(running.port)
        reply = await agent.post(PATH, turns("after", 20, 1)[0])
        await agent.close()
        return reply

    assert trio.run(served).status == 200


def test_a_killed_front_fails_only_its_own_requests(setting):
    _, running = setting

    async def kill_once():
        for process in running.named("front"):
            with_suppress(process.kill)
        await trio.sleep(4)

    noticed = under_load(running, kill_once, seconds=8)
    assert 0 < sum(noticed.errors.values()) <= AGENTS
    states = rows_equal_requests_at_most(running, noticed)
    assert states["interrupted"] + states.get("client_gone", 0) <= AGENTS


def rows_equal_requests_at_most(running, noticed):
    """Requests that never reached a front, in the kernel's queue when it died, have no row; no other is missing."""

    def settled():
        states = dict(running.rows("state, count(*)", "1 group by state"))
        lost = noticed.sent - sum(states.values())
        return (
            "open" not in states and 0 <= lost <= sum(noticed.errors.values()) and states.get("interrupted") and states
        )

    return eventually("rows of all requests that were received", settled, 40)


def test_supervisord_killed(setting):
    _, running = setting
    before = {p.pid for p in running.tree()}
    supervisord = [p for p in running.tree() if any("supervisord" in a for a in p.cmdline())]
    assert supervisord
    os.kill(supervisord[0].pid, signal.SIGKILL)

    async def served():
        agent = Agent(running.port)
        try:
            return (await agent.post(PATH, turns("again", 20, 1)[0])).status
        except BrokenError:
            return None
        finally:
            await agent.close()

    eventually("up again", lambda: trio.run(served) == 200, 30)
    eventually("nothing of the old tree", lambda: not [pid for pid in before if alive(pid, supervisord[0].pid)], 30)
    assert len({p.pid for p in running.tree()} & before) <= 1


def alive(pid, supervisord):
    """Whether a process of the old tree still runs; the launcher, which has none of ours as parent, stays."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "tokenpak.processes.start" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def test_blue_green_restart_under_load(setting):
    _, running = setting

    async def restart():
        done = await trio.to_thread.run_sync(lambda: running.ctl("restart", "front"))
        assert done.returncode == 0, done.stderr

    noticed = under_load(running, restart, seconds=40)
    assert not noticed.errors
    assert set(rows_equal_requests(running, noticed)) == {"done"}


def test_prefix_kept_over_stopped_workers_swapped_slots_and_a_restart(setting, tmp_path):
    """One conversation: a turn with the workers stopped, a turn after the slots were swapped, a turn after all of it."""
    upstream, running = setting
    bodies = turns("steady", 700, 9)
    noticed = Noticed()

    def turn(number):
        trio.run(converse, running.port, [bodies[number]], noticed)

    for number in range(3):
        turn(number)
    stopped = running.named("worker")
    for process in stopped:
        process.suspend()
    turn(3)
    for process in stopped:
        process.resume()
    turn(4)
    assert running.ctl("restart", "front").returncode == 0
    turn(5)
    for process in running.named("worker"):
        process.kill()
    turn(6)
    eventually("both workers up again", lambda: workers_up(running) == 2)
    for number in (7, 8):
        turn(number)
    assert noticed.complete == len(bodies), noticed.errors
    sent = received(upstream)
    assert len(sent) == len(bodies)
    views = [canonical(read(Format.ANTHROPIC, raw)) for raw in sent]
    for one, following in pairwise(views):
        assert following[: len(one)] == one
    originals = [canonical(read(Format.ANTHROPIC, json.dumps(body).encode())) for body in bodies]
    assert [canonical(read(Format.ANTHROPIC, expand_body(Format.ANTHROPIC, raw))) for raw in sent] == originals
    assert sum(len(raw) for raw in sent) < 0.8 * sum(len(json.dumps(body)) for body in bodies)
    how = [row[0] for row in running.rows("compression", "1 order by opened_ns")]
    assert "planned" in how or "literal" in how[3:]


def received(upstream):
    """The bodies that the provider got, in order."""
    with urllib.request.urlopen(upstream.url + "/__mock/log?after=0", timeout=10) as reply:
        return [base64.b64decode(entry["body"]) for entry in json.load(reply)]


def test_idle_service_stops_within_two_seconds(setting):
    _, running = setting

    async def idle():
        agent = Agent(running.port)
        await agent.post(PATH, turns("idle", 20, 1)[0])
        started = time.monotonic()
        code = await trio.to_thread.run_sync(running.stop)
        await agent.close()
        return code, time.monotonic() - started

    code, seconds = trio.run(idle)
    assert code == 0
    assert seconds < 2.0
