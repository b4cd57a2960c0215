"""The front's side: whatever the workers do, the body that leaves is the one that was proved or planned."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import trio

from tests.core.contract import Words
from tests.core.sessions import agent_session, body_of
from tests.core.test_pipeline import BILLING, REPEATED, anthropic
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Change, Edit, Form, Format, Job, Patch
from tokenpak.core.splice import apply_edits
from tokenpak.services.compress import Compressor
from tokenpak.services.dispatch import Compressed, Dispatch, Limits
from tokenpak.services.memory import PlanMemory
from tokenpak.services.pool import Answer, Missed

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
LIMITS = Limits(floor_tokens=40)
Behaviour = Callable[[Job, bytes, "Workers"], Awaitable[Answer | Missed]]


async def working(job: Job, body: bytes, workers: "Workers") -> Answer | Missed:
    return Answer(workers.compressor.run(job, body), 1.0, 2.0)


async def stopped(job: Job, body: bytes, workers: "Workers") -> Answer | Missed:
    return Missed("no_worker")


class Workers:
    """A pool that behaves as the test says."""

    def __init__(self, behaviour: Behaviour = working) -> None:
        self.behaviour = behaviour
        self.compressor = Compressor(Words())
        self.jobs: list[Job] = []

    async def ask(self, job: Job, body: bytes, session: bytes) -> Answer | Missed:
        self.jobs.append(job)
        assert len(session) == 16
        return await self.behaviour(job, body, self)


@pytest.fixture
def memory(tmp_path: Path) -> PlanMemory:
    return PlanMemory(tmp_path / "plans", 2**20)


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def dispatch(workers: Workers, memory: PlanMemory) -> Dispatch:
    return Dispatch(workers, memory, LIMITS)


async def sent(dispatch: Dispatch, body: bytes, kind: str = "messages") -> Compressed:
    done = await dispatch.compress(Format.ANTHROPIC, kind, body)
    expanded = canonical(read(Format.ANTHROPIC, expand_body(Format.ANTHROPIC, done.body)))
    assert expanded == canonical(read(Format.ANTHROPIC, body))
    return done


TWICE, THRICE = anthropic(REPEATED, REPEATED), anthropic(REPEATED, REPEATED, REPEATED)
FOUR = anthropic(*[REPEATED] * 4)


def edits(done: Compressed) -> list[bytes]:
    return [edit.new for edit in done.patch.edits] if done.patch else []


async def test_a_workers_answer_is_used(dispatch: Dispatch, workers: Workers):
    done = await sent(dispatch, TWICE)
    assert (done.how, done.reason, done.queue_ms, done.worker_ms) == ("worker", None, 1.0, 2.0)
    assert len(done.body) < len(TWICE)
    assert done.patch
    assert done.body == apply_edits(TWICE, done.patch.edits)
    assert done.session == done.outline.family.hex() if done.outline else False
    assert workers.jobs[0].policy.floor_tokens == LIMITS.floor_tokens
    assert workers.jobs[0].forms == ()


async def test_the_forms_go_with_the_next_job(dispatch: Dispatch, workers: Workers, memory: PlanMemory):
    first = await sent(dispatch, TWICE)
    assert first.patch
    assert memory.forms(first.outline.family) == first.patch.forms  # type: ignore[union-attr]
    await sent(dispatch, THRICE)
    assert workers.jobs[1].forms == first.patch.forms


async def test_small_bodies_skip_the_pool(dispatch: Dispatch, workers: Workers, memory: PlanMemory):
    body = anthropic("x", "x")
    assert len(body) < 4 * 8192
    done = await Dispatch(workers, memory, Limits()).compress(Format.ANTHROPIC, "messages", body)
    assert (done.body is body, done.how, done.reason, done.patch) == (True, "literal", "below_floor", None)
    assert done.outline
    assert workers.jobs == []


async def test_a_small_body_with_a_plan_does_not(workers: Workers, memory: PlanMemory):
    """The floor was raised since: what was sent with edits goes on to be."""
    await sent(Dispatch(workers, memory, LIMITS), TWICE)
    done = await sent(Dispatch(workers, memory, Limits()), TWICE)
    assert edits(done)


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b'{"messages":1}', b'{"messages":[{"role":"user","content":"a","content":"b"}]}']
)
async def test_what_cannot_be_read_goes_as_it_is(dispatch: Dispatch, workers: Workers, body: bytes):
    done = await dispatch.compress(Format.ANTHROPIC, "messages", body)
    assert (done.body is body, done.how, done.patch, done.session) == (True, "unread", None, None)
    assert done.reason
    assert workers.jobs == []
    assert dispatch.statistics()["unread"] == 1


async def test_a_body_only_a_worker_finds_unreadable_goes_as_it_is(dispatch: Dispatch):
    body = TWICE[:-1] + b',"x":1,"x":2}'
    done = await dispatch.compress(Format.ANTHROPIC, "messages", body)
    assert done.body is body
    assert done.patch
    assert done.patch.reasons == {"duplicate_key": 1}


# ---------------------------------------------------------------- misses


@pytest.mark.parametrize("reason", ["no_worker", "deadline", "died", "busy", "garbled", "refused"])
async def test_a_miss_applies_the_plan_and_leaves_the_new_tail_literal_for_ever(
    dispatch: Dispatch, workers: Workers, reason: Any
):
    first = await sent(dispatch, TWICE)

    async def missed(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        return Missed(reason)

    workers.behaviour = missed
    second = await sent(dispatch, THRICE)
    assert (second.how, second.reason) == ("planned", reason)
    assert edits(second) == edits(first)
    workers.behaviour = working
    third = await sent(dispatch, FOUR)
    assert (third.how, len(edits(third))) == ("worker", 2)
    assert edits(third)[:1] == edits(first)
    assert dispatch.statistics()["missed"] == 1


async def test_a_new_conversation_without_workers_goes_byte_for_byte(dispatch: Dispatch, workers: Workers):
    workers.behaviour = stopped
    done = await sent(dispatch, TWICE)
    assert (done.body is TWICE, done.how, done.reason) == (True, "literal", "no_worker")
    workers.behaviour = working
    assert edits(await sent(dispatch, TWICE)) == []
    assert len(edits(await sent(dispatch, THRICE))) == 1


async def test_the_estimate_is_named_where_no_worker_counted(dispatch: Dispatch, workers: Workers):
    await sent(dispatch, TWICE)
    workers.behaviour = stopped
    done = await sent(dispatch, TWICE)
    assert done.patch
    assert done.patch.counter == "estimate"


# ---------------------------------------------------------------- answers that are wrong


def garble(patch: Patch, **changes: Any) -> Patch:
    return msgspec.structs.replace(patch, **changes)


def moved(patch: Patch, by: int) -> Patch:
    return garble(patch, edits=tuple(Edit(e.start + by, e.end + by, e.new, e.name) for e in patch.edits))


GARBLED: dict[str, Callable[[Patch], Patch]] = {
    "check": lambda patch: garble(patch, check=patch.check ^ 1),
    "moved": lambda patch: moved(patch, 1),
    "far": lambda patch: moved(patch, 10**6),
    "negative": lambda patch: moved(patch, -(10**6)),
    "other words": lambda patch: garble(
        patch, edits=tuple(Edit(e.start, e.end, b"x" * len(e.new), e.name) for e in patch.edits)
    ),
    "quote": lambda patch: garble(patch, edits=tuple(Edit(e.start, e.end, b'"', e.name) for e in patch.edits)),
    "twice": lambda patch: garble(patch, edits=patch.edits * 2),
    "none": lambda patch: garble(patch, edits=()),
}


@pytest.mark.parametrize("name", GARBLED)
async def test_a_garbled_patch_means_the_plan_and_is_counted(
    dispatch: Dispatch, workers: Workers, memory: PlanMemory, name: str
):
    first = await sent(dispatch, TWICE)

    async def garbled(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        return Answer(GARBLED[name](workers.compressor.run(job, body)), 0.0, 0.0)

    workers.behaviour = garbled
    done = await sent(dispatch, FOUR)
    assert (done.how, done.reason) == ("planned", "garbled")
    assert edits(done) == edits(first)
    assert dispatch.statistics()["garbled"] == 1
    assert len(memory.forms(done.outline.family)) == 4  # type: ignore[union-attr]
    workers.behaviour = working
    assert edits(await sent(dispatch, FOUR)) == edits(first)


async def test_defects_that_workers_report_are_counted(dispatch: Dispatch, workers: Workers):
    async def defective(job: Job, body: bytes, workers: Workers) -> Answer | Missed:
        return Answer(garble(workers.compressor.run(job, body), defects=3), 0.0, 0.0)

    workers.behaviour = defective
    await sent(dispatch, TWICE)
    assert dispatch.statistics()["defects"] == 3


async def test_a_plan_that_does_not_fit_means_the_original(dispatch: Dispatch, workers: Workers, memory: PlanMemory):
    first = await sent(dispatch, TWICE)
    assert first.patch
    assert first.outline
    other = PlanMemory(Path(memory._path).with_name("other"), 2**20)
    other.commit(first.outline.family, (Form(first.patch.forms[1].chain, (Change(0, 9, 3, "", "x", 0),)),))
    workers.behaviour = stopped
    done = await sent(Dispatch(workers, other, LIMITS), TWICE)
    assert (done.body is TWICE, done.how, done.reason) == (True, "literal", "bad_plan")


# ---------------------------------------------------------------- counts, pre-warms, echoes, levels


@pytest.mark.parametrize(("kind", "top"), [("count_tokens", {}), ("messages", {"max_tokens": 0})])
async def test_counts_and_prewarms_get_the_edits_and_leave_no_plan(
    dispatch: Dispatch, workers: Workers, memory: PlanMemory, kind: str, top: dict[str, Any]
):
    body = anthropic(REPEATED, REPEATED, **top)
    counted = await sent(dispatch, body, kind)
    assert len(edits(counted)) == 1
    assert counted.outline
    assert memory.forms(counted.outline.family) == ()
    assert edits(await sent(dispatch, TWICE)) == edits(counted)
    assert edits(await sent(dispatch, body, kind)) == edits(counted)


async def test_a_count_does_not_make_a_miss_final(dispatch: Dispatch, workers: Workers):
    workers.behaviour = stopped
    assert edits(await sent(dispatch, TWICE, "count_tokens")) == []
    workers.behaviour = working
    assert edits(await sent(dispatch, TWICE))


async def test_an_echo_stops_new_edits_of_its_conversation_only(
    dispatch: Dispatch, workers: Workers, memory: PlanMemory
):
    first = await sent(dispatch, TWICE)
    assert first.session
    dispatch.echoed(first.session)
    dispatch.echoed(first.session)
    assert edits(await sent(dispatch, FOUR)) == edits(first)
    other = FOUR.replace(b'"go"', b'"go on"')
    assert len(edits(await sent(dispatch, other))) == 3
    again = Dispatch(workers, PlanMemory(memory._path, 2**20), LIMITS)
    assert edits(await sent(again, FOUR)) == edits(first)
    assert dispatch.statistics()["memory_stopped"] == 1


async def test_a_level_switched_off_keeps_what_was_sent(workers: Workers, memory: PlanMemory):
    first = await sent(Dispatch(workers, memory, LIMITS), TWICE)
    off = Dispatch(workers, memory, Limits(level="off", floor_tokens=40))
    assert edits(await sent(off, THRICE)) == edits(first)
    last = await sent(Dispatch(workers, memory, LIMITS), FOUR)
    assert edits(last)[:1] == edits(first)
    assert len(edits(last)) == 2


async def test_a_billed_body_is_untouched(dispatch: Dispatch):
    body = anthropic(REPEATED, REPEATED, system=BILLING)
    assert (await sent(dispatch, body)).body is body


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
    slots = [Dispatch(workers, memory, LIMITS), Dispatch(Workers(), PlanMemory(memory._path, 2**20), LIMITS)]
    before: list[bytes] = []
    for n, body in enumerate((TWICE, THRICE, FOUR)):
        done = await sent(slots[n % 2], body)
        assert edits(done)[: len(before)] == before
        before = edits(done)
    assert len(before) == 3


# ---------------------------------------------------------------- beyond the window

TIGHT = Limits(floor_tokens=40, window_tokens=500, patience_s=5.0)


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


async def test_statistics_tell_how_bodies_left(dispatch: Dispatch, workers: Workers):
    await sent(dispatch, TWICE)
    workers.behaviour = stopped
    await sent(dispatch, TWICE)
    await sent(dispatch, FOUR.replace(b'"go"', b'"other"'))
    await dispatch.compress(Format.ANTHROPIC, "messages", b"")
    told = dispatch.statistics()
    assert [told[name] for name in ("worker", "planned", "literal", "unread", "missed", "memory_families")] == [
        1,
        1,
        1,
        1,
        2,
        2,
    ]


async def test_responses_string_input_is_read(workers: Workers, memory: PlanMemory):
    body = written({"input": "x" * 2000})
    done = await Dispatch(workers, memory, LIMITS).compress(Format.OPENAI_RESPONSES, "responses", body)
    assert (done.body is body, done.how) == (True, "worker")
