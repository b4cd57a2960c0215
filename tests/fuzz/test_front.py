"""Hostile input through the whole service: no crash, no error of ours where a direct call is answered, bounded memory.

A failure names seed and number; `hostile(seed, number)` gives the bytes again.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
import wire

from tests.fuzz import duel
from tests.fuzz.duel import Outcome, Told, judged
from tests.fuzz.mutator import Hostile
from tests.journeys.service import eventually, service
from tokenpak.config.paths import paths_for

SEED = int(os.environ.get("TOKENPAK_FUZZ_SEED", "20261128"))
AT_ONCE = 24
WATCHED = ("front", "worker", "writer", "control")
MIB = 1024 * 1024

MAY_GROW = 200 * MIB
"""What all processes together may have grown by at the end. Plans are remembered up to 64 MiB, twice while they are written
anew; each conversation of a case is another one. A leak of 4 KiB a request would be 400 MiB."""

PLAIN = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: k\r\nContent-Length: %d\r\n\r\n%s"
BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}'


def memory(running):
    """Resident bytes of each program, its processes together."""
    return {word: sum(process.memory_info().rss for process in running.named(word)) for word in WATCHED}


def alive(running):
    return {(process.pid, process.create_time()) for word in WATCHED for process in running.named(word)}


async def still_answers(port):
    client = await wire.connect(port)
    await client.send(PLAIN % (len(BODY), BODY))
    reply = await client.message()
    await client.close()
    return reply.status


def statistics(running):
    for slot in (1, 2):
        transport = httpx.HTTPTransport(uds=str(paths_for(running.state).front_sock(slot)))
        client = httpx.Client(transport=transport, base_url="http://front")
        with client, contextlib.suppress(httpx.TransportError):
            return client.get("/statistics").json()
    raise AssertionError("no slot answers")


@contextlib.contextmanager
def tolerant_provider():
    """The port it listens on."""
    program = Path(__file__).with_name("tolerant_provider.py")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as running:
        try:
            yield int(json.loads(running.stdout.readline())["url"].rpartition(":")[2])
        finally:
            running.kill()


def fought(tmp_path, count, steps):
    """Fight `count` cases in so many steps; outcome and memory at each step. Both are printed, whatever is found."""
    outcome, grown, began = Outcome(), [], time.monotonic()
    with tolerant_provider() as direct, service(tmp_path, f"http://127.0.0.1:{direct}") as running:
        eventually("two workers", lambda: len(running.named("worker")) == 2)
        assert trio.run(still_answers, running.port) == 200
        before = alive(running)
        for step in range(steps):
            numbers = range(count * step // steps, count * (step + 1) // steps)
            trio.run(duel.rounds, SEED, numbers, (direct, running.port), AT_ONCE, outcome)
            grown.append(memory(running))
        assert alive(running) == before, "a process of ours ended"
        assert trio.run(still_answers, running.port) == 200
        found = statistics(running)
        failed = [
            line
            for log in (running.state / "logs").glob("*.log")
            for line in log.read_text().splitlines()
            if "error" in line
        ]
    print(f"\n{count:,} cases of seed {SEED} in {time.monotonic() - began:.0f} s")
    for kind, times in sorted(outcome.kinds.items()):
        print(f"{times:7d}  {kind}")
    for step, held in enumerate(grown, 1):
        print(f"{step * count // steps:7d} ", {word: size // MIB for word, size in held.items()}, "MiB")
    assert failed == []
    assert outcome.done == count
    assert not outcome.wrong, outcome.wrong[:20]
    assert found["app"]["defects"] == 0
    assert found["app"]["under_way"] == 0
    return outcome, grown


def test_five_hundred_hostile_requests(tmp_path):
    outcome, _ = fought(tmp_path, 500, 1)
    assert sum(count for kind, count in outcome.kinds.items() if "as direct" in kind) > 200


@pytest.mark.long
def test_a_hundred_thousand_hostile_requests(tmp_path):
    _, grown = fought(tmp_path, 100_000, 20)
    whole = [sum(found.values()) for found in grown]
    assert max(whole) - whole[0] < MAY_GROW


# The judge


@pytest.mark.parametrize(
    ("reach", "front", "direct", "is_wrong"),
    [
        ("whole", Told(200), Told(200), False),
        ("whole", Told(400), Told(200), True),
        ("whole", Told(None), Told(200), True),
        ("whole", Told(None), Told(None), False),
        ("whole", Told(400, ours=True), Told(200), False),
        ("whole", Told(502, ours=True), Told(400), True),
        ("whole", Told(500, ours=True), Told(200), True),
        ("whole", Told(502, ours=True), Told(None), False),
        ("part", Told(None), Told(None), False),
        ("none", Told(400, ours=True), Told(None), False),
    ],
)
def test_what_is_wrong(reach, front, direct, is_wrong):
    assert (judged(reach, front, direct)[1] is not None) == is_wrong


async def test_the_patience_is_that_of_the_case_however_long_one_look_at_the_network_takes(monkeypatch):
    monkeypatch.setattr(wire, "PATIENCE_S", 0)

    async def answer(peer, number):
        await peer.stream.receive_some(65536)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await peer.send(b"HTTP/1.1 299 Late\r\nContent-Length: 2\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked(0.01)
        await peer.send(b"ok")

    case = Hostile(PLAIN % (len(BODY), BODY), b"POST", "nothing")
    async with wire.provider(answer) as provider:
        assert await duel.told(provider.port, case, whole=True) == Told(299)
        monkeypatch.setattr(duel, "PATIENCE_S", 0)
        with pytest.raises(trio.TooSlowError):
            await duel.told(provider.port, case, whole=True)
