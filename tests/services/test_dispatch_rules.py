"""Dispatch under rules: each request on its own terms, and what was sent keeps its form under any of them."""

import msgspec
import pytest

from tests.services.dispatching import FOUR, LOW, THRICE, TWICE, Workers, edits, stopped
from tokenpak.core.patch import Format, Policy
from tokenpak.core.rules import Rule
from tokenpak.services.dispatch import Compressed, Dispatch, Limits
from tokenpak.services.memory import PlanMemory


async def sent(dispatch: Dispatch, body: bytes, client: str | None) -> Compressed:
    return await dispatch.compress(Format.ANTHROPIC, "messages", body, client)


def by_model(body: bytes, model: str) -> bytes:
    told = body.replace(b'"model":"m"', f'"model":"{model}"'.encode())
    assert told != body
    return told


async def test_the_policy_follows_client_and_model(workers: Workers, memory: PlanMemory):
    rules = (
        Rule(client="codex", floor_tokens=41),
        Rule(model="gpt-5*", level="off"),
        Rule(client="cline", model="gpt-5*", level="lossless", passes=()),
    )
    dispatch = Dispatch(workers, memory, Limits(LOW, rules))
    seen = [("codex", "m2"), ("codex", "gpt-5"), ("cline", "gpt-5.1"), (None, "gpt-5"), (None, "m2")]
    for client, model in seen:
        await sent(dispatch, by_model(TWICE, model), client)
    every = LOW.policy.passes
    assert [job.policy for job in workers.jobs] == [
        Policy("lossless", every, 41),
        Policy("off", every, 41),
        Policy("lossless", (), 40),
        Policy("off", every, 40),
        Policy("lossless", every, 40),
    ]


async def test_without_a_client_the_rules_for_all_hold(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, Limits(LOW, (Rule(floor_tokens=7), Rule(client="c*", level="off"))))
    await dispatch.compress(Format.ANTHROPIC, "messages", TWICE)
    assert workers.jobs[0].policy == Policy("lossless", LOW.policy.passes, 7)


async def test_a_rule_changes_new_blocks_only(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, Limits(LOW, (Rule(client="codex", level="off"),)))
    first = await sent(dispatch, TWICE, "cline")
    assert len(edits(first)) == 1
    assert edits(await sent(dispatch, THRICE, "codex")) == edits(first)
    last = await sent(dispatch, FOUR, "cline")
    assert len(edits(last)) == 2
    assert edits(last)[:1] == edits(first)
    workers.behaviour = stopped
    assert edits(await sent(dispatch, FOUR, "codex")) == edits(last)


async def test_a_floor_of_a_rule_decides_which_bodies_are_too_small(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, Limits(rules=(Rule(client="codex", floor_tokens=40),)))
    assert (await sent(dispatch, TWICE, "cline")).reason == "below_floor"
    assert edits(await sent(dispatch, TWICE, "codex"))


async def test_a_stopped_conversation_is_stopped_under_any_rule(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, Limits(LOW, (Rule(client="codex", level="lossless", floor_tokens=41),)))
    session = (await sent(dispatch, TWICE, "codex")).session
    assert session
    dispatch.echoed(session)
    assert len(edits(await sent(dispatch, THRICE, "codex"))) == 1
    assert workers.jobs[-1].policy == Policy("off", LOW.policy.passes, 41)


@pytest.mark.parametrize("kind", ["messages", "count_tokens"])
async def test_cache_marks_are_told_on_every_way(kind: str, workers: Workers, memory: PlanMemory):
    base = msgspec.structs.replace(LOW, cache_marks=False)
    dispatch = Dispatch(workers, memory, Limits(base, (Rule(client="cline", cache_marks=True),)))
    for body in (TWICE, b'{"messages":[]}'):
        for client, may in (("cline", True), ("codex", False), (None, False)):
            assert (await dispatch.compress(Format.ANTHROPIC, kind, body, client)).cache_marks is may
    workers.behaviour = stopped
    assert (await sent(dispatch, FOUR, "cline")).cache_marks
    assert not (await sent(dispatch, FOUR, "codex")).cache_marks


async def test_a_body_nobody_can_read_gets_no_marks(workers: Workers, memory: PlanMemory):
    assert not (await sent(Dispatch(workers, memory, Limits()), b"nonsense", "cline")).cache_marks
    assert (await sent(Dispatch(workers, memory, Limits()), TWICE, "cline")).cache_marks


async def test_who_takes_turns_as_one_is_told_to_the_pool_and_else_the_conversation_does(workers, memory):
    dispatch = Dispatch(workers, memory, Limits(LOW))
    await dispatch.compress(Format.ANTHROPIC, "messages", TWICE, "codex", "agent é")
    done = await sent(dispatch, TWICE, "codex")
    assert workers.parties == ["agent é".encode(), bytes.fromhex(done.session)]
