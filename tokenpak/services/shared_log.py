"""A log on disk that all slots share: records in one order, each taken in once by every slot, found again after a restart.

A slot appends under a lock, and takes in what others wrote before it decides on its own record. The difficulty is what
goes wrong: a crash tears the last record, which the next writer cuts off; damage in the middle is stepped over and
counted; a log grown too long is written anew and put in the place of the old one while other slots are reading that. A
disk that refuses, or a slot that was stopped with the lock in its hands, costs agreement with other slots and with the
next start until it is over: records wait in memory, counted, and nobody else is kept waiting.
"""

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

Record = TypeVar("Record")

BACKLOG_BYTES = 4 * 2**20
"""Records that wait for the disk; the oldest go when there are more."""

_LOCK_TRIES, _LOCK_PAUSE_S = 25, 0.002
_HEADER = struct.Struct("<4sII")
_MAGIC = b"TPK1"
_RENEWED = _HEADER.pack(_MAGIC, 0, 0)
"""A record of nothing, at the head of a log that was written anew: it says all that was said before, in fewer words."""


class Trouble(NamedTuple):
    """unsaved: records that are not on disk. unread: records, or looks at the file, that failed. reason: the last, or ""."""

    unsaved: int
    unread: int
    reason: str


class Use(NamedTuple, Generic[Record]):
    """What a slot makes of the records.

    take: called with each, of whichever slot. forget: called when all that holds is about to be told again; it may do nothing
    where taking a record twice does no harm. shortened: what says as much as all the records of the log, in fewer.
    """

    take: Callable[[Record], None]
    forget: Callable[[], None]
    shortened: Callable[[Iterator[Record]], Iterable[Record]]


