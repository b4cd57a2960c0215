"""The plan memory: how every block of every conversation was sent, shared by slots, surviving restarts.

One append-only file in the private runtime directory. A slot writes a record before the request it is about is sent, in
one locked append, and reads what other slots wrote before it decides that its own is the first word on a block; a crash
can tear only the last record, which the next writer cuts off. What is held is bounded: conversations not used for
longest are forgotten, and a file grown too long is written anew with what is held. A disk that refuses, or a slot that
was stopped while it held the lock, costs persistence until it is over, counted, and nothing else.
"""

import fcntl
import os
import struct
import time
import zlib
from collections import OrderedDict
from pathlib import Path

import msgspec

from tokenpak.core.patch import Form

_HEADER = struct.Struct("<4sII")
_MAGIC = b"TPK1"
_FORM_COST = 120
"""Bytes that stand for a form's own size in the bound."""

FAMILY_FORMS = 16_384
"""Forms held of one family; they travel with each of its jobs. Beyond that it is begun anew."""

BACKLOG_BYTES = 4 * 2**20
"""Records that wait for the disk; the oldest go when there are more."""

_LOCK_TRIES, _LOCK_PAUSE_S = 25, 0.002


class _Record(msgspec.Struct, array_like=True):
    family: bytes
    forms: tuple[Form, ...] = ()
    stopped: bool = False


class _Family:
    __slots__ = ("forms", "size", "stopped")

    def __init__(self) -> None:
        self.forms: dict[bytes, Form] = {}
        self.stopped = False
        self.size = _FORM_COST


