"""`tokenpakctl stop`: drain and end the service, and wait for it."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tokenpak.cli.options import running_settings
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times
from tokenpak.control.instance import instance_pid
from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault
from tokenpak.control.supervisor_socket import nudge

POLL_S = 0.05


def stop(*, state_dir: Path | None = None) -> int:
    """Stop it; open requests may end first.

    New ones are not taken. Waits until it has ended; clients that are still pointed at it get no answer until it is started.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    match end(running_settings(state_dir)):
        case "absent":
            sys.stdout.write("tokenpak: not running\n")
        case "late":
            sys.stderr.write("tokenpak: has not ended in time; a second SIGTERM to `tokenpak serve` ends it at once\n")
            return 1
        case "stopped":
            sys.stdout.write("tokenpak: stopped\n")
    return 0


def end(settings: Settings) -> Literal["absent", "stopped", "late"]:
    """Ask the whole tree to end and wait for it, as long as its parts may take; "late": some of it is still there."""
    paths = settings.paths
    launcher = instance_pid(paths)
    if launcher is None and not nudge(paths.supervisor_sock):
        return "absent"
    try:
        Supervisor(paths).shutdown()
    except SupervisorFault:  # it is stopping already
        pass
    except NotRunning:
        _signal(launcher)  # between two supervisords: the launcher knows what is left to do
    deadline = time.monotonic() + stop_times.service_s(settings.drain_s)
    while nudge(paths.supervisor_sock) or instance_pid(paths) is not None:
        if time.monotonic() > deadline:
            return "late"
        time.sleep(POLL_S)
    return "stopped"


def _signal(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