class SharedLog(Generic[Record]):
    """Records in one file at `path`. room: bytes beyond which it is written anew. No error of a disk leaves this."""

    def __init__(self, path: Path, decoder: msgspec.msgpack.Decoder[Record], use: Use[Record], room: int) -> None:
        self._path, self._use, self._room = path, use, room
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), decoder
        self._file: int | None = None
        self._at = 0
        self._longest = room
        self._backlog: list[bytes] = []
        self._waiting = 0
        self._tries = _LOCK_TRIES
        self._unread = self._dropped = 0
        self._reason = ""
        self.follow()

    def write(self, make: Callable[[], Record | None]) -> None:
        """Append the record that `make` gives once all other slots' records are taken in; None: nothing."""
        locked = self._lock()
        whole = self.follow()
        try:
            record = make()
            if record is not None:
                self._use.take(record)
                self._keep(record)
            if locked and whole and self._backlog:
                self._append()
        except OSError as error:  # disk full or gone: what waits in the backlog is counted
            self._note(error)
        finally:
            if locked and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def follow(self) -> bool:
        """Take in what was appended since the last look; go on in the file that was put in the place of this one.

        False where the disk fails, and there may be more.
        """
        try:
            if self._file is None:
                self._open()
            elif os.fstat(self._file).st_nlink == 0:
                self._read_on()
                self._open()
            self._read_on()
        except OSError as error:
            self._unread += self._file is not None
            self._note(error)
            return False
        return True

    def trouble(self) -> Trouble:
        """What is wrong with the file."""
        return Trouble(len(self._backlog) + self._dropped, self._unread, self._reason)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    # ---------------------------------------------------------------- reading

    def _open(self) -> None:
        """Turn to the file that stands at the path; the one read so far is kept where that fails."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.close()
        self._file, self._at = file, 0

    def _read_on(self) -> None:
        if self._file is None:
            return
        size = os.fstat(self._file).st_size
        self._at = min(self._at, size)  # somebody cut it short
        if size == self._at:
            return
        data = os.pread(self._file, size - self._at, self._at)
        if self._at > 0 or not data.startswith(_RENEWED):
            self._at += self._taken(data)
            return
        self._use.forget()
        self._at += self._taken(data)
        self._taken(b"".join(self._backlog))

    def _taken(self, data: bytes) -> int:
        """Take in the whole records in `data`; the number of bytes up to the end of the last."""
        end = 0
        for start, payload in _payloads(data):
            self._unread += start != end
            end = start + _HEADER.size + len(payload)
            record = self._decoded(payload)
            if record is not None:
                self._use.take(record)
            elif payload:
                self._unread += 1
        return end

    def _decoded(self, payload: bytes) -> Record | None:
        try:
            return self._decoder.decode(payload) if payload else None
        except msgspec.DecodeError:  # of a version that writes other records
            return None

    # ---------------------------------------------------------------- writing

    def _lock(self) -> bool:
        """Lock the file that stands at the path now; another slot may have put a new one there meanwhile.

        After one wait in vain no more time is spent on waiting until the lock is free again.
        """
        for _ in range(self._tries):
            try:
                if self._file is None:
                    self._open()
                locked = self._is_locked()
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
            except OSError as error:  # no place, a file system without locks, or a failing one
                self._note(error)
                return False
            else:
                self._tries = _LOCK_TRIES
                return locked
        self._tries = 1
        return False

    def _is_locked(self) -> bool:
        """Lock the file, or the one that has come in its place; False where that cannot be had. Raises OSError."""
        assert self._file is not None  # noqa: S101 it is open
        file, stands = self._file, False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            stands = os.fstat(file).st_nlink > 0
        finally:
            if not stands:
                fcntl.flock(file, fcntl.LOCK_UN)  # others may be in it still, on their way to the next one
        if stands:
            return True
        self.follow()
        return self._file != file and self._is_locked()

    def _keep(self, record: Record) -> None:
        self._backlog.append(self._framed(record))
        self._waiting += len(self._backlog[-1])
        while len(self._backlog) > 1 and self._waiting > BACKLOG_BYTES:
            self._waiting -= len(self._backlog.pop(0))
            self._dropped += 1

    def _append(self) -> None:
        """Called with the file locked and read: no other slot is writing, so what is behind its last record is torn."""
        assert self._file is not None  # noqa: S101 it is locked
        if os.fstat(self._file).st_size > self._at:
            os.ftruncate(self._file, self._at)
        waiting = b"".join(self._backlog)
        if os.write(self._file, waiting) < len(waiting):
            os.ftruncate(self._file, self._at)
            self._reason = "disk full"
            return
        self._backlog.clear()
        self._waiting = 0
        self._reason = ""
        self._at += len(waiting)
        if self._at > self._longest:
            self._renew()

    def _renew(self) -> None:
        """Put a shorter file in the place of this one."""
        assert self._file is not None  # noqa: S101 it is locked
        self._longest = self._at + self._room // 2  # should it fail, the next try comes that much later
        fresh = self._path.with_suffix(".new")
        try:
            size, written = self._write_shortened(fresh)
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._open()
        if os.fstat(self._file).st_ino == written:
            self._at = size
        self._longest = max(self._room, 2 * size)

    def _write_shortened(self, fresh: Path) -> tuple[int, int]:
        """The size of the new file, and its number on the disk."""
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_RENEWED)
            file.writelines(map(self._framed, self._use.shortened(self._records())))
            return file.tell(), os.fstat(descriptor).st_ino

    def _records(self) -> Iterator[Record]:
        """All that is in the file; read when the first is asked for, as not everybody wants them."""
        assert self._file is not None  # noqa: S101 it is locked
        for _, payload in _payloads(os.pread(self._file, self._at, 0)):
            record = self._decoded(payload)
            if record is not None:
                yield record

    def _framed(self, record: Record) -> bytes:
        payload = self._encoder.encode(record)
        return _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload

    def _note(self, error: OSError) -> None:
        self._reason = error.strerror or "failed"


def _payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The payloads of the whole records in `data`, and where each record begins. Damage is stepped over."""
    at = 0
    while at >= 0:
        payload = _payload(data, at)
        if payload is None:
            at = data.find(_MAGIC, at + 1)
            continue
        yield at, payload
        at += _HEADER.size + len(payload)


def _payload(data: bytes, at: int) -> bytes | None:
    """The payload of the whole record at `at`, or None where there is none."""
    if at + _HEADER.size > len(data):
        return None
    magic, length, check = _HEADER.unpack_from(data, at)
    payload = data[at + _HEADER.size : at + _HEADER.size + length]
    return payload if magic == _MAGIC and len(payload) == length and zlib.crc32(payload) == check else None
