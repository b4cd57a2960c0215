"""`tokenpakctl stop`: drain and end the service, and wait for it."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tokenpak.cli.options import running_settings
from tokenpak.control import stop_times
from tokenpak.control.instance import instance_pid
from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault
from tokenpak.control.supervisor_socket import nudge

POLL_S = 0.05


def stop(*, state_dir: Path | None = None) -> int:
    """Stop TokenPak: open requests may end, new ones are not taken. Waits until it has ended.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    settings = running_settings(state_dir)
    paths = settings.paths
    launcher = instance_pid(paths)
    if launcher is None and not nudge(paths.supervisor_sock):
        sys.stdout.write("tokenpak: not running\n")
        return 0
    try:
        Supervisor(paths).shutdown()
    except SupervisorFault:  # it is stopping already
        pass
    except NotRunning:
        _signal(launcher)  # between two supervisords: the launcher knows what is left to do
    deadline = time.monotonic() + stop_times.service_s(settings.drain_s)
    while nudge(paths.supervisor_sock) or instance_pid(paths) is not None:
        if time.monotonic() > deadline:
            sys.stderr.write("tokenpak: has not ended in time; a second SIGTERM to `tokenpak serve` ends it at once\n")
            return 1
        time.sleep(POLL_S)
    sys.stdout.write("tokenpak: stopped\n")
    return 0


def _signal(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
