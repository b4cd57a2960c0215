"""Which front slot serves, and how the other one takes over.

Exactly one slot is the active one, named in a file; a slot that starts and is not called exits at once. A takeover must
survive the death of whoever directs it, at any instant: the active slot stays the active one until the other is ready,
and the other is called by a lease, a locked file, that dies with its holder. So there is always a slot that starts
again after a crash.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tokenpak.config import whole_file
from tokenpak.config.paths import Paths
from tokenpak.control.claims import number_in_locked

SLOTS = (1, 2)
KEEPER_SLOT = 0


class TakeoverUnderWay(Exception):  # noqa: N818 named by what is the case
    """Somebody else is restarting the front right now."""


def active_slot(paths: Paths) -> int:
    """The slot that serves: 1 unless the file says 2."""
    try:
        return 2 if paths.active_slot.read_text().strip() == "2" else 1
    except FileNotFoundError:
        return 1


def other_slot(slot: int) -> int:
    return 3 - slot


def activate(paths: Paths, slot: int) -> None:
    """Make `slot` the one that serves, in one step on disk."""
    whole_file.put(paths.active_slot, f"{slot}\n".encode())


@contextlib.contextmanager
def takeover(paths: Paths, slot: int) -> Iterator[None]:
    """While inside, `slot` is called although it is not active. Raises TakeoverUnderWay."""
    with _private(paths.takeover) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TakeoverUnderWay("the front is being restarted by another command") from error
        file.truncate(0)
        file.write(f"{slot}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _private(path: Path) -> IO[str]:
    """Open to append, for this user alone, whatever umask the command was called with."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "a+")


def is_called(paths: Paths, slot: int) -> bool:
    """Whether a slot that starts now is to serve: it is the active one, or a living takeover names it."""
    return slot == active_slot(paths) or slot == number_in_locked(paths.takeover)


def ready_pid(paths: Paths, slot: int) -> int | None:
    """The pid of the process that serves in `slot`, if it says so and lives."""
    try:
        pid = int(paths.ready_file(slot).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid
