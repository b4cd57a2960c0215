"""The plan memory: how every block of every conversation was sent, shared by slots, surviving restarts.

One append-only file in the private runtime directory. A slot writes a record before the request it is about is sent, in
one locked append, and reads what other slots wrote before it answers; a crash can tear only the last record, which the
next writer cuts off. What is held is bounded: conversations not used for longest are forgotten, and a file grown too
long is written anew with what is held. A disk that refuses costs persistence, counted, and nothing else.
"""

import fcntl
import os
import struct
import zlib
from collections import OrderedDict
from pathlib import Path

import msgspec

from tokenpak.core.patch import Form

_HEADER = struct.Struct("<4sII")
_MAGIC = b"TPK1"
_FORM_COST = 120
"""Bytes that stand for a form's own size in the bound."""


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
        self._unsaved = 0
        self._unread = 0
        self._forgotten = 0
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

    def commit(self, family: bytes, forms: tuple[Form, ...]) -> None:
        """Keep how blocks are about to be sent. What has a form already keeps the one it has."""
        if forms:
            self._write(_Record(family, forms))

    def stop(self, family: bytes) -> None:
        """Make no new edits for a conversation family any more."""
        if not self.stopped(family):
            self._write(_Record(family, stopped=True))

    def statistics(self) -> dict[str, int]:
        """Families, forms and bytes held; records not saved, or not readable; families forgotten for want of room."""
        return {
            "families": len(self._families),
            "forms": sum(len(family.forms) for family in self._families.values()),
            "bytes": self._size,
            "unsaved": self._unsaved,
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
        known = self._families.setdefault(record.family, _Family())
        self._families.move_to_end(record.family)
        known.stopped = known.stopped or record.stopped
        before = known.size
        for form in record.forms:
            if form.chain not in known.forms:
                known.forms[form.chain] = form
                known.size += _FORM_COST + sum(len(change.new) for change in form.changes)
        self._size += known.size - before
        while self._size > self._bound and len(self._families) > 1:
            self._size -= self._families.popitem(last=False)[1].size
            self._forgotten += 1

    def _open(self) -> None:
        self.close()
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            self._unsaved += 1  # a memory without a file still serves this slot
        self._at = 0

    def _follow(self) -> None:
        """Take in what was appended since the last look, by whichever slot; move on when the file was written anew."""
        if self._file is None:
            return
        state = os.fstat(self._file)
        if state.st_nlink == 0:
            self._open()
            self._follow()
        elif state.st_size > self._at:
            data = os.pread(self._file, state.st_size - self._at, self._at)
            self._at += self._read(data)

    def _read(self, data: bytes) -> int:
        """Take in the whole records at the front of `data`; the number of bytes they fill."""
        at = 0
        while at + _HEADER.size <= len(data):
            magic, length, check = _HEADER.unpack_from(data, at)
            payload = data[at + _HEADER.size : at + _HEADER.size + length]
            if magic != _MAGIC or len(payload) < length or zlib.crc32(payload) != check:
                break
            try:
                self._take(self._decoder.decode(payload))
            except msgspec.DecodeError:
                self._unread += 1  # written by a version that keeps records otherwise; its blocks are new to this one
            at += _HEADER.size + length
        return at

    def _write(self, record: _Record) -> None:
        self._take(record)
        if self._file is None:
            self._unsaved += 1
            return
        try:
            self._lock()
            try:
                self._append(record)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError:
            self._unsaved += 1  # disk full or gone: held in memory, sent all the same

    def _lock(self) -> None:
        """Lock the file that stands at the path now; another slot may have put a new one there meanwhile."""
        while self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if os.fstat(self._file).st_nlink:
                return
            self._open()
        raise OSError("no file")

    def _append(self, record: _Record) -> None:
        """Called with the file locked: no other slot is writing, so bytes that are no whole record are a torn one."""
        if self._file is None:
            raise OSError("no file")
        self._follow()
        if os.fstat(self._file).st_size > self._at:
            os.ftruncate(self._file, self._at)
        framed = self._framed(record)
        if os.write(self._file, framed) < len(framed):
            os.ftruncate(self._file, self._at)
            raise OSError("short write")
        self._at += len(framed)
        if self._at > 2 * self._bound:
            self._renew()

    def _framed(self, record: _Record) -> bytes:
        payload = self._encoder.encode(record)
        return _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload

    def _renew(self) -> None:
        """Write the file anew with what is held, and put it in place of the old one."""
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for family, known in self._families.items():
                file.write(self._framed(_Record(family, tuple(known.forms.values()), known.stopped)))
        fresh.replace(self._path)
        self._open()
