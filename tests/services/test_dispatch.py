"""The front's side: whatever the workers do, the body that leaves is the one that was proved or planned."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.readings import BILLING, REPEATED, anthropic
from tests.core.writing import written
from tests.services.dispatching import (
    FOUR,
    GARBLED,
    LIMITS,
    THRICE,
    TWICE,
    Workers,
    edits,
    garble,
    sent,
    stopped,
    working,
)
from tokenpak.core.patch import Change, Form, Format, Job, Policy
from tokenpak.core.rules import Terms
from tokenpak.core.splice import apply_edits
from tokenpak.services.dispatch import Dispatch, Limits
from tokenpak.services.memory import PlanMemory
from tokenpak.services.pool import Answer, Missed


@pytest.fixture
def dispatch(workers: Workers, memory: PlanMemory) -> Dispatch:
    return Dispatch(workers, memory, LIMITS)


async def test_a_workers_answer_is_used(dispatch: Dispatch, workers: Workers):
    done = await sent(dispatch, TWICE)
    assert (done.how, done.reason, done.queue_ms, done.worker_ms) == ("worker", None, 1.0, 2.0)
    assert len(done.body) < len(TWICE)
    assert done.patch
    assert done.body == apply_edits(TWICE, done.patch.edits)
    assert done.session == done.outline.family.hex() if done.outline else False
    assert workers.jobs[0].policy.floor_tokens == 40
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
    other = PlanMemory(Path(memory._log._path).with_name("other"), 2**20)
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
    again = Dispatch(workers, PlanMemory(memory._log._path, 2**20), LIMITS)
    assert edits(await sent(again, FOUR)) == edits(first)
    assert dispatch.statistics()["memory_stopped"] == 1


async def test_a_level_switched_off_keeps_what_was_sent(workers: Workers, memory: PlanMemory):
    first = await sent(Dispatch(workers, memory, LIMITS), TWICE)
    off = Dispatch(workers, memory, Limits(Terms(Policy("off", floor_tokens=40))))
    assert edits(await sent(off, THRICE)) == edits(first)
    last = await sent(Dispatch(workers, memory, LIMITS), FOUR)
    assert edits(last)[:1] == edits(first)
    assert len(edits(last)) == 2


async def test_a_billed_body_is_untouched(dispatch: Dispatch):
    body = anthropic(REPEATED, REPEATED, system=BILLING)
    assert (await sent(dispatch, body)).body is body


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
