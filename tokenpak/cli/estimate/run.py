"""All files through the replay, in at most two processes, with news of how far it is.

A process takes one file at a time and gives back what it adds up to, so that a folder of any size needs the room of its
largest conversation, twice. Which answers stand in more than one file is settled first, from their ids alone.
"""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tokenpak.cli.estimate import logs
from tokenpak.cli.estimate.logs import LogFile
from tokenpak.cli.estimate.replay import Means, replayed
from tokenpak.cli.estimate.rows import Counts, Row, counted, merged
from tokenpak.core.cost import PriceTable
from tokenpak.core.rules import Rule, Terms
from tokenpak.services.tokens import load_counter

PROCESSES = 2
WORTH_TWO = 4 * 2**20
"""Bytes of logs below which a second process costs more time than it saves."""


class Plan(NamedTuple):
    """What is replayed, and how. search: where the vocabulary may be. since: seconds since the epoch."""

    files: Sequence[LogFile]
    search: tuple[Path, ...]
    table: PriceTable
    rules: tuple[Rule, ...] = ()
    terms: Terms = Terms()
    model: str = ""
    missing: int = 0
    since: float = 0.0


class Job(NamedTuple):
    """A file, and the answers in it that an earlier file has."""

    log: LogFile
    copied: frozenset[str]


Advance = Callable[[int], None]
"""Told of bytes that are done."""


def run(plan: Plan, advance: Advance) -> tuple[list[Row], Counts]:
    """The sessions of all files, and what else there was."""
    jobs = list(_jobs(plan.files))
    rows: list[Row] = []
    counts: list[Counts] = []
    for job, (found, count) in zip(jobs, _done(plan, jobs), strict=True):
        rows += found
        counts.append(count)
        advance(job.log.size)
    return merged(rows), counted(counts)


def _jobs(files: Iterable[LogFile]) -> Iterator[Job]:
    """Files with the ids of answers that were in one before."""
    known: set[bytes] = set()
    for log in files:
        ids = logs.answers(log)
        yield Job(log, frozenset(each.decode() for each in ids & known))
        known |= ids


def _done(plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[list[Row], Counts]]:
    if len(jobs) == 1 or sum(job.log.size for job in jobs) < WORTH_TWO:
        means = _means(plan)
        for job in jobs:
            yield _one(means, plan.since, job)
        return
    lean = plan._replace(files=())
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), _begin, (lean,)) as pool:
        yield from pool.map(_next, jobs)


def _means(plan: Plan) -> Means:
    return Means(load_counter(plan.search), plan.table, plan.rules, plan.terms, plan.model, plan.missing)


def _one(means: Means, since: float, job: Job) -> tuple[list[Row], Counts]:
    return replayed(lambda: logs.read(job.log), means, since, job.copied)


# In a process of the pool


_HERE: list[tuple[Means, float]] = []
"""What this process replays with; set once, when it begins."""


def _begin(plan: Plan) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C reaches every process; one of them answers it
    _HERE[:] = [(_means(plan), plan.since)]


def _next(job: Job) -> tuple[list[Row], Counts]:
    return _one(*_HERE[0], job)
