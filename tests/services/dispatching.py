"""A pool for dispatch that behaves as the test says, and bodies to send through it."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from tests.core.contract import Words
from tests.core.readings import REPEATED, anthropic
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Edit, Format, Job, Patch, Policy
from tokenpak.core.rules import Terms
from tokenpak.services.compress import Compressor
from tokenpak.services.dispatch import Compressed, Dispatch, Limits
from tokenpak.services.pool import Answer, Missed

LOW = Terms(Policy(floor_tokens=40, passes=("line-runs",)))
LIMITS = Limits(LOW)
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
        self.parties: list[bytes] = []

    async def ask(self, job: Job, body: bytes, session: bytes, party: bytes) -> Answer | Missed:
        self.jobs.append(job)
        self.parties.append(party)
        assert len(session) == 16
        return await self.behaviour(job, body, self)


async def sent(dispatch: Dispatch, body: bytes, kind: str = "messages") -> Compressed:
    done = await dispatch.compress(Format.ANTHROPIC, kind, body)
    expanded = canonical(read(Format.ANTHROPIC, expand_body(Format.ANTHROPIC, done.body)))
    assert expanded == canonical(read(Format.ANTHROPIC, body))
    return done


TWICE, THRICE = anthropic(REPEATED, REPEATED), anthropic(REPEATED, REPEATED, REPEATED)
FOUR = anthropic(*[REPEATED] * 4)


def edits(done: Compressed) -> list[bytes]:
    return [edit.new for edit in done.patch.edits] if done.patch else []


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
