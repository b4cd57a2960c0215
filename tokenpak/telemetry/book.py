"""The store as the writer holds it: open when it can be used, and if not, why not, and when to try again.

A full disk, a lock, a damaged or foreign file must neither end the writer nor lose an event. So a batch either is committed
or it is not, the caller acknowledges nothing in the second case, and the events stay with the fronts. Damage closes the
database: nothing is written to it until it has been checked again. Failing here is failing open: no request waits for it.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from tokenpak.ipc.events import Envelope
from tokenpak.telemetry import ingest
from tokenpak.telemetry.retention import Retention
from tokenpak.telemetry.store import Failure, StoreUnusableError, close_store, failure_of, open_store

REOPEN_S = 10.0
"""Between two attempts to open a database: each one checks the whole file."""
RETRY_S = 0.5
"""Between two attempts to write to a database that refused."""


class BookStatistics(msgspec.Struct, frozen=True):
    """Counts of events since the start. committed: new in the store or there already. rejected: never storable, and lost.

    foreign: with a request id of another front. interrupted: rows closed because their front was gone.
    degraded: why nothing can be written now, None if it can.
    """

    batches: int
    committed: int
    repeated: int
    foreign: int
    rejected: int
    interrupted: int
    degraded: str | None


class Book:
    """Owns the one writing connection. Opens the database at once, if that can be done. One thread only."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._engine: Engine | None = None
        self._identity: tuple[int, int] | None = None
        self.trouble: str | None = None
        """Why nothing can be written now, None if it can."""
        self._closed_until = self._idle_until = float("-inf")
        self._batches = self._committed = self._repeated = self._foreign = self._rejected = self._interrupted = 0
        self._open()

    def commit(self, events: Sequence[Envelope]) -> bool:
        """Store a batch. True: every event of it may be acknowledged. False: none, and `statistics` says why."""
        writes: list[ingest.Writes] = []
        failure = self._transact(lambda connection: writes.append(ingest.write(connection, events)))
        if failure is Failure.REJECTED and len(events) > 1:
            return all(self.commit([event]) for event in events)
        if failure is Failure.REJECTED:
            self._rejected += 1
            return True
        if failure is not None:
            return False
        self._batches += 1
        self._committed += len(events)
        self._repeated += writes[0].repeated
        self._foreign += writes[0].foreign
        return True

    def interrupt(self, front: bytes) -> bool:
        """Close the open rows of a front that is gone. False if that could not be written."""
        counts: list[int] = []
        if self._transact(lambda connection: counts.append(ingest.interrupt(connection, front))) is not None:
            return False
        self._interrupted += counts[0]
        return True

    def trim(self, retention: Retention) -> None:
        """Take one step of deleting what is too old or too much, if one is due. It delays a batch by a few milliseconds."""
        if retention.due() and self._transact(retention.step) is not None:
            retention.refused()

    def fronts_with_open_rows(self) -> list[bytes]:
        """None of them while the store cannot be used."""
        fronts: list[bytes] = []
        self._transact(lambda connection: fronts.extend(ingest.fronts_with_open_rows(connection)))
        return fronts

    def refresh(self) -> None:
        """Notice that the file was replaced or deleted, and open what is there now. Opens what could not be opened."""
        if self._engine is not None and self._identity != _identity(self._path):
            self._close()
        if self._engine is None and self._clock() >= self._closed_until:
            self._open()

    def close(self) -> None:
        self._close()

    def statistics(self) -> BookStatistics:
        return BookStatistics(
            batches=self._batches,
            committed=self._committed,
            repeated=self._repeated,
            foreign=self._foreign,
            rejected=self._rejected,
            interrupted=self._interrupted,
            degraded=self.trouble,
        )

    def _transact(self, act: Callable[[Connection], None]) -> Failure | None:
        if self._engine is None or self._clock() < self._idle_until:
            return Failure.REFUSED
        try:
            with self._engine.begin() as connection:
                act(connection)
        except DBAPIError as error:
            return self._failed(error)
        self.trouble = None
        return None

    def _failed(self, error: DBAPIError) -> Failure:
        failure = failure_of(error)
        if failure is Failure.REJECTED:
            return failure
        self.trouble = f"cannot write: {error.orig}"
        self._idle_until = self._clock() + RETRY_S
        if failure is Failure.DAMAGED:
            self._close()
            self._closed_until = self._clock() + REOPEN_S
        return failure

    def _open(self) -> None:
        try:
            self._engine = open_store(self._path)
        except StoreUnusableError as error:
            self.trouble = str(error)
            self._closed_until = self._clock() + REOPEN_S
            return
        self._identity = _identity(self._path)
        self.trouble = None

    def _close(self) -> None:
        if self._engine is not None:
            close_store(self._engine)
            self._engine = None


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None
