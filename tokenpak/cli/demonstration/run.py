"""A demonstration from beginning to end: start, replay, prove, read the store, stop, look for what was left."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tokenpak.cli.demonstration.bill import Ledger, Side
from tokenpak.cli.demonstration.client import Client, encoded
from tokenpak.cli.demonstration.proof import prove
from tokenpak.cli.demonstration.replay import Replay
from tokenpak.cli.demonstration.stage import Stage
from tokenpak.core.patch import Format
from tokenpak.services.tokens import Counter
from tokenpak.telemetry.queries import PassTotal, Reader, StoreUnreadableError

ROWS_S = 20.0
"""How long the writer may take to store the last rows."""
POLL_S = 0.05
FAILURES_SHOWN = 20

Progress = Callable[[str], None]
"""Called with a session's name after each of its turns."""


class Outcome(msgspec.Struct, frozen=True):
    """One session. edited: bodies that differ from the client's. markers: in the last body. failures: in words."""

    ident: str
    agent: str
    format: Format
    requests: int
    edited: int
    markers: int
    without: Side
    with_it: Side
    pairs: int
    breaks: int
    failures: tuple[str, ...]


class Stored(msgspec.Struct, frozen=True):
    """What the store says: requests by state, what each pass did, added latency of each request in milliseconds."""

    states: dict[str, int]
    passes: tuple[PassTotal, ...]
    added_ms: tuple[float, ...]
    defects: int


class Result(msgspec.Struct, frozen=True):
    """A whole demonstration. left: what still ran after everything was stopped."""

    outcomes: tuple[Outcome, ...]
    stored: Stored
    tokenizer: str
    exit_codes: dict[str, int]
    left: tuple[str, ...]

    @property
    def requests(self) -> int:
        return sum(outcome.requests for outcome in self.outcomes)

    @property
    def faults(self) -> list[str]:
        """Why this demonstration failed, in words; empty when it did not."""
        found = [f"{o.ident}: {failure}" for o in self.outcomes for failure in o.failures]
        found += [f"{o.ident}: {o.breaks} prefix breaks" for o in self.outcomes if o.breaks]
        if self.stored.states != {"done": self.requests}:
            found.append(f"{self.requests} requests were sent, the store has {self.stored.states}")
        if self.stored.defects:
            found.append(f"{self.stored.defects} defects: edits that did not expand and were dropped")
        found += [f"{name} ended with code {code}" for name, code in self.exit_codes.items() if code]
        return [*found, *self.left]


def demonstrate(replays: Sequence[Replay], counter: Counter, progress: Progress) -> Result:
    """Run everything. Raises StageError where something does not start; nothing is left running either way."""
    with Stage() as stage:
        stage.start()
        with Client(stage.service.url, stage.provider.url) as client:
            outcomes = tuple(replayed(replay, client, counter, progress) for replay in replays)
        stored = _stored(stage, sum(outcome.requests for outcome in outcomes))
        left = tuple(stage.strike())
        return Result(outcomes, stored, counter.name, stage.exit_codes, left)


def replayed(replay: Replay, client: Client, counter: Counter, progress: Progress) -> Outcome:
    """Replay one session, proving and billing each turn."""
    ledger, failures = Ledger(replay.format, counter), []
    requests = edited = markers = 0
    for body in replay.bodies():
        requests += 1
        turn = client.turn(replay.format, encoded(body))
        progress(replay.ident)
        if turn.failure is not None or not turn.received:
            failures.append(f"turn {requests}: {turn.failure}")
            continue
        received = turn.received[-1]
        proof = prove(replay.format, turn.sent, received)
        if proof.failure is not None:
            failures.append(f"turn {requests}: {proof.failure}")
        edited, markers = edited + (proof.edited > 0), proof.markers
        if not ledger.turn(body, body if received == turn.sent else _parsed(received)):
            failures.append(f"turn {requests}: what was sent before is no prefix of it any more")
    shown = tuple(failures[:FAILURES_SHOWN])
    sides = (ledger.without, ledger.with_it, ledger.pairs, ledger.breaks)
    return Outcome(replay.ident, replay.agent, replay.format, requests, edited, markers, *sides, shown)


def _parsed(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)  # as the client's own was made: half surrogates included
    return found


def _stored(stage: Stage, requests: int) -> Stored:
    """The rows of the store, once all of them are there or the writer's time is up."""
    deadline = time.monotonic() + ROWS_S
    while True:
        try:
            with Reader(stage.paths.database) as reader:
                states = reader.counts_by_state()
                if states == {"done": requests} or time.monotonic() > deadline:
                    return Stored(states, reader.pass_totals(), tuple(_added(reader)), reader.totals().defects)
        except StoreUnreadableError:
            if time.monotonic() > deadline:
                return Stored({}, (), (), 0)
        time.sleep(POLL_S)


def _added(reader: Reader) -> list[float]:
    out: list[float] = []
    before: str | None = None
    while page := reader.newest(1000, before):
        out += [row.added_ms for row in page if row.added_ms is not None]
        before = page[-1].id
    return out
