"""Whose waiting job is next, so that nobody waits for more than a fair share of the others' work. Pure, as `credit` is.

First come, first served lets one agent's twenty large bodies stand before everybody's small ones. Here each party's work
is measured, and a job's place in the line is the mark its party would have reached with it: where time stands now, or
the party's last waiting job, plus the job's own cost. Time is the mark of what was served last. So a job is passed by no
more of any other party's work than its own cost and one job (self-clocked fair queueing, Golestani 1994; the bound is
a property test), and a party that sends much delays itself.

The difficulty is to keep no account of parties that have nothing here: what is waiting holds all there is to know, since
whoever has nothing waiting stands where time stands.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

JOB_COST = 64 * 1024
"""What a job costs beside its bytes, in bytes: a thousand tiny ones are work too."""

T = TypeVar("T")


class _Place(msgspec.Struct, Generic[T], frozen=True):
    """mark: orders the line; arrival: decides between equal marks."""

    mark: int
    arrival: int
    party: bytes
    item: T


class Turns(Generic[T]):
    """A line of items, in the order in which they should be served."""

    def __init__(self) -> None:
        self._line: list[_Place[T]] = []
        self._now = 0
        self._arrivals = 0

    def add(self, item: T, party: bytes, size: int) -> None:
        """Put an item of so many bytes in the line."""
        self._arrivals += 1
        place = _Place(self._mark(party, size), self._arrivals, party, item)
        insort(self._line, place, key=lambda one: (one.mark, one.arrival))

    def serve(self, item: T) -> None:
        """The item's turn has come: it leaves the line and time goes on. It need not be the first, where that cannot go."""
        self._now = max(self._now, self._leave(item).mark)

    def remove(self, item: T) -> None:
        """The item leaves the line unserved: its party is charged nothing for it."""
        self._leave(item)

    def last_behind(self, party: bytes, size: int) -> T | None:
        """The last item of the line, if one that came now would stand before it."""
        if not self._line or self._line[-1].mark <= self._mark(party, size):
            return None
        return self._line[-1].item

    def __iter__(self) -> Iterator[T]:
        """The items as they should be served; the line may change meanwhile."""
        return iter([place.item for place in self._line])

    def __contains__(self, item: object) -> bool:
        return any(place.item is item for place in self._line)

    def __len__(self) -> int:
        return len(self._line)

    def _mark(self, party: bytes, size: int) -> int:
        reached = max((place.mark for place in self._line if place.party == party), default=self._now)
        return max(reached, self._now) + JOB_COST + size

    def _leave(self, item: T) -> _Place[T]:
        at = next(at for at, place in enumerate(self._line) if place.item is item)
        return self._line.pop(at)
