"""The control process: answers for the health of the tree on a unix socket, and notices when the launcher is gone.

One synchronous loop, because its memory counts more than its speed; one slow asker delays the next by a bounded time.
Between two askers it looks after two things nobody else can: a launcher that was killed where the system does not tell
supervisord (see `launcher_gone`), and a worker that hangs, which keeps its connection and would keep it for ever.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings, read_settings
from tokenpak.control.claims import holders
from tokenpak.control.health import hung_workers, respond
from tokenpak.control.unix_http import answer
from tokenpak.processes.lifecycle import LAUNCHER_VARIABLE, Exit, Stop, boot, stop_by_exception

WATCH_S = 0.45
"""How often the launcher is looked for."""

HUNG_S = 2.0
"""How often the front is asked for workers that hang."""

ASK_S = 2.0
"""How long one asker may take to ask and to read."""

BACKLOG = 16


def main() -> int:
    settings = read_settings(os.environ)
    boot(settings.paths, "control")
    stop_by_exception()
    with contextlib.suppress(Stop), _listening(settings.paths) as listener:
        serve(settings, listener)
    return Exit.DONE


def serve(settings: Settings, listener: socket.socket) -> None:
    """Answer until `Stop`."""
    listener.settimeout(WATCH_S)
    chores = (_Chore(WATCH_S, _leave_with_launcher), _Chore(HUNG_S, _end_hung_workers))
    while True:
        with contextlib.suppress(TimeoutError):
            peer, _ = listener.accept()
            with peer:
                answer(peer, lambda target: respond(settings, target), ASK_S)
        for chore in chores:
            chore.do(settings)


class _Chore:
    """Something to do every so often."""

    def __init__(self, every_s: float, work: Callable[[Settings], None]) -> None:
        self._every_s = every_s
        self._work = work
        self._done = time.monotonic()

    def do(self, settings: Settings) -> None:
        if time.monotonic() - self._done >= self._every_s:
            self._done = time.monotonic()
            self._work(settings)


def _end_hung_workers(settings: Settings) -> None:
    """Kill what hangs; supervisord starts another. The front has long gone on without it."""
    hung = hung_workers(settings)
    alive = holders(settings.paths) if hung else {}
    for number in hung:
        name = f"worker_{number:02d}"
        if name in alive:
            _say(f"{name} hangs: killing it")
            with contextlib.suppress(ProcessLookupError):
                os.kill(alive[name], signal.SIGKILL)


def launcher_gone(paths: Paths) -> bool:
    """Whether the launcher of this tree is dead: its lock is free, or another launcher has it. Never without a launcher.

    A pid alone would not tell: it may belong to a zombie, or to somebody else by now.
    """
    launcher = os.environ.get(LAUNCHER_VARIABLE)
    if not launcher:
        return False
    try:
        with paths.instance_lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() not in {launcher, ""}
    except FileNotFoundError:
        pass
    return True


def _leave_with_launcher(settings: Settings) -> None:
    if not launcher_gone(settings.paths):
        return
    from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault

    _say("the launcher is gone: asking supervisord to shut down")
    with contextlib.suppress(NotRunning, SupervisorFault):  # it is gone or going already
        Supervisor(settings.paths).shutdown()


def _say(text: str) -> None:
    """A log line as the other processes write it; structlog would cost this one more memory than all it has to say."""
    line = {"event": text, "level": "warning", "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _listening(paths: Paths) -> Iterator[socket.socket]:
    """The control socket. The name `control` is claimed, so what is left at its path belongs to nobody."""
    paths.control_sock.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.control_sock))
        paths.control_sock.chmod(0o600)
        listener.listen(BACKLOG)
        try:
            yield listener
        finally:
            paths.control_sock.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