class PlanMemory:
    """Forms by conversation family. `path`: the file; `bound`: bytes held in memory, and about half of the file's most."""

    def __init__(self, path: Path, bound: int) -> None:
        self._path, self._bound = path, bound
        self._families: OrderedDict[bytes, _Family] = OrderedDict()
        self._size = 0
        self._at = 0
        self._longest = 2 * bound
        self._backlog: list[bytes] = []
        self._tries = _LOCK_TRIES
        self._unsaved = self._unread = self._forgotten = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(_Record)
        self._file: int | None = None
        self._open()
        self._follow()

    def forms(self, family: bytes) -> tuple[Form, ...]:
        """Every form known for a conversation family."""
        self._follow()
        known = self._families.get(family)
        if known is None:
            return ()
        self._families.move_to_end(family)
        return tuple(known.forms.values())

    def stopped(self, family: bytes) -> bool:
        """True when new edits were stopped for a conversation family."""
        known = self._families.get(family)
        return known is not None and known.stopped

    def commit(self, family: bytes, forms: tuple[Form, ...]) -> bool:
        """Keep how blocks are about to be sent: all of them, or none and False where one has been sent otherwise."""
        return self._write(_Record(family, forms)) if forms else True

    def stop(self, family: bytes) -> None:
        """Make no new edits for a conversation family any more."""
        if not self.stopped(family):
            self._write(_Record(family, stopped=True))

    def statistics(self) -> dict[str, int]:
        """Families, forms and bytes held; records not on disk, or not readable there; families forgotten for want of room."""
        return {
            "families": len(self._families),
            "forms": sum(len(family.forms) for family in self._families.values()),
            "bytes": self._size,
            "unsaved": self._unsaved + len(self._backlog),
            "unread": self._unread,
            "forgotten": self._forgotten,
            "stopped": sum(family.stopped for family in self._families.values()),
        }

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self, record: _Record) -> None:
        known = self._families.pop(record.family, None)
        self._size -= known.size if known else 0
        known = self._families[record.family] = known or _Family()
        known.stopped = known.stopped or record.stopped
        if len(known.forms) + len(record.forms) > FAMILY_FORMS:
            known.forms, known.size = {}, _FORM_COST
            self._forgotten += 1
        for form in record.forms:
            if form.chain not in known.forms:
                known.forms[form.chain] = form
                known.size += _FORM_COST + sum(len(change.new) for change in form.changes)
        self._size += known.size
        while self._size > self._bound and len(self._families) > 1:
            self._size -= self._families.popitem(last=False)[1].size
            self._forgotten += 1

    def _open(self) -> None:
        self.close()
        self._at = 0
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            self._file = None  # a memory without a file still serves this slot; each write tries again

    def _follow(self) -> None:
        """Take in what was appended since the last look, by whichever slot; move on when the file was written anew."""
        try:
            if self._file is not None and os.fstat(self._file).st_nlink == 0:
                self._open()
            if self._file is None:
                return
            size = os.fstat(self._file).st_size
            if size < self._at:
                self._at = 0  # somebody cut it short
            if size > self._at:
                self._at += self._read(os.pread(self._file, size - self._at, self._at))
        except OSError:
            self._unread += 1  # the disk fails: what is held goes on to hold

    def _read(self, data: bytes) -> int:
        """Take in the whole records in `data`; the number of bytes up to the end of the last. Damage is stepped over."""
        at = end = 0
        while at >= 0:
            payload = _payload(data, at)
            if payload is None:
                at = data.find(_MAGIC, at + 1)
                continue
            self._unread += at != end
            try:
                self._take(self._decoder.decode(payload))
            except msgspec.DecodeError:
                self._unread += 1  # written by a version that keeps records otherwise; its blocks are new to this one
            at = end = at + _HEADER.size + len(payload)
        return end

    def _write(self, record: _Record) -> bool:
        locked = self._lock()
        try:
            if locked:
                self._follow()
            news = self._news(record)
            if news is None:
                return False
            if news.forms or news.stopped:
                self._take(news)
                self._keep(news)
            if locked and self._backlog:
                self._append()
        except OSError:
            pass  # disk full or gone: held in memory, sent all the same; it waits in the backlog, which is counted
        finally:
            if locked and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

    def _news(self, record: _Record) -> _Record | None:
        """What of a record is not known yet; None where what is known contradicts it."""
        family = self._families.get(record.family)
        known = family.forms if family else {}
        if any(form.chain in known and known[form.chain].changes != form.changes for form in record.forms):
            return None
        return _Record(record.family, tuple(f for f in record.forms if f.chain not in known), record.stopped)

    def _keep(self, record: _Record) -> None:
        self._backlog.append(self._framed(record))
        while len(self._backlog) > 1 and sum(map(len, self._backlog)) > BACKLOG_BYTES:
            del self._backlog[0]
            self._unsaved += 1

    def _lock(self) -> bool:
        """Lock the file that stands at the path now; another slot may have put a new one there meanwhile.

        After one wait in vain no more time is spent on waiting until the lock is free again.
        """
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
            except OSError:  # a file system without locks, or a failing one
                self.close()
                return False
            self._tries = _LOCK_TRIES
            if current:
                return True
            self._open()
        self._tries = 1
        return False

    def _append(self) -> None:
        """Called with the file locked: no other slot is writing, so bytes that are no whole record are a torn one."""
        if self._file is None:
            return
        if os.fstat(self._file).st_size > self._at:
            os.ftruncate(self._file, self._at)
        waiting = b"".join(self._backlog)
        if os.write(self._file, waiting) < len(waiting):
            os.ftruncate(self._file, self._at)
            return
        self._backlog.clear()
        self._at += len(waiting)
        if self._at > self._longest:
            self._renew()

    def _framed(self, record: _Record) -> bytes:
        payload = self._encoder.encode(record)
        return _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload

    def _renew(self) -> None:
        """Write the file anew with what is held, and put it in place of the old one."""
        self._longest = self._at + self._bound  # should it fail, the next try comes that much later
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for family, known in self._families.items():
                file.write(self._framed(_Record(family, tuple(known.forms.values()), known.stopped)))
            size = file.tell()
        written = fresh.stat().st_ino
        fresh.replace(self._path)
        self._open()
        if self._file is not None and os.fstat(self._file).st_ino == written:
            self._at = size
        self._longest = 2 * max(self._bound, size)


def _payload(data: bytes, at: int) -> bytes | None:
    """The payload of the whole record at `at`, or None where there is none."""
    if at + _HEADER.size > len(data):
        return None
    magic, length, check = _HEADER.unpack_from(data, at)
    payload = data[at + _HEADER.size : at + _HEADER.size + length]
    return payload if magic == _MAGIC and len(payload) == length and zlib.crc32(payload) == check else None
