"""The file of what was spent: one for all slots, found again after a restart.

Lines of JSON in the private runtime directory: a request holds money before it is sent, and settles at its end. Slots
append under a lock and read what others wrote before they decide, so that two of them never give out the same cent. The
difficulty is what a crash leaves: a torn last line, which the next writer cuts off, and money held by a request that
nobody settles any more. That may have been billed, so it counts until its month is over.

Why not the store: the front may not read it (the writer lags behind it, and its readers belong to the control plane),
and a budget has to know this second's requests. So this file begins with the first budget that is configured.

A disk that refuses, or a slot that was stopped with the lock in its hands, costs agreement with other slots and with the
next start until it is over; this slot counts on in memory, and says so.
"""

import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tokenpak.core.budget import Payer

LONGEST_BYTES = 4 * 2**20
"""Beyond that the file is written anew: settled requests as totals, past months not at all."""
BACKLOG = 65_536
"""Lines that wait for the disk; the oldest go when there are more."""

_LOCK_TRIES, _LOCK_PAUSE_S = 25, 0.002


class Held(msgspec.Struct, frozen=True, array_like=True, tag="held"):
    """A request takes its worst case; None: it has no price."""

    id: str
    payer: Payer
    worst: int | None


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settled"):
    """It ended, for what it cost: 0 if it was not sent; None: it has no price."""

    id: str
    cost: int | None


class Total(msgspec.Struct, frozen=True, array_like=True, tag="total"):
    """What ended before the file was written anew. unpriced: requests without a price."""

    payer: Payer
    cost: int
    unpriced: int


Line = Held | Settled | Total


class Trouble(NamedTuple):
    """unsaved: lines that are not on disk. unread: lines that could not be read. reason: the last error's, or ""."""

    unsaved: int
    unread: int
    reason: str


class SpendFile:
    """Lines by all slots, in one order. take: called with each, those of this slot included, exactly once."""

    def __init__(self, path: Path, take: Callable[[Line], None]) -> None:
        self._path, self._take = path, take
        self._file: int | None = None
        self._at = 0
        self._longest = LONGEST_BYTES
        self._backlog: list[bytes] = []
        self._tries = _LOCK_TRIES
        self._unread = self._dropped = 0
        self._was_read = False
        self._reason = ""
        self._encoder, self._decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Line)
        self._open()
        self._follow()

    def write(self, month: str, make: Callable[[], Line | None]) -> None:
        """Append the line that `make` gives once all other slots' lines are taken in. month: YYYY-MM, the present one."""
        locked = self._lock()
        try:
            if locked:
                self._follow()
            line = make()
            if line is not None:
                self._take(line)
                self._keep(line)
            if locked and self._backlog:
                self._append(month)
        except OSError as error:
            self._reason = error.strerror or "failed"
        finally:
            if locked and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def trouble(self) -> Trouble:
        """What is wrong with the file."""
        return Trouble(len(self._backlog) + self._dropped, self._unread, self._reason)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _open(self) -> None:
        self.close()
        self._at = 0
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if self._was_read:
                self._skip_totals()
            self._was_read = True
        except OSError as error:
            self._reason = error.strerror or "failed"

    def _follow(self) -> None:
        """Take in what others appended, also to a file that was put in the place of this one."""
        if self._file is None:
            return
        try:
            if os.fstat(self._file).st_nlink == 0:
                self._follow_to_the_end()
                self._open()
            self._follow_to_the_end()
        except OSError as error:
            self._reason = error.strerror or "failed"

    def _follow_to_the_end(self) -> None:
        for line in self._lines():
            self._take(line)

    def _skip_totals(self) -> None:
        """Past what a slot wrote when it renewed the file: everything in it was taken in from the old one."""
        if self._file is not None:
            head = os.pread(self._file, LONGEST_BYTES * 4, 0)
            end = head.find(_RENEWED)
            self._at = end + len(_RENEWED) if end >= 0 else 0

    def _lines(self) -> list[Line]:
        """The whole lines from here to the end."""
        if self._file is None:
            return []
        size = os.fstat(self._file).st_size
        self._at = min(self._at, size)  # somebody cut it short
        data = os.pread(self._file, max(0, size - self._at), self._at)
        end = data.rfind(b"\n") + 1
        self._at += end
        return self._parsed(data[:end])

    def _parsed(self, data: bytes) -> list[Line]:
        out: list[Line] = []
        for raw in data.splitlines():
            if raw + b"\n" == _RENEWED:
                continue
            try:
                out.append(self._decoder.decode(raw))
            except msgspec.DecodeError:
                self._unread += 1  # of a version that writes other lines, or damaged
        return out

    def _keep(self, line: Line) -> None:
        self._backlog.append(self._encoder.encode(line) + b"\n")
        if len(self._backlog) > BACKLOG:
            del self._backlog[0]
            self._dropped += 1

    def _lock(self) -> bool:
        """Lock the file that stands at the path now. After one wait in vain there is none until the lock is free again."""
        for _ in range(self._tries):
            if self._file is None:
                self._open()
            if self._file is None:
                return False
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                current = os.fstat(self._file).st_nlink > 0
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
                continue
            except OSError as error:  # a file system without locks, or a failing one
                self._reason = error.strerror or "failed"
                return False
            self._tries = _LOCK_TRIES
            if current:
                return True
            self._follow()
        self._tries = 1
        return False

    def _append(self, month: str) -> None:
        """Called with the file locked and followed: what is behind the last whole line is torn."""
        assert self._file is not None  # noqa: S101 it is locked
        if os.fstat(self._file).st_size > self._at:
            os.ftruncate(self._file, self._at)
        waiting = b"".join(self._backlog)
        if os.write(self._file, waiting) < len(waiting):
            os.ftruncate(self._file, self._at)
            self._reason = "disk full"
            return
        self._backlog.clear()
        self._reason = ""
        self._at += len(waiting)
        if self._at > self._longest:
            self._renew(month)

    def _renew(self, month: str) -> None:
        """Put a shorter file in the place of this one: totals of the month, and what is held; then a line that ends them."""
        assert self._file is not None  # noqa: S101 it is locked
        lines = shortened(self._parsed(os.pread(self._file, self._at, 0)), month)
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(self._encoder.encode(line) + b"\n" for line in lines) + _RENEWED)
            size = file.tell()
        fresh.replace(self._path)
        self._open()
        self._at = size
        self._longest = max(LONGEST_BYTES, 2 * size)


_RENEWED = b'["renewed"]\n'


def shortened(lines: list[Line], month: str) -> list[Line]:
    """The same in fewer lines, as far as a month is concerned: totals by payer, and what is still held."""
    held: dict[str, Held] = {}
    costs: Counter[Payer] = Counter()
    unpriced: Counter[Payer] = Counter()
    for line in lines:
        match line:
            case Held():
                held[line.id] = line
            case Total():
                costs[line.payer] += line.cost
                unpriced[line.payer] += line.unpriced
            case Settled() if line.id in held:
                payer = held.pop(line.id).payer
                costs[payer] += line.cost or 0
                unpriced[payer] += line.cost is None
            case _:
                pass
    totals = [Total(payer, cost, unpriced[payer]) for payer, cost in costs.items() if payer.day.startswith(month)]
    return [*totals, *(each for each in held.values() if each.payer.day.startswith(month))]
