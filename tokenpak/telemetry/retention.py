"""How long requests are kept: by age and by the size of the file, a few rows at a time, between the writer's batches.

The difficulty is never to be in the way. A step is one short transaction that ends by the clock, and the writer takes one
only while nothing waits to be committed. So the store may stand above its bound while a rush lasts, and comes back below
it afterwards. Rows that are open stay. What is deleted frees pages of the file; those are given back to the disk a few at
a time, in files made with incremental vacuum, and used again in others (`tokenpak db migrate` changes those).
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, or_, select

from tokenpak.telemetry.tables import OPEN, REQUESTS

STEP_S = 0.003
"""About how long one step holds the store."""
ROWS = 10
"""Requests deleted between two looks at the clock."""
PAGES = 16
"""Pages given back between two looks at the clock."""
SPARE_PAGES = 256
"""Free pages that are left for what comes next."""
LOOK_S = 60.0
"""Between two looks for something to do, once there was nothing."""
LATEST = 0.95
"""Share of the bytes allowed down to which rows are deleted, so that a full store is not trimmed at every request."""

DAY_NS = 86_400 * 10**9


class Keep(msgspec.Struct, frozen=True):
    """What is kept: requests not older than `days`, and a file of at most `bytes`."""

    days: int
    bytes: int


class Trimmed(msgspec.Struct, frozen=True):
    """What one step did. more: there is more to do now."""

    requests: int = 0
    pages: int = 0
    more: bool = False


class Size(msgspec.Struct, frozen=True):
    """Of a database file, in bytes. used: what would be left of it without free pages."""

    file: int
    used: int


class RetentionStatistics(msgspec.Struct, frozen=True):
    """deleted: requests since the start. returned: pages given back. size: when last looked."""

    days: int
    bytes: int
    deleted: int
    returned: int
    size: Size | None


class Retention:
    """When to take a step, and what all of them did. `clock` is monotonic seconds, `now_ns` the time of day."""

    def __init__(
        self, keep: Keep, clock: Callable[[], float] = time.monotonic, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._keep, self._clock, self._now_ns = keep, clock, now_ns
        self._due = clock() + LOOK_S  # the writer's first minute belongs to what fronts left in their journals
        self._lowering = False
        self._deleted = self._returned = 0
        self._size: Size | None = None

    def due(self) -> bool:
        """Whether a step may have something to do."""
        return self._clock() >= self._due

    def step(self, connection: Connection) -> None:
        """Delete some of what is too much, or give some pages back, inside the caller's transaction."""
        self._size = size_of(connection)
        bound = self._keep.bytes * LATEST if self._lowering else self._keep.bytes
        self._lowering = self._size.used > bound
        oldest_ns = self._now_ns() - self._keep.days * DAY_NS
        done = trim(connection, None if self._lowering else oldest_ns, self._clock)
        self._deleted += done.requests
        self._returned += done.pages
        self._due = self._clock() if done.more else self._clock() + LOOK_S

    def refused(self) -> None:
        """A step could not be taken; look again later."""
        self._due = self._clock() + LOOK_S

    def statistics(self) -> RetentionStatistics:
        return RetentionStatistics(self._keep.days, self._keep.bytes, self._deleted, self._returned, self._size)


def size_of(connection: Connection) -> Size:
    """The size of the database file, without its write-ahead log."""
    page, pages, free = (_pragma(connection, name) for name in ("page_size", "page_count", "freelist_count"))
    return Size(page * pages, page * (pages - free))


def trim(connection: Connection, before_ns: int | None, clock: Callable[[], float] = time.monotonic) -> Trimmed:
    """One step: requests that came before a moment go, oldest first; None: whatever is oldest. Then free pages."""
    until = clock() + STEP_S
    deleted = _repeat(lambda: _delete(connection, before_ns), ROWS, until, clock)
    if deleted:
        return Trimmed(requests=deleted, more=True)
    if not _pragma(connection, "auto_vacuum"):
        return Trimmed()
    returned = _repeat(lambda: _give_back(connection), PAGES, until, clock)
    return Trimmed(pages=returned, more=returned > 0)


def _repeat(act: Callable[[], int], full: int, until: float, clock: Callable[[], float]) -> int:
    """Do it until it finds less than a full share, or the time is up."""
    total = done = act()
    while done == full and clock() < until:
        done = act()
        total += done
    return total


def _delete(connection: Connection, before_ns: int | None) -> int:
    found = [row[0] for row in connection.execute(_oldest(before_ns))]
    if found:
        connection.execute(delete(REQUESTS).where(REQUESTS.c.id.in_(found)))
    return len(found)


def _oldest(before_ns: int | None) -> Any:
    """Requests whose opening nobody told stand before all others in the index, and go by when they closed."""
    row = REQUESTS.c
    wanted = select(row.id).where(row.state != OPEN).order_by(row.opened_ns).limit(ROWS)
    if before_ns is None:
        return wanted
    unopened = row.opened_ns.is_(None) & (func.ifnull(row.closed_ns, 0) < before_ns)
    return wanted.where(or_(row.opened_ns < before_ns, unopened))


def _give_back(connection: Connection) -> int:
    count = min(PAGES, max(0, _pragma(connection, "freelist_count") - SPARE_PAGES))
    for _ in range(count):
        # A page is one step of this statement, and the driver takes only the first step of one that gives no columns.
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return count


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
