"""How every process of the tree starts, becomes ready, drains and ends.

The order is the same everywhere: `back_off`, `claim` the name, work until told to stop, drain, exit with a named code.
The difficulty is supervisord. It gives up on a process after a few quick exits, so its own limits are switched off and
the pause between crashes is made here. And when it is killed its children live on, so each of them watches its parent
and leaves by itself; until the last one has left, a successor of the same name must not open the same socket.

Imports trio only where a trio process asks for it: half of the tree does without.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tokenpak.config import whole_file
from tokenpak.config.paths import Paths
from tokenpak.control.claims import Claim, claim

SUPERVISOR_VARIABLE = "TOKENPAK_SUPERVISOR_PID"
"""Set by the launcher in supervisord's environment, and so in everyone's: the parent each process must have."""

LAUNCHER_VARIABLE = "TOKENPAK_LAUNCHER_PID"
SLOT_VARIABLE = "TOKENPAK_SLOT"

PARENT_POLL_S = 0.25


class Exit(IntEnum):
    """Exit codes. supervisord restarts a front slot after every one but STANDBY, the other programs after all."""

    DONE = 0  # drained to the end
    CRASHED = 1  # Python's own code for an unhandled exception
    BAD_SETTINGS = 2  # the settings file is missing or unreadable
    STANDBY = 4  # this slot is not the one that serves
    DRAIN_CUT = 5  # the drain reached its bound with requests still open
    STOPPED_TWICE = 6  # a second signal ended the drain


class Stop(BaseException):
    """Raised in the main thread of a synchronous process by its first stop signal.

    A BaseException, as KeyboardInterrupt is, so that no `except Exception` on the way swallows it.
    """


# Crash loop


QUICK_S = 5.0
"""A process that lived shorter than this before its next start is taken to have crashed at once."""

FREE_RESTARTS = 2
"""Quick restarts without any pause: a killed worker is back at once, a broken one is noticed a moment later."""

FIRST_PAUSE_S = 0.1
SERVING_CAP_S = 1.0
OTHER_CAP_S = 4.0
BOOTS_KEPT = 16


def pause_after(boots: Sequence[float], now: float, cap_s: float) -> float:
    """Seconds to wait before a start at `now`, given earlier starts, oldest first. Doubles per quick restart in a row."""
    quick, later = 0, now
    for boot in reversed(boots):
        if not 0 <= later - boot < QUICK_S:
            break
        quick, later = quick + 1, boot
    if quick <= FREE_RESTARTS:
        return 0.0
    return min(cap_s, FIRST_PAUSE_S * (1 << (quick - FREE_RESTARTS - 1)))


_started: set[tuple[Paths, str]] = set()


def back_off(paths: Paths, name: str) -> float:
    """Sleep as long as this process's recent crashes ask for, record this start, and return the seconds slept.

    Call it before heavy imports. It never fails: a start that cannot be recorded is one the next start does not see.
    A process starts once: a second call under the same name does nothing.
    """
    if (paths, name) in _started:
        return 0.0
    _started.add((paths, name))
    file = paths.boots / name
    boots = _boots(file)
    cap = SERVING_CAP_S if name.startswith(("worker", "front")) else OTHER_CAP_S
    pause = pause_after(boots, time.monotonic(), cap)
    until = time.monotonic() + pause
    while (left := until - time.monotonic()) > 0 and not parent_gone():
        time.sleep(min(left, PARENT_POLL_S))
    # Recorded after the pause, so a life is measured from its real start. Monotonic time is shared by all processes
    # of a machine; after a reboot the old values lie in the future and count for nothing.
    lines = "".join(f"{boot:.3f}\n" for boot in [*boots, time.monotonic()][-BOOTS_KEPT:])
    with contextlib.suppress(OSError):
        whole_file.put(file, lines.encode())
    return pause


def boot(paths: Paths, name: str) -> Claim:
    """The start of every process but a front slot: back off after crashes, then take the name."""
    back_off(paths, name)
    return claim(paths, name)


def _boots(file: Path) -> list[float]:
    try:
        return [float(line) for line in file.read_text().split()]
    except (OSError, ValueError):  # first start, or a torn file: no history
        return []


# Parent


_PARENT_AT_START = os.getppid()


def parent_gone() -> bool:
    """Whether supervisord, the parent this process was started by, is gone.

    The launcher says who it must be; a supervisord started by hand does not, and then the parent at import counts.
    """
    expected = os.environ.get(SUPERVISOR_VARIABLE, "")
    return os.getppid() != (int(expected) if expected.isdigit() else _PARENT_AT_START)


async def watch_parent() -> None:
    """Return once the parent is gone. Cancel it like any other wait."""
    import trio

    while not parent_gone():  # noqa: ASYNC110 nobody can tell us that our parent has changed
        await trio.sleep(PARENT_POLL_S)


# Stop


async def wait_for_stop() -> str:
    """Return why to drain: "signal" (first SIGTERM or SIGINT) or "parent". From then on a second signal ends the process."""
    import trio

    reasons: list[str] = []
    async with trio.open_nursery() as nursery:

        async def watch_signals() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
                async for _ in received:
                    break
            reasons.append("signal")
            nursery.cancel_scope.cancel()

        async def watch_tree() -> None:
            await watch_parent()
            reasons.append("parent")
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch_signals)
        nursery.start_soon(watch_tree)
    _end_on_signal()
    return reasons[0]


def stop_by_exception() -> None:
    """For synchronous processes: the first SIGTERM, SIGINT or loss of the parent raises `Stop` in the main thread.

    It must be an exception: Python resumes an interrupted system call after a handler that only sets a flag.
    """

    def raise_stop(_number: int, _frame: FrameType | None) -> NoReturn:
        _end_on_signal()
        raise Stop

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, raise_stop)
    threading.Thread(target=_stop_when_orphaned, name="parent watch", daemon=True).start()


def _stop_when_orphaned() -> None:
    # A signal delivered to this thread would leave the main thread asleep in C, where Python's handler never runs.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    while not parent_gone():
        time.sleep(PARENT_POLL_S)
    if (main := threading.main_thread().ident) is not None:
        signal.pthread_kill(main, signal.SIGTERM)


def _end_on_signal() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # Nothing is unwound: the drain this interrupts may be what hangs.
    os._exit(Exit.STOPPED_TWICE)


# Ready


def ready(paths: Paths, slot: int) -> None:
    """Say that front slot `slot` accepts connections; the file holds this process's pid."""
    whole_file.put(paths.ready_file(slot), f"{os.getpid()}\n".encode())


def unready(paths: Paths, slot: int) -> None:
    """Take the word back. A file that names another process belongs to a successor and stays."""
    file = paths.ready_file(slot)
    with contextlib.suppress(OSError):
        if file.read_text().strip() == str(os.getpid()):
            file.unlink()


def release_listener() -> None:
    """Close the listening socket supervisord handed in as descriptor 0, at the start of a drain.

    A server usually serves a duplicate of it. While any copy lives the port stays taken, and the supervisord that
    follows a killed one cannot open it. Descriptor 0 is kept filled, or the next file opened would get the number.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
