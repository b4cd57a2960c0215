"""Event journals on disk: what a front has told the writer and not yet seen acknowledged.

A front owns one lock file and a row of segment files, named by its instance UUID. Appending is one `write`, which survives
the death of the process (not of the machine). A segment goes when its last event is acknowledged. Whoever can take the lock
of a journal knows that its front is gone: the kernel lets go of it at the moment of death and not before, so a front that is
only stopped keeps its journal. The difficulties: a write may be torn or refused half-way, so every record carries a checksum
and a refused write is cut off again; and a lock file may be deleted between being opened and being locked, so its name is
looked up again once the lock is held.

A reader of a torn segment takes every record before the tear and nothing after it.
"""

import contextlib
import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tokenpak.ipc.event_frames import FRONT_BYTES, MAX_BODY

MAGIC = b"TPJ1"
SEGMENT_BYTES = 1 << 20
"""A segment is closed beyond this; a few thousand events."""
JOURNAL_BYTES = 512 << 20
"""Most that one front leaves on disk while no writer answers: more than a million events."""
EMPTIED_BYTES = 1 << 16
"""An acknowledged segment still in use is emptied beyond this, so that little is replayed after a crash."""

_HEAD = struct.Struct(f">4s{FRONT_BYTES}s")
_RECORD = struct.Struct(">IIQ")
"""Length of the event, crc32 of sequence number and event, sequence number."""
_NAME = re.compile(r"([0-9a-f]{32})\.(?:lock|(\d{8})\.events)")
_PRIVATE = 0o600


class Place(msgspec.Struct, frozen=True):
    """Where a record starts: segment number and byte offset."""

    segment: int
    offset: int


class Record(msgspec.Struct, frozen=True):
    """One journalled event, still encoded, and the segment to acknowledge it to."""

    segment: int
    seq: int
    body: bytes


class _Segment:
    """waiting: events in it that are not acknowledged. Only the segment in use has an open file."""

    __slots__ = ("path", "size", "waiting")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = _HEAD.size
        self.waiting = 0


