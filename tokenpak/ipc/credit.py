"""Which worker gets the next job. Pure: the pool tells what happened and is told which seat to use.

A worker works on one job at a time, so a job handed to a busy worker waits there and cannot be taken back when another
one becomes free. Hence few credits: a worker holds at most `limit` unanswered jobs, the rest wait in the pool, where
any worker may take them. The same bound keeps every zmq queue far below its high-water mark, so that a full queue is
never a reason for anything.

A job counts until the worker answers it or its connection is gone, even when nobody waits for the answer any more:
whoever cannot keep up gets less. A worker that let a job or its pings pass unanswered is `quiet` and gets nothing until
it is heard again; after `hung_after` unanswered pings it counts as `hung`, and nobody waits for it either.

A large job takes so long that whatever waits behind it may miss its own time. So nothing is handed to a worker that holds
one, and large jobs never hold all workers: one is left for the small ones, where there is more than one.
"""

from collections import OrderedDict
from collections.abc import Set as AbstractSet

import msgspec

LIMIT = 2
"""Unanswered jobs a worker may hold."""

LARGE = 1_000_000
"""Bytes from which a job is large: some 50 ms of work when it is first seen, a fifth of what a small one may take."""

SESSIONS = 4096
"""Sessions whose last worker is remembered."""

HUNG_AFTER = 3
"""Pings in a row without a word from the worker."""


class Seat(msgspec.Struct):
    """One worker as the pool sees it. large: one of its jobs is. misses: pings in a row without an answer. turn: when it
    last got a job.
    """

    up: bool = False
    in_flight: int = 0
    large: bool = False
    quiet: bool = False
    misses: int = 0
    turn: int = 0


class Credits:
    """The seats of a fixed set of workers, numbered from 0, and the worker each session was last seen by."""

    def __init__(self, workers: int, limit: int = LIMIT, hung_after: int = HUNG_AFTER) -> None:
        self.limit = limit
        self.seats = tuple(Seat() for _ in range(workers))
        self._hung_after = hung_after
        self._turn = 0
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def choose(self, session: bytes, avoid: AbstractSet[int] = frozenset(), size: int = 0) -> int | None:
        """The worker to use now for a job of so many bytes, None when all that may be used are taken.

        The least loaded one; among equals the one that saw the session last, else the one longest without a job.
        """
        free = [number for number in range(len(self.seats)) if number not in avoid and self._has_room(number, size)]
        if not free:
            return None
        last = self._seen.get(session)
        return min(free, key=lambda number: (self.seats[number].in_flight, number != last, self.seats[number].turn))

    def take(self, worker: int, session: bytes, size: int = 0) -> None:
        """A job of this session and size goes to the worker."""
        if not self._has_room(worker, size):
            raise ValueError(f"worker {worker} has no credit")
        seat = self.seats[worker]
        self._turn += 1
        seat.in_flight, seat.turn, seat.large = seat.in_flight + 1, self._turn, size >= LARGE
        self._seen[session] = worker
        self._seen.move_to_end(session)
        if len(self._seen) > SESSIONS:
            self._seen.popitem(last=False)

    def give(self, worker: int, size: int = 0) -> None:
        """A job of the worker, of so many bytes, has been answered, or is known to be lost."""
        seat = self.seats[worker]
        if seat.in_flight == 0:
            raise ValueError(f"worker {worker} holds no job")
        seat.in_flight -= 1
        seat.large = seat.large and size < LARGE

    def connected(self, worker: int) -> None:
        """A new connection: what the earlier one held is gone with it."""
        self._fresh(worker).up = True

    def disconnected(self, worker: int) -> None:
        """The connection is gone, and every job on it."""
        self._fresh(worker).up = False

    def heard(self, worker: int) -> None:
        """The worker said something that could be read."""
        seat = self.seats[worker]
        seat.quiet, seat.misses = False, 0

    def overdue(self, worker: int) -> None:
        """A job's time is over and the worker has not answered it."""
        self.seats[worker].quiet = True

    def unanswered(self, worker: int) -> None:
        """A ping stays without an answer although the worker has no work to excuse it."""
        seat = self.seats[worker]
        seat.quiet, seat.misses = True, seat.misses + 1

    def hung(self, worker: int) -> bool:
        """Whether the worker is connected and does not answer: it should be started anew."""
        seat = self.seats[worker]
        return seat.up and seat.misses >= self._hung_after

    def hopeful(self, avoid: AbstractSet[int] = frozenset()) -> bool:
        """Whether some worker may have room soon, so that waiting for it makes sense."""
        return any(seat.up and not self.hung(number) for number, seat in enumerate(self.seats) if number not in avoid)

    def any_room(self) -> bool:
        """Whether some worker may be given a small job now."""
        return any(self._has_room(number, 0) for number in range(len(self.seats)))

    def _has_room(self, worker: int, size: int) -> bool:
        seat = self.seats[worker]
        if not seat.up or seat.quiet or seat.large or seat.in_flight >= self.limit:
            return False
        return size < LARGE or self._may_be_large()

    def _may_be_large(self) -> bool:
        able = [seat for seat in self.seats if seat.up and not seat.quiet]
        return sum(seat.large for seat in able) < max(1, len(able) - 1)

    def _fresh(self, worker: int) -> Seat:
        seat = self.seats[worker]
        seat.in_flight, seat.large, seat.quiet, seat.misses = 0, False, False, 0
        return seat
