"""One service shared by many agents: large bodies of one keep nobody else waiting, and five hundred streams at once."""

import hashlib
import itertools
import json
import os
import urllib.request

import psutil
import pytest
import trio

from tests.journeys.agents import Agent
from tests.journeys.service import Service, eventually, provider, service
from tests.journeys.storm import turns

PATH = "/v1/messages?beta=true"
GREED = 24
"""Large requests of one agent at a time."""

TOKEN = "tpk-" + "0123456789abcdef" * 2
MIB = 1024 * 1024


def told(upstream, **manner):
    """Tell the provider how to answer."""
    request = urllib.request.Request(upstream.url + "/__mock/manner", json.dumps(manner).encode())
    urllib.request.urlopen(request, timeout=5).close()


def large():
    """Two million bytes of a conversation; `@` stands where each has to be another one."""
    lines = "\n".join(f"@{n}: value_{n % 9973} = compute({n}, {n % 7})" for n in range(56_000))
    call = {"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "dump"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": lines}
    messages = [
        {"role": "user", "content": "go @"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    return json.dumps({"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": messages}).encode()


def test_small_jobs_of_one_agent_pass_the_large_ones_of_another(tmp_path):
    """The greedy one floods both workers with more than they can do; the other's jobs are answered by workers all along."""
    with provider(tmp_path) as upstream, service(tmp_path, upstream.url) as running:
        eventually("two workers", lambda: len(running.named("worker")) == 2)
        pattern, numbers = large(), itertools.count(1000)

        async def flood(over):
            async def one():
                agent = Agent(running.port)
                while not over.is_set():
                    body = pattern.replace(b"@", b"%d." % next(numbers))
                    assert len(body) > 2_000_000
                    await agent.post(PATH, body, {"x-claude-code-session-id": "greedy"})
                await agent.close()

            async with trio.open_nursery() as nursery:
                for _ in range(GREED):
                    nursery.start_soon(one)

        async def main():
            over, agent = trio.Event(), Agent(running.port)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(flood, over)
                await trio.to_thread.run_sync(lambda: eventually("the flood", lambda: len(running.rows("id")) > GREED))
                for body in turns("small", 80, 12):
                    reply = await agent.post(PATH, body, {"x-claude-code-session-id": "modest"})
                    assert (reply.status, reply.complete) == (200, True)
                over.set()
            await agent.close()

        trio.run(main)
        modest = eventually(
            "the rows of the small ones",
            lambda: (
                len(found := running.rows("compression, reason", "session = 'modest' and state = 'done'")) == 12
                and found
            ),
        )
        ways = [how for how, reason in modest if reason != "below_floor"]
        assert ways.count("worker") >= len(ways) - 1 > 5, modest


async def streams(port, count, sessions=64):
    """So many streams at once, each held open until all have begun: what each of them got."""
    replies = [None] * count

    async def one(number):
        agent = Agent(port, deadline_s=120)
        body = turns(f"s{number % sessions}", 20, 2)[number % 2]
        replies[number] = await agent.post(PATH, body, {"x-claude-code-session-id": f"s{number % sessions}"})
        await agent.close()

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return replies


def descriptors(processes):
    return {process.pid: process.num_fds() for process in processes}


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.long)])
def test_streams_at_once_are_all_complete(tmp_path, count):
    """Five hundred streams through one front: nothing is lost, nothing is left open. They last eighteen seconds, so that all are
    open at once on a busy machine, too.
    """
    with provider(tmp_path) as upstream, service(tmp_path, upstream.url) as running:
        told(upstream, pieces=30, interval_s=0.6 if count > 100 else 0.02)
        eventually("two workers", lambda: len(running.named("worker")) == 2)
        before, peak = descriptors(running.named("front")), {"streams": 0, "rss": 0, "fds": 0}

        async def watch():
            while True:
                fronts = [psutil.Process(process.pid) for process in running.named("front")]
                peak["rss"] = max(peak["rss"], *(process.memory_info().rss for process in fronts))
                peak["fds"] = max(peak["fds"], *(process.num_fds() for process in fronts))
                await trio.sleep(0.2)

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                replies = await streams(running.port, count)
                nursery.cancel_scope.cancel()
            return replies

        replies = trio.run(main)
        assert [reply.status for reply in replies] == [200] * count
        assert all(reply.complete for reply in replies)
        eventually("a row for each", lambda: len(running.rows("id", "state = 'done'")) == count)
        if count > 100:
            assert peak["fds"] > 2 * count  # they were open at the same time
        print(f"\n{count} streams: front at most {peak['rss'] // MIB} MiB, {peak['fds']} descriptors")
        assert peak["rss"] < 400 * MIB
        # 64 idle connections to the provider are kept
        eventually(
            "descriptors let go",
            lambda: all(now <= before[pid] + 70 for pid, now in descriptors(running.named("front")).items()),
        )


def test_tokens_and_limits_as_a_user_sets_them(tmp_path):
    """By variables of the launcher; no secret of theirs is anywhere but in the client."""
    state = tmp_path / "state"
    with provider(tmp_path) as upstream:
        told(upstream, pieces=20, interval_s=0.05)
        environ = {
            "TOKENPAK_TOKENS": f'{{laptop = "sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"}}',
            "TOKENPAK_REQUESTS_PER_SESSION": "1",
        }
        running = Service(state, {"anthropic": upstream.url}, environ=environ)
        try:
            body = turns("a", 5, 1)[0]

            async def main():
                agent = Agent(running.port)
                refused = await agent.post(PATH, body)
                assert (refused.status, b"x-tokenpak-token" in refused.body) == (403, True)
                lines = {"x-tokenpak-token": TOKEN, "x-claude-code-session-id": "one"}
                statuses = []

                async def ask():
                    other = Agent(running.port)
                    reply = await other.post(PATH, body, lines)
                    statuses.append((reply.status, reply.header(b"retry-after")))
                    await other.close()

                async with trio.open_nursery() as nursery:
                    for _ in range(4):
                        nursery.start_soon(ask)
                assert sorted(statuses) == [(200, None), *[(429, b"1")] * 3]
                await agent.close()

            trio.run(main)
            eventually("all rows", lambda: len(running.rows("id", "state != 'open'")) == 5)
            faults = running.rows("error_code, count(*)", "state = 'refused' group by error_code")
            assert dict(faults) == {"no_token": 1, "too_many": 3}
        finally:
            running.stop()
        held = [path for path in state.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        assert held == []
        assert TOKEN not in os.fsdecode(running.log.read_bytes())