class Journal:
    """The journal of a living front. Nothing here raises OSError: a disk that refuses makes `append` answer None."""

    def __init__(self, directory: Path, front: bytes) -> None:
        self._directory, self._front = directory, front
        self._lock: int | None = None
        self._segments: dict[int, _Segment] = {}
        self._number = 0
        self._file: int | None = None
        self._size = 0
        self.trouble: str | None = None
        """Why the last append failed; None after one that worked."""

    def append(self, seq: int, body: bytes) -> Place | None:
        """Write one event. None when the disk refuses or the bound is reached; then nothing of it is left on disk."""
        try:
            place = self._append(seq, body)
        except OSError as error:  # full, read-only, over a limit, gone: savings and traffic do not depend on it
            self.trouble = error.strerror or type(error).__name__
            return None
        self.trouble = None
        return place

    def acknowledge(self, number: int) -> None:
        """One event of that segment is committed. Deletes the segment with its last one."""
        segment = self._segments[number]
        segment.waiting -= 1
        if segment.waiting:
            return
        if self._file is None or number != self._number:
            self._delete(number)
        elif segment.size > EMPTIED_BYTES:
            self._empty(segment, self._file)

    def read(self, place: Place, limit: int) -> tuple[list[Record], Place]:
        """Up to `limit` records from `place` on, and where to go on. Raises OSError if a file cannot be read."""
        records: list[Record] = []
        for number in sorted(number for number in self._segments if number >= place.segment):
            start = place.offset if number == place.segment else _HEAD.size
            data = _read(self._segments[number], start)
            for at, seq, body in _records(data, 0):
                if len(records) == limit:
                    return records, Place(number, start + at)
                records.append(Record(number, seq, body))
            place = Place(number, self._segments[number].size)
        return records, place

    def close(self) -> None:
        """Leave the unacknowledged events to the writer; leave nothing if there are none. Lets go of the lock."""
        self._retire()
        if self._lock is not None:
            if not self._segments:
                _unlink(_lock_path(self._directory, self._front))
            os.close(self._lock)
            self._lock = None

    def _append(self, seq: int, body: bytes) -> Place:
        file = self._file
        if file is None or self._segments[self._number].size > SEGMENT_BYTES:
            file = self._next_segment()
        segment = self._segments[self._number]
        record, start = _record(seq, body), segment.size
        _write(file, record, start)
        segment.size += len(record)
        segment.waiting += 1
        self._size += len(record)
        return Place(self._number, start)

    def _next_segment(self) -> int:
        if self._size > JOURNAL_BYTES:
            raise OSError(0, "the journal has reached its bound")
        if self._lock is None:
            self._lock = _lock_own(self._directory, self._front)
        self._retire()
        segment = _Segment(self._directory / f"{self._front.hex()}.{self._number + 1:08d}.events")
        file = os.open(segment.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        try:
            _write(file, _HEAD.pack(MAGIC, self._front), 0)
        except OSError:
            os.close(file)
            raise
        self._number += 1
        self._segments[self._number] = segment
        self._file = file
        return file

    def _retire(self) -> None:
        if self._file is None:
            return
        os.close(self._file)
        self._file = None
        if not self._segments[self._number].waiting:
            self._delete(self._number)

    def _delete(self, number: int) -> None:
        segment = self._segments.pop(number)
        self._size -= segment.size - _HEAD.size
        _unlink(segment.path)

    def _empty(self, segment: _Segment, file: int) -> None:
        with contextlib.suppress(OSError):  # then it is replayed, which changes nothing
            os.ftruncate(file, _HEAD.size)
            self._size -= segment.size - _HEAD.size
            segment.size = _HEAD.size


class Abandoned:
    """The journal of a front that is gone, held by its lock until `release`."""

    def __init__(self, directory: Path, front: bytes, lock: int) -> None:
        self._directory, self.front = directory, front
        self._lock: int | None = lock
        self.torn = 0
        """Segments read so far that end in bytes which are no record."""

    def events(self) -> Iterator[tuple[int, bytes]]:
        """Sequence number and encoded event of every whole record, in order of writing."""
        for path in self._segments():
            data = path.read_bytes()
            end = 0
            if data[: _HEAD.size] == _HEAD.pack(MAGIC, self.front):
                end = _HEAD.size
                for at, seq, body in _records(data, end):
                    end = at + _RECORD.size + len(body)
                    yield seq, body
            self.torn += end < len(data)

    def delete(self) -> None:
        """Remove the segments, then the lock file: killed half-way, this journal is simply found again. Raises OSError."""
        for path in self._segments():
            path.unlink()
        _lock_path(self._directory, self.front).unlink(missing_ok=True)

    def release(self) -> None:
        """Let go of the lock and leave the files that are left. May be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _segments(self) -> list[Path]:
        return sorted(self._directory.glob(f"{self.front.hex()}.*.events"))


def fronts(directory: Path) -> list[bytes]:
    """Every front that has a file here, dead or alive. Raises OSError if the directory cannot be read."""
    names = (_NAME.fullmatch(name) for name in os.listdir(directory))  # noqa: PTH208 names are all that is wanted
    return sorted({bytes.fromhex(name[1]) for name in names if name})


def adopt(directory: Path, front: bytes) -> Abandoned | None:
    """The journal of a front if nobody holds its lock, else None. Raises OSError."""
    lock = _lock(directory, front)
    return None if lock is None else Abandoned(directory, front, lock)


def _lock_path(directory: Path, front: bytes) -> Path:
    return directory / f"{front.hex()}.lock"


def _lock(directory: Path, front: bytes) -> int | None:
    path = _lock_path(directory, front)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), path.stat()):
            return fd
    except (BlockingIOError, FileNotFoundError):  # somebody holds it, or has just deleted it
        pass
    except OSError:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _lock_own(directory: Path, front: bytes) -> int:
    # Only a writer that has found the new file empty-handed can be in the way, and only for a moment.
    for _ in range(3):
        lock = _lock(directory, front)
        if lock is not None:
            return lock
    raise OSError(0, "the journal is locked by another process")


def _record(seq: int, body: bytes) -> bytes:
    checked = seq.to_bytes(8, "big") + body
    return _RECORD.pack(len(body), zlib.crc32(checked), seq) + body


def _records(data: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Offset, sequence number and event of each record from `at` to the end or the first tear."""
    while at + _RECORD.size <= len(data):
        length, check, seq = _RECORD.unpack_from(data, at)
        start = at + _RECORD.size
        body = data[start : start + length]
        if length > MAX_BODY or len(body) < length or zlib.crc32(seq.to_bytes(8, "big") + body) != check:
            return
        yield at, seq, body
        at = start + length


def _write(file: int, data: bytes, at: int) -> None:
    try:
        written = os.pwrite(file, data, at)
    except OSError:
        _cut(file, at)
        raise
    if written < len(data):
        _cut(file, at)
        raise OSError(0, "short write")


def _cut(file: int, at: int) -> None:
    # The next record starts where this one did, so should cutting fail too, it covers the torn bytes.
    with contextlib.suppress(OSError):
        os.ftruncate(file, at)


def _read(segment: _Segment, start: int) -> bytes:
    with segment.path.open("rb") as file:
        file.seek(start)
        return file.read(segment.size - start)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # deleted by somebody else, or a disk that refuses: it is replayed, to no effect
        path.unlink()
