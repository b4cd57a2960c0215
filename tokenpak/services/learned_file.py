"""The file of what was learned of each model: one for all slots, found again after a restart.

It is small and written whole, beside the old one and then in its place, so that a crash leaves one or the other. The
difficulty is that two slots write it while one takes over from the other. So whoever writes holds a lock, takes in first
what the other has written since, and writes both; which of two pictures of one model holds is for `services/learned` to
say. A file that cannot be read is as good as none: everything is learned anew, and that is counted. A disk that refuses
costs what was learned since, at the next start, and nothing before.
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

LARGEST_BYTES = 256 * 1024
"""A longer file is none of ours: 256 models with the longest names that are kept come to less."""
LONGEST_NAME = 256
"""Characters of a model's name. It is the client's word; one that has more is not kept."""

_LOCK_TRIES, _LOCK_PAUSE_S = 5, 0.002

_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Worth = Annotated[float, Meta(gt=0, le=1e6)]
_Share = Annotated[float, Meta(ge=0, le=1)]


class Kept(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is known of a model at a provider: see `services.learned`, whose words these are."""

    provider: str
    model: str
    token: _Worth
    samples: _Count
    mean: _Worth
    variance: Annotated[float, Meta(ge=0, le=1e12)]
    drift: _Share
    replies: _Count
    halted: bool


class Trouble(NamedTuple):
    """unread: files that could not be read. unsaved: writings that failed. reason: the last error's, or ""."""

    unread: int
    unsaved: int
    reason: str


class LearnedFile:
    """All models that are known, in one file at `path`. Nothing here raises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._unread = self._unsaved = 0
        self._reason = ""

    def news(self) -> tuple[Kept, ...]:
        """The models as others have written them since this was asked or written last; empty where nobody has."""
        try:
            if _mark(self._path.stat()) == self._seen:
                return ()
            with self._path.open("rb") as file:
                self._seen = _mark(os.fstat(file.fileno()))
                raw = file.read(LARGEST_BYTES + 1)
            return _parsed(raw)
        except FileNotFoundError:
            return ()
        except OSError as error:
            self._note_unread(error.strerror or "failed")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._note_unread("damaged, or of another version")
        return ()

    def write(self, make: Callable[[tuple[Kept, ...]], Sequence[Kept]]) -> bool:
        """Put in the file's place what `make` returns when it is told the news. False: not now, or the disk refused."""
        try:
            lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            return self._failed(error)
        try:
            if not _locked(lock):
                return False
            self._replace([line for line in map(_line, make(self.news())) if line is not None])
        except OSError as error:
            return self._failed(error)
        finally:
            os.close(lock)
        self._reason = ""
        return True

    def trouble(self) -> Trouble:
        """What is wrong with the file."""
        return Trouble(self._unread, self._unsaved, self._reason)

    def _replace(self, lines: Sequence[bytes]) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"[" + b",\n".join(lines) + b"]\n")
            file.flush()
            written = _mark(os.fstat(file.fileno()))
        fresh.replace(self._path)
        self._seen = written

    def _note_unread(self, reason: str) -> None:
        self._unread += 1
        self._reason = reason

    def _failed(self, error: OSError) -> bool:
        self._unsaved += 1
        self._reason = error.strerror or "failed"
        return False


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    """What tells a file from the one that stood there before."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def _locked(lock: int) -> bool:
    """Whether it is ours now; the other slot holds it for a moment only."""
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False


def _line(kept: Kept) -> bytes | None:
    """A model as it is written; None where it could not be read again, which would cost all the others as well."""
    try:
        line = msgspec.json.encode(kept)
        msgspec.json.decode(line, type=Kept)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None
    return line if len(kept.model) <= LONGEST_NAME else None


def _parsed(raw: bytes) -> tuple[Kept, ...]:
    """Raises msgspec.DecodeError."""
    if len(raw) > LARGEST_BYTES:
        raise msgspec.DecodeError("too long")
    return msgspec.json.decode(raw, type=tuple[Kept, ...])
