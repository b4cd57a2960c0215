"""Dispatch when things happen at once: several requests, several slots, workers that come late or fail in the middle."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from tests.core.contract import Words
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled
from tests.services.dispatching import (
    FOUR,
    GARBLED,
    LIMITS,
    LOW,
    THRICE,
    TWICE,
    Workers,
    edits,
    sent,
    stopped,
    working,
)
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format, Job
from tokenpak.services.compress import Compressor
from tokenpak.services.dispatch import Compressed, Dispatch, Limits
from tokenpak.services.memory import PlanMemory
from tokenpak.services.pool import Answer, Missed

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


@pytest.fixture
def dispatch(workers: Workers, memory: PlanMemory) -> Dispatch:
    return Dispatch(workers, memory, LIMITS)


# ---------------------------------------------------------------- two requests at once, two slots


async def test_the_quicker_of_two_requests_decides_for_both(dispatch: Dispatch, workers: Workers, autojump_clock: Any):
    """One is answered late with edits, the other not at all: both leave in the same form."""

    async def slow_then_missed(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        if len(workers.jobs) > 1:
            return Missed("deadline")
        await trio.sleep(1)
        return Answer(workers.compressor.run(job, body), 0.0, 0.0)

    workers.behaviour = slow_then_missed
    done: dict[str, Compressed] = {}

    async def send(name: str) -> None:
        done[name] = await sent(dispatch, THRICE)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, "slow")
        await trio.sleep(0.1)
        nursery.start_soon(send, "missed")
    assert done["missed"].body is THRICE
    assert (done["slow"].body is THRICE, done["slow"].how, done["slow"].reason) == (True, "literal", "overtaken")
    workers.behaviour = working
    assert len(edits(await sent(dispatch, FOUR))) == 1


async def test_a_slot_goes_on_with_what_another_sent(workers: Workers, memory: PlanMemory):
    slots = [Dispatch(workers, memory, LIMITS), Dispatch(Workers(), PlanMemory(memory._log._path, 2**20), LIMITS)]
    before: list[bytes] = []
    for n, body in enumerate((TWICE, THRICE, FOUR)):
        done = await sent(slots[n % 2], body)
        assert edits(done)[: len(before)] == before
        before = edits(done)
    assert len(before) == 3


# ---------------------------------------------------------------- beyond the window

TIGHT = Limits(LOW, window_tokens=500, patience_s=5.0)


async def test_beyond_the_window_a_new_conversation_waits_for_a_worker(
    workers: Workers, memory: PlanMemory, autojump_clock: Any
):
    assert len(TWICE) > TIGHT.window_tokens * 4

    async def late(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        return await working(job, body, workers) if trio.current_time() - began > 2 else Missed("no_worker")

    workers.behaviour, began = late, trio.current_time()
    done = await sent(Dispatch(workers, memory, TIGHT), TWICE)
    assert (done.how, len(edits(done))) == ("worker", 1)
    assert 2 <= trio.current_time() - began < 3


async def test_and_goes_flagged_when_none_comes(workers: Workers, memory: PlanMemory, autojump_clock: Any):
    workers.behaviour, began = stopped, trio.current_time()
    done = await sent(Dispatch(workers, memory, TIGHT), TWICE)
    assert (done.body is TWICE, done.how, done.reason) == (True, "literal", "beyond_window")
    assert trio.current_time() - began == pytest.approx(TIGHT.patience_s)


async def test_a_worker_that_never_answers_does_not_hold_it_longer(
    workers: Workers, memory: PlanMemory, autojump_clock: Any
):
    async def hangs(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        if len(workers.jobs) > 1:
            await trio.sleep_forever()
        return Missed("deadline")

    workers.behaviour, began = hangs, trio.current_time()
    done = await sent(Dispatch(workers, memory, TIGHT), TWICE)
    assert done.reason == "beyond_window"
    assert trio.current_time() - began == pytest.approx(TIGHT.patience_s)


async def test_garbled_answers_while_waiting_are_not_believed(
    workers: Workers, memory: PlanMemory, autojump_clock: Any
):
    async def garbled(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        if len(workers.jobs) == 1:
            return Missed("died")
        return Answer(GARBLED["check"](workers.compressor.run(job, body)), 0.0, 0.0)

    workers.behaviour = garbled
    dispatch = Dispatch(workers, memory, TIGHT)
    assert (await sent(dispatch, TWICE)).body is TWICE
    assert dispatch.statistics()["garbled"] > 10


async def test_with_a_plan_nobody_waits(workers: Workers, memory: PlanMemory, autojump_clock: Any):
    dispatch = Dispatch(workers, memory, TIGHT)
    await sent(dispatch, TWICE)
    workers.behaviour, began = stopped, trio.current_time()
    assert edits(await sent(dispatch, TWICE))
    assert trio.current_time() == began


async def test_a_stopped_conversation_stays_stopped_while_waiting(
    workers: Workers, memory: PlanMemory, autojump_clock: Any
):
    dispatch = Dispatch(workers, memory, TIGHT)
    session = (await sent(dispatch, TWICE, "count_tokens")).session
    assert session
    dispatch.echoed(session)

    async def late(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        return Missed("died") if len(workers.jobs) == 2 else await working(job, body, workers)

    workers.behaviour = late
    assert edits(await sent(dispatch, TWICE)) == []


# ---------------------------------------------------------------- whole sessions


@FORMATS
@pytest.mark.parametrize("seed", range(3))
async def test_whole_sessions_through_weak_workers_two_slots_and_restarts(fmt: Format, seed: int, tmp_path: Path):
    rng, session = Random(seed), agent_session(seed, 12)
    path = tmp_path / "plans"

    async def weak(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        match rng.randrange(6):
            case 0:
                return Missed("deadline")
            case 1:
                return Answer(GARBLED["check"](workers.compressor.run(job, body)), 0.0, 0.0)
            case 2:
                workers.compressor = Compressor(Words())
        return await working(job, body, workers)

    slots = [Dispatch(Workers(weak), PlanMemory(path, 2**20), LIMITS) for _ in range(2)]
    before: tuple[bytes, ...] = ()
    made = 0
    for count in session.turns():
        body = restyled(body_of(fmt, session, count), any_style(rng), rng)
        if rng.random() < 0.2:
            slots[rng.randrange(2)] = Dispatch(Workers(weak), PlanMemory(path, 2**20), LIMITS)
        if rng.random() < 0.2:
            await slots[rng.randrange(2)].compress(fmt, "count_tokens", body)
        done = await slots[rng.randrange(2)].compress(fmt, "messages", body)
        assert canonical(read(fmt, expand_body(fmt, done.body))) == canonical(read(fmt, body))
        now = canonical(read(fmt, done.body))
        assert now[: len(before)] == before
        before, made = now, len(edits(done))
    assert made
