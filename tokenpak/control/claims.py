"""Who lives in a state directory: each process holds a lock on a file that carries its name and pid.

A killed supervisord leaves its children behind, and a child's successor must not open the same socket before the child
has left: libzmq unlinks the path when the older one closes it. A lock, unlike a pid in a file, dies with its process
and cannot be mistaken for somebody else's after the pid has been used again.
"""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO

from tokenpak.config.paths import Paths

PATIENCE_S = 5.0
"""How long an orphan of a killed supervisord may hold its name before its successor ends it."""

RETRY_S = 0.02


class Claim:
    """A name held by this process until it exits or lets go."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self._path = path
        self._file = file

    def release(self) -> None:
        _held.pop(self._path, None)
        self._file.close()


_held: dict[Path, Claim] = {}
"""Claims of this process. It keeps them, so that a caller need not, and finds its own again."""


def claim(paths: Paths, name: str, patience_s: float = PATIENCE_S) -> Claim:
    """Take `name`, waiting for an earlier holder to leave, and killing it when it does not within `patience_s`.

    Asking again for a name this process holds gives the same claim.
    """
    path = paths.boots / f"{name}.pid"
    deadline = time.monotonic() + patience_s
    while path not in _held:
        file = path.open("a+")
        if _locked(file):
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            _held[path] = Claim(path, file)
            break
        if time.monotonic() > deadline:
            _kill_holder(file)
            deadline = time.monotonic() + patience_s
        file.close()
        time.sleep(RETRY_S)
    return _held[path]


def claim_beside(paths: Paths, name: str) -> Claim:
    """Show this process as one of several called `name`: a draining front slot lives on beside its successor."""
    return claim(paths, f"{name}-{os.getpid()}")


def holders(paths: Paths) -> dict[str, int]:
    """Living processes of this state directory: claimed name -> pid. Removes what the dead have left."""
    found: dict[str, int] = {}
    for path in sorted(paths.boots.glob("*.pid")):
        with contextlib.suppress(FileNotFoundError), path.open("r+") as file:
            if _locked(file):
                path.unlink()
            elif (pid := _pid_in(file)) is not None:
                found[path.stem] = pid
    return found


def _locked(file: IO[str]) -> bool:
    """Whether this process now holds the name. A lock on a file that was unlinked in between holds nothing."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.stat(file.name).st_ino == os.fstat(file.fileno()).st_ino  # noqa: PTH116 file.name is a str
    except (BlockingIOError, FileNotFoundError):
        return False


def _pid_in(file: IO[str]) -> int | None:
    """The pid in the file; None in the instant between a claimer's lock and its writing."""
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdigit() else None


def _kill_holder(file: IO[str]) -> None:
    pid = _pid_in(file)
    if pid is not None and pid != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def number_in_locked(path: Path) -> int | None:
    """The number a file holds while somebody has it locked; None where nobody does, or it holds none."""
    try:
        with path.open("r") as file:
            try:
                # A shared lock: two that ask at once do not take each other for the holder.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        pass
    return None
