"""The writer's side of the response cache: answers put into their file, and taken out by age and by bytes.

The file is only a cache, so nothing here is repaired or migrated: whatever is wrong with it, it is deleted and made anew,
and that is counted. A disk that refuses costs the answer at hand. The bound is kept before an answer goes in, in pages as
SQLite counts them, so that the file never grows beyond it for its next reader to find.

Not synchronised to the disk: what a power failure leaves half-written is damaged, and then made anew.
"""

import contextlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tokenpak.core.recall import Bounds
from tokenpak.ipc.response_frames import ROOM, BadResponseFrame, label_of
from tokenpak.services.response_file import APPLICATION_ID, SCHEMA, VERSION, delete

REOPEN_S: Final = 10.0
"""Between two attempts to make a file that could not be made."""
SWEEP_S: Final = 60.0
"""Between two looks for answers that are too old."""
PAGES: Final = 2048
"""Most that are given back to the disk in one sweep: a few milliseconds."""
LOG_BYTES: Final = 4 * 1024 * 1024
"""The write-ahead log is cut back to this; while it is in use it may be as long as the largest answer."""
PRIVATE: Final = 0o600

_SPARE_PAGES = 8
"""Of the tree that leads to an answer's own pages."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA})
_PUT = "INSERT OR REPLACE INTO answer (key, at_ns, frame) VALUES (?, ?, ?)"
_OLDEST = "DELETE FROM answer WHERE rowid = (SELECT rowid FROM answer ORDER BY at_ns LIMIT 1)"
_TOO_OLD = "DELETE FROM answer WHERE at_ns < ? OR at_ns > ?"


class ResponseStoreStatistics(msgspec.Struct, frozen=True):
    """Counts since the start, but for held. stored: answers put in. evicted: taken out for room; expired: for their age.

    refused: not put in, as the disk refused, or they were too large or garbled. recreated: files made anew for being
    damaged. held: answers in the file. trouble: why nothing can be stored now, None if it can.
    """

    stored: int
    evicted: int
    expired: int
    refused: int
    recreated: int
    held: int
    trouble: str | None


class ResponseStore:
    """Owns the one writing connection. Nothing here raises for the file's sake. One thread only."""

    def __init__(self, path: Path, bounds: Bounds, clock: Callable[[], float] = time.time) -> None:
        self._path, self._bounds, self._clock = path, bounds, clock
        self._connection: sqlite3.Connection | None = None
        self._trouble: str | None = None
        self._closed_until = self._sweep_at = float("-inf")
        self._counts = Counter(dict.fromkeys(("stored", "evicted", "expired", "refused", "recreated"), 0))
        self._open()

    def put(self, frame: bytes) -> None:
        """Store an answer in the place of an older one to the same request."""
        self._attempt(lambda connection: self._put(connection, frame), otherwise="refused")

    def sweep(self) -> None:
        """Take out what is too old, if it is time to look."""
        if self._clock() >= self._sweep_at:
            self._sweep_at = self._clock() + SWEEP_S
            self._attempt(self._expire)

    def close(self) -> None:
        """May be called twice."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def statistics(self) -> ResponseStoreStatistics:
        held: list[int] = []
        self._attempt(lambda connection: held.append(_one(connection, "SELECT count(*) FROM answer")))
        return ResponseStoreStatistics(**self._counts, held=held[0] if held else 0, trouble=self._trouble)

    def _attempt(self, act: Callable[[sqlite3.Connection], None], otherwise: str | None = None) -> None:
        """Act on the file, made anew where it is damaged or gone. otherwise: what is counted when that fails."""
        if self._connection is not None and not self._path.exists():
            self.close()
        if self._connection is None and self._clock() >= self._closed_until:
            self._open()
        if self._connection is None:
            self._counts.update((otherwise,) if otherwise else ())
            return
        try:
            with self._connection:
                act(self._connection)
        except sqlite3.Error as error:
            self._counts.update((otherwise,) if otherwise else ())
            self._failed(error)
        else:
            self._trouble = None

    def _failed(self, error: sqlite3.Error) -> None:
        """Open it again for the next answer; anew, if it is damaged."""
        self._trouble = f"cannot write: {error}"
        self.close()
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF in _DAMAGED:
            self._recreate()

    def _put(self, connection: sqlite3.Connection, frame: bytes) -> None:
        try:
            label = label_of(frame)
        except BadResponseFrame:
            self._counts["refused"] += 1
            return
        if len(frame) > self._bounds.max_entry_bytes + ROOM or not self._make_room(connection, len(frame)):
            self._counts["refused"] += 1
            return
        connection.execute(_PUT, (label.key, label.at_ns, frame))
        self._counts["stored"] += 1

    def _make_room(self, connection: sqlite3.Connection, size: int) -> bool:
        """Take out the oldest until so many bytes more stay within the bound. False: they never will."""
        page = _one(connection, "PRAGMA page_size")
        needed = size // page + 1 + _SPARE_PAGES
        while _one(connection, "PRAGMA page_count") - _one(connection, "PRAGMA freelist_count") + needed > (
            self._bounds.max_bytes // page
        ):
            if not connection.execute(_OLDEST).rowcount:
                return False
            self._counts["evicted"] += 1
        return True

    def _expire(self, connection: sqlite3.Connection) -> None:
        """What is older than any rule allows, what comes from the future, and what a smaller bound has no room for."""
        now_ns = int(self._clock() * 1e9)
        oldest = now_ns - self._bounds.max_age_s * 1_000_000_000
        self._counts["expired"] += connection.execute(_TOO_OLD, (oldest, now_ns + int(SWEEP_S * 1e9))).rowcount
        self._make_room(connection, 0)
        connection.executescript(f"PRAGMA incremental_vacuum({PAGES})")  # `execute` takes one step of it: a page

    def _open(self) -> None:
        """The file as it is, or a new one in the place of one that cannot be used."""
        try:
            self._connection = _connected(self._path)
        except sqlite3.Error:
            self._recreate()
        except OSError as error:
            self._stay_closed(error.strerror or type(error).__name__)

    def _recreate(self) -> None:
        self._counts["recreated"] += 1
        try:
            delete(self._path)
            self._connection = _connected(self._path)
        except OSError as error:
            self._stay_closed(error.strerror or type(error).__name__)
        except sqlite3.Error as error:
            self._stay_closed(str(error))

    def _stay_closed(self, why: str) -> None:
        self._trouble = f"cannot make the file: {why}"
        self._closed_until = self._clock() + REOPEN_S


def _connected(path: Path) -> sqlite3.Connection:
    """A connection to a file of ours and of this version. Raises sqlite3.Error for any other, and OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
    path.chmod(PRIVATE)
    connection = sqlite3.connect(path, timeout=1.0)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    if _one(connection, "PRAGMA schema_version") == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {SCHEMA}")
    known = (_one(connection, "PRAGMA application_id"), _one(connection, "PRAGMA user_version"))
    if known != (APPLICATION_ID, VERSION):
        raise sqlite3.DatabaseError("not a file of this version")
    for pragma in ("journal_mode = WAL", "synchronous = OFF", f"journal_size_limit = {LOG_BYTES}"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("SELECT key, at_ns FROM answer ORDER BY at_ns LIMIT 1").fetchall()


def _one(connection: sqlite3.Connection, question: str) -> int:
    return int(connection.execute(question).fetchone()[0])
