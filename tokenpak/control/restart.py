"""Restart a process, or all of them, without anybody noticing.

The one with a difficulty is the front: at no instant may there be no slot that serves, or none that would start again
after a crash, and it must be possible to interrupt it anywhere. See `slots` for why that holds. Workers go one by one,
so that one is always up; writer and control may be missed for a moment.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times
from tokenpak.control.slots import activate, active_slot, other_slot, ready_pid, takeover
from tokenpak.control.supervisor import ProcessState, Supervisor
from tokenpak.control.supervisor_socket import nudge

READY_S = 30.0
"""How long a process may take from its start until it serves."""

POLL_S = 0.02

ORDER = ("writer", "worker", "control", "front")
"""A round. The writer brings the store to its schema before anything new speaks to it; the front is the last, so that what
does not come up is seen while the old one still serves.
"""

Tell = Callable[[str], object]


class RestartFailed(Exception):  # noqa: N818 named by what is the case
    """The new process did not come up. The message says what serves now, and where to look."""


def restart(settings: Settings, program: str | None, tell: Tell, ready_s: float = READY_S) -> None:
    """Restart `program` (group, full name or short name), or everything. `tell` hears each step.

    Raises UnknownProgram, NotRunning, SupervisorFault, TakeoverUnderWay or RestartFailed.
    """
    supervisor = Supervisor(settings.paths)
    chosen = supervisor.find(program) if program else supervisor.processes()
    others = [process for process in chosen if process.group != "front"]
    for process in sorted(others, key=lambda each: ORDER.index(each.group)):
        _restart_one(settings, supervisor, process, tell, ready_s)
    if any(p.group == "front" for p in chosen):
        restart_front(settings, tell, ready_s)


def restart_front(settings: Settings, tell: Tell, ready_s: float = READY_S) -> int:
    """Bring up the other front slot, then let the serving one drain. Returns the slot that serves now.

    When the new slot is not ready in time it is stopped, the old one serves on, and RestartFailed says so.
    """
    paths, supervisor = settings.paths, Supervisor(settings.paths)
    stop_s = stop_times.front_s(settings.drain_s)
    old = active_slot(paths)
    new = other_slot(old)
    with takeover(paths, new):
        supervisor.stop(_slot(supervisor, new), stop_s)  # left over from a restart that was interrupted
        tell(f"starting front slot {new}")
        try:
            supervisor.start(_slot(supervisor, new))
            _await_slot(paths, new, ready_s)
        except BaseException:  # whatever ended the attempt, Ctrl-C included: the old slot is still the active one
            supervisor.stop(_slot(supervisor, new), stop_s)
            raise
        activate(paths, new)
        tell(f"front slot {new} serves; draining slot {old}")
        supervisor.stop(_slot(supervisor, old), stop_s)
    tell("front restarted")
    return new


def _await_slot(paths: Paths, slot: int, ready_s: float) -> None:
    if not _becomes(lambda: ready_pid(paths, slot) is not None, ready_s):
        raise RestartFailed(
            f"front slot {slot} was not ready within {ready_s:g} s; slot {other_slot(slot)} serves on. "
            f"The log says why: tokenpakctl logs front_{slot:02d}"
        )


def _restart_one(settings: Settings, supervisor: Supervisor, process: ProcessState, tell: Tell, ready_s: float) -> None:
    stop_s = {"worker": stop_times.WORKER_S, "writer": stop_times.WRITER_S}.get(process.group, stop_times.CONTROL_S)
    tell(f"restarting {process.name}")
    supervisor.stop(process, stop_s)
    supervisor.start(process)
    sock = _socket_of(settings, process)
    if not _becomes(lambda: nudge(sock), ready_s):
        raise RestartFailed(
            f"{process.name} was not ready within {ready_s:g} s; supervisord keeps trying. "
            f"The log says why: tokenpakctl logs {process.name}"
        )


def _socket_of(settings: Settings, process: ProcessState) -> Path:
    paths = settings.paths
    if process.group == "worker":
        return paths.worker_sock(int(process.name.rpartition("_")[2]))
    return paths.writer_sock if process.group == "writer" else paths.control_sock


def _slot(supervisor: Supervisor, slot: int) -> ProcessState:
    return supervisor.find(f"front:front_{slot:02d}")[0]


def _becomes(true: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
