"""The front's workers: a job goes in, a patch or the reason for none comes out, within its time.

One DEALER per worker, because only so a death says whose jobs are gone. The difficulty is that everything may happen
at any moment: a reply after its deadline, a death between two statements, a client that leaves while its job flies. So
all that changes state is synchronous and happens in one step: an errand is either in the queue, in flight with exactly
one worker, or settled, and `ask` does nothing but wait for the last. Tasks only carry news here; none of them owns an
errand. What may wait is bounded: the line by `Limits.waiting`, flights by credits, each errand by its deadline. Whose
turn it is in the line, `ipc/turns` decides; when the line is full, whose turn would come last is told so.

An answer is worth having only while somebody waits: nothing is retried but the jobs of a worker that died, once, with
another worker; a job that kills two workers is left alone. A worker answers in the order it was asked, so its pong
proves that every older job of that connection has been answered or lost, and lost ones give their credit back.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Self, assert_never

import msgspec
import trio

from tokenpak.config.settings import Settings
from tokenpak.core.patch import Job, Patch
from tokenpak.ipc import endpoints, frames
from tokenpak.ipc.credit import LIMIT, Credits
from tokenpak.ipc.turns import Turns
from tokenpak.ipc.zmq_trio import Dealer, Link
from tokenpak.services.errand import Answer, Errand, Missed


class Limits(msgspec.Struct, frozen=True):
    """credit: unanswered jobs per worker. waiting: jobs without a worker. ping_s: between two pings of a worker."""

    credit: int = LIMIT
    waiting: int = 256
    ping_s: float = 2.0


class WorkerStatistics(msgspec.Struct, frozen=True):
    """One worker as the front sees it. silent_s: since it was last heard. hung: it should be started anew."""

    socket: str
    up: bool
    quiet: bool
    hung: bool
    in_flight: int
    jobs: int
    deaths: int
    garbled: int
    silent_s: float | None
    vitals: frames.Vitals | None


class PoolStatistics(msgspec.Struct, frozen=True):
    """Counts since the start. missed: by reason. refused: by the worker's word. retried: sent to a second worker.

    late: answers nobody waited for any more. stray: answers to nothing asked. lost: jobs a pong proved unanswered.
    left: errands whose client went first. asked = answered + missed + left + those under way.
    """

    asked: int
    answered: int
    missed: dict[str, int]
    refused: dict[str, int]
    retried: int
    late: int
    stray: int
    lost: int
    left: int
    waiting: int
    waiting_peak: int
    workers: tuple[WorkerStatistics, ...]


class _Worker:
    """The near end of one worker: its socket, and the errands it holds by number."""

    def __init__(self, index: int, path: Path) -> None:
        self.index, self.name = index, path.name
        self.dealer = Dealer(endpoints.address(path))
        self.flights: dict[int, Errand] = {}
        self.ping: int | None = None
        self.heard_at: float | None = None
        self.vitals: frames.Vitals | None = None
        self.jobs = self.deaths = self.garbled = 0


class WorkerPool:
    """The workers of an instance. An async context manager; `ask` may be called by any number of tasks within it."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._credits = Credits(settings.workers, self._limits.credit)
        self._workers: list[_Worker] = []
        self._queue: Turns[Errand] = Turns()
        self._numbers = count(1)
        self._exits = AsyncExitStack()
        self._missed: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._asked = self._answered = self._retried = self._late = self._stray = self._lost = self._peak = 0
        self._left = 0

    async def __aenter__(self) -> Self:
        paths = self._settings.paths
        self._workers = [_Worker(index, paths.worker_sock(index)) for index in range(self._settings.workers)]
        for worker in self._workers:
            self._exits.enter_context(worker.dealer)
        nursery = await self._exits.enter_async_context(trio.open_nursery())
        self._exits.callback(nursery.cancel_scope.cancel)
        self._exits.callback(self._let_go)
        for worker in self._workers:
            nursery.start_soon(self._receive, worker)
            nursery.start_soon(self._follow, worker)
        nursery.start_soon(self._keep_pinging)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._exits.aclose()  # the error inside, if any, is none of the tasks' business and leaves as it came

    async def ask(self, job: Job, body: bytes, session: bytes, party: bytes = b"") -> Answer | Missed:
        """The patch for a body, or why there is none. Raises nothing but Cancelled; returns within the job's time.

        That time is settings.job_base_s plus job_per_mb_s for each million bytes, queue and second try included.
        session: whose blocks a worker may have seen. party: who takes turns with others; its sessions do so as one.
        """
        seconds = self._settings.job_base_s + self._settings.job_per_mb_s * len(body) / 1e6
        errand = Errand(job, body, session, party or session, seconds)
        self._asked += 1
        self._place(errand)
        outcome: Answer | Missed = Missed("deadline")
        try:
            with trio.move_on_after(seconds):
                await errand.settled.wait()
            outcome = errand.outcome or outcome
        except trio.Cancelled:
            self._left += 1
            raise
        finally:
            self._withdraw(errand)
        if isinstance(outcome, Answer):
            self._answered += 1
        else:
            self._missed[outcome.reason] += 1
        return outcome

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            asked=self._asked,
            answered=self._answered,
            missed=dict(self._missed),
            refused=dict(self._refused),
            retried=self._retried,
            late=self._late,
            stray=self._stray,
            lost=self._lost,
            left=self._left,
            waiting=len(self._queue),
            waiting_peak=self._peak,
            workers=tuple(self._seen_from_here(worker) for worker in self._workers),
        )

    # Tasks: they bring the news.

    async def _receive(self, worker: _Worker) -> None:
        while True:
            self._on_message(worker, await worker.dealer.recv())

    async def _follow(self, worker: _Worker) -> None:
        while True:
            self._on_links(worker, await worker.dealer.wait_links())

    async def _keep_pinging(self) -> None:
        while True:
            await trio.sleep(self._limits.ping_s)
            for worker in self._workers:
                if self._credits.seats[worker.index].up:
                    self._check(worker)
            self._give_up_hopeless()

    # Transitions: synchronous, one step each.

    def _place(self, errand: Errand) -> None:
        """Give the errand to a worker, or to the queue, or settle it."""
        for worker in self._workers:
            self._on_links(worker, worker.dealer.links_nowait())
        if errand.outcome is not None or self._launched(errand):
            return
        if not self._credits.hopeful(errand.avoid):
            errand.settle(_nobody_for(errand))
        elif len(self._queue) < self._limits.waiting or self._made_room(errand):
            self._queue.add(errand, errand.party, errand.size)
            self._peak = max(self._peak, len(self._queue))
        else:
            errand.settle(Missed("busy"))

    def _made_room(self, errand: Errand) -> bool:
        """Whether somebody left a full line for the errand, since his turn would have come last."""
        last = self._queue.last_behind(errand.party, errand.size)
        if last is None:
            return False
        self._queue.remove(last)
        return last.settle(Missed("busy"))

    def _launched(self, errand: Errand) -> bool:
        """Whether the errand is in flight now, or settled because it cannot be put into frames."""
        avoid = errand.avoid
        while (index := self._credits.choose(errand.session, avoid, errand.size)) is not None:
            worker, number = self._workers[index], next(self._numbers)
            try:
                message = frames.encode(frames.JobMessage(number, errand.expiry_ns, errand.job, errand.body))
            except frames.FrameError:
                return errand.settle(Missed("garbled"))
            if worker.dealer.send_nowait(message):
                self._credits.take(index, errand.session, errand.size)
                worker.flights[number] = errand
                worker.jobs += 1
                self._retried += bool(errand.avoid)
                return True
            avoid = avoid | {index}  # it has just died, the news is on its way
        return False

    def _hand_out(self) -> None:
        """After an answer or a new connection: waiting errands, in their turns, go to whoever may take them."""
        for errand in self._queue:
            if not self._credits.any_room():
                return
            if self._launched(errand):
                self._queue.serve(errand)

    def _give_up_hopeless(self) -> None:
        """After a loss: nobody waits for workers that are gone."""
        for errand in self._queue:
            if not self._credits.hopeful(errand.avoid):
                self._queue.remove(errand)
                errand.settle(_nobody_for(errand))

    def _withdraw(self, errand: Errand) -> None:
        """Nobody waits for the errand any more. In time: its client left. Otherwise its worker let it pass."""
        if not errand.settle(Missed("deadline")):
            return
        if errand in self._queue:
            self._queue.remove(errand)
        if trio.current_time() < errand.due:
            return
        for worker in self._workers:
            if errand in worker.flights.values():
                self._credits.overdue(worker.index)

    def _on_links(self, worker: _Worker, links: Sequence[Link]) -> None:
        for link in links:
            orphans, worker.flights, worker.ping, worker.vitals = [*worker.flights.values()], {}, None, None
            if link is Link.CONNECTED:
                self._credits.connected(worker.index)
                self._send_ping(worker)
            else:
                worker.deaths += self._credits.seats[worker.index].up
                self._credits.disconnected(worker.index)
            for errand in orphans:
                self._place_again(worker, errand)
        if links:
            self._hand_out()
            self._give_up_hopeless()

    def _place_again(self, dead: _Worker, errand: Errand) -> None:
        if errand.avoid:
            errand.settle(Missed("died"))
        elif errand.outcome is None:
            errand.avoid = frozenset({dead.index})
            self._place(errand)

    def _on_message(self, worker: _Worker, received: list[bytes]) -> None:
        try:
            message = frames.decode(received)
        except frames.FrameError as error:
            self._on_garbled(worker, error.number)
            return
        match message:
            case frames.PatchMessage(number, took_ns, patch):
                self._land(worker, number, _answer(worker.flights.get(number), patch, took_ns / 1e6))
            case frames.RefusalMessage(number, why):
                self._refused[why] += 1
                self._land(worker, number, Missed("refused"))
            case frames.PongMessage(number, vitals):
                self._on_pong(worker, number, vitals)
            case frames.JobMessage() | frames.PingMessage():  # our own words come back
                self._on_garbled(worker, None)
                return
            case _:
                assert_never(message)
        worker.heard_at = trio.current_time()
        self._credits.heard(worker.index)
        self._hand_out()

    def _land(self, worker: _Worker, number: int, outcome: Answer | Missed) -> None:
        errand = worker.flights.pop(number, None)
        if errand is None:
            self._stray += 1
            return
        self._credits.give(worker.index, errand.size)
        self._late += not errand.settle(outcome)

    def _on_pong(self, worker: _Worker, ping: int, vitals: frames.Vitals) -> None:
        if ping != worker.ping:
            self._stray += 1
            return
        worker.ping, worker.vitals = None, vitals
        for number in [number for number in worker.flights if number < ping]:
            self._lost += 1
            self._land(worker, number, Missed("garbled"))

    def _on_garbled(self, worker: _Worker, number: int | None) -> None:
        """An answer that names a job ends that job. One that names none makes all its worker's jobs doubtful.

        Their credit comes back with an answer or a pong; a worker that gives neither gets nothing more.
        """
        worker.garbled += 1
        if number in worker.flights:
            self._land(worker, number, Missed("garbled"))
        else:
            for errand in worker.flights.values():
                errand.settle(Missed("garbled"))
        self._hand_out()

    def _check(self, worker: _Worker) -> None:
        """One ping at a time. A worker is excused while it may rightly work on a job of ours."""
        if worker.ping is None:
            self._send_ping(worker)
        elif not any(errand.due > trio.current_time() for errand in worker.flights.values()):
            self._credits.unanswered(worker.index)

    def _send_ping(self, worker: _Worker) -> None:
        number = next(self._numbers)
        if worker.dealer.send_nowait(frames.encode(frames.PingMessage(number))):
            worker.ping = number

    def _let_go(self) -> None:
        for errand in [*self._queue, *(errand for worker in self._workers for errand in worker.flights.values())]:
            errand.settle(Missed("no_worker"))

    def _seen_from_here(self, worker: _Worker) -> WorkerStatistics:
        seat = self._credits.seats[worker.index]
        return WorkerStatistics(
            socket=worker.name,
            up=seat.up,
            quiet=seat.quiet,
            hung=self._credits.hung(worker.index),
            in_flight=seat.in_flight,
            jobs=worker.jobs,
            deaths=worker.deaths,
            garbled=worker.garbled,
            silent_s=None if worker.heard_at is None else trio.current_time() - worker.heard_at,
            vitals=worker.vitals,
        )


def _nobody_for(errand: Errand) -> Missed:
    return Missed("died" if errand.avoid else "no_worker")


def _answer(errand: Errand | None, patch: Patch, worker_ms: float) -> Answer:
    total_ms = 0.0 if errand is None else (trio.current_time() - errand.started) * 1e3
    return Answer(patch, max(0.0, total_ms - worker_ms), worker_ms)
