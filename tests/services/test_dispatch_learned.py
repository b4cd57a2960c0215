"""Dispatch and what is learned: drift stops new edits for a model, planned blocks keep their form, and calm ends it."""

import msgspec

from tests.core.contract import OFF
from tests.core.readings import REPEATED, anthropic, worked
from tests.services.accounting import Lab
from tests.services.dispatching import LIMITS, TWICE, Workers, edits, sent, stopped
from tokenpak.core.body import outline
from tokenpak.core.patch import Format
from tokenpak.core.usage import Observation, Usage
from tokenpak.services.accounts import Told
from tokenpak.services.dispatch import Dispatch, Limits
from tokenpak.services.memory import PlanMemory

MODEL = "claude-sonnet-4-5"
MARK = {"type": "ephemeral"}


class Journey:
    """One conversation over dispatch and accounts; the provider reads as a test says."""

    def __init__(self, workers: Workers, memory: PlanMemory) -> None:
        self.lab, self.workers = Lab(), workers
        self.dispatch = Dispatch(workers, memory, LIMITS, self.lab.accounts.learned)
        self.reads = 0
        self.texts = [f"{n}\n{REPEATED}\n" * 4 for n in range(3)]

    async def turn(self, *, reads: bool = True, worth: float = 1.0) -> list[bytes]:
        """One more request, which reads one file more; the edits it was sent with."""
        self.reads += 1
        results = [self.texts[n % 3] for n in range(self.reads)]
        body = anthropic(*results, cache_control=MARK, system="You are an agent. " * 2000)
        done = await sent(self.dispatch, body.replace(b'"m"', f'"{MODEL}"'.encode()))
        assert done.footprint
        self.lab.clock.now += 6.0
        counted = done.patch.counted if done.patch else None
        told = Told("anthropic", "h", outline(Format.ANTHROPIC, done.body), done.footprint, counted=counted)
        opened = self.lab.accounts.open(told)
        usage = self.lab.expected(opened)
        total = round(worth * sum(each.tokens for each in done.footprint.blocks))
        read = round(total * usage.cache_read / max(1, usage.cache_read + usage.cache_write_5m)) if reads else 0
        self.lab.accounts.settle(
            opened, "anthropic", MODEL, Observation(Usage(0, read, total - read, 0, None, 1), MODEL, "provider")
        )
        return edits(done)


async def test_drift_stops_new_edits_and_calm_ends_it(workers: Workers, memory: PlanMemory):
    journey = Journey(workers, memory)
    before = [await journey.turn() for _ in range(8)]
    assert len(before[-1]) > len(before[-2]) > 0
    drifting = [await journey.turn(reads=False) for _ in range(8)]
    made = [len(each) for each in (before[-1], *drifting)]
    stopped = made.index(made[-1])
    assert stopped <= 5  # requests that read nothing until no new edit is made
    assert made[stopped:] == [made[-1]] * (len(made) - stopped)
    assert drifting[-1][: len(before[-1])] == before[-1]  # what was planned keeps its form
    assert workers.jobs[-1].policy == msgspec.structs.replace(LIMITS.base.policy, level="off")
    for _ in range(12):
        last = await journey.turn()
    assert len(last) > made[-1]
    assert last[: made[-1]] == drifting[-1]
    assert workers.jobs[-1].policy.level == "lossless"


async def test_a_jump_of_what_tokens_are_worth_stops_them_too(workers: Workers, memory: PlanMemory):
    journey = Journey(workers, memory)
    for _ in range(16):
        await journey.turn(worth=1.3)
    for _ in range(5):
        await journey.turn(worth=1.3 * 1.3)
    assert not journey.lab.accounts.learned.allows(MODEL)
    assert workers.jobs[-1].policy.level == "off"
    for _ in range(16):
        await journey.turn(worth=1.3 * 1.3)
    assert journey.lab.accounts.learned.allows(MODEL)


async def test_a_replayed_plan_has_the_workers_footprint(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, LIMITS)
    first = await sent(dispatch, TWICE)
    workers.behaviour = stopped
    again = await sent(dispatch, TWICE)
    assert (first.how, again.how) == ("worker", "planned")
    assert first.footprint == again.footprint
    assert first.footprint
    assert any(trace.saved for trace in first.footprint.blocks)


async def test_a_body_below_the_floor_has_a_footprint_if_it_is_a_turn(workers: Workers, memory: PlanMemory):
    dispatch = Dispatch(workers, memory, Limits())
    done = await sent(dispatch, TWICE)
    assert (done.patch, done.reason, done.claims) == (None, "below_floor", True)
    assert done.footprint == worked(TWICE, OFF).footprint
    warm = TWICE.replace(b'"model"', b'"max_tokens":0,"model"')
    for each in (await sent(dispatch, TWICE, "count_tokens"), await sent(dispatch, warm)):
        assert (each.reason, each.claims, each.footprint) == ("below_floor", False, None)
    assert workers.jobs == []


async def test_whole_requests_are_counted_once_a_model_is_known(workers: Workers, memory: PlanMemory):
    journey = Journey(workers, memory)
    for _ in range(3):
        await journey.turn()
    assert [job.count for job in workers.jobs] == [False, True, True]
    told = journey.lab.accounts.statistics()["models"]
    assert isinstance(told, dict)
    assert told[f"anthropic/{MODEL}"]["samples"] == 2
