"""The foreground process of `tokenpak serve`: owns supervisord, says when traffic is accepted, and sees everything end.

It is the same process as the command, which has taken the state directory and the port and then become this small
program. Whatever happens to supervisord, the launcher brings up the next one with the same port and state; a killed
supervisord leaves children, and on Linux they become children of the launcher, so none can get lost. The difficulty
is only in being told: signals arrive through a socket, so that waiting costs nothing and nothing is missed.

Standard output carries one line, once. Everything else goes to standard error.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

from tokenpak.config.paths import Paths, paths_for
from tokenpak.control import stop_times
from tokenpak.control.claims import holders
from tokenpak.control.instance import PortTaken, reserve_port
from tokenpak.control.slots import active_slot, ready_pid
from tokenpak.control.supervisor_socket import nudge, unheard
from tokenpak.processes.lifecycle import LAUNCHER_VARIABLE, PARENT_POLL_S, SUPERVISOR_VARIABLE, Exit

POLL_S = 0.05
"""While something is under way. At rest the launcher sleeps until a signal comes."""

WARM_S = 10.0
"""How long the ready line waits for the last worker once a front serves; then it says what is missing."""

QUICK_S = 5.0
FIRST_PAUSE_S = 0.25
CAP_S = 4.0
FIRST_STARTS = 3
"""How often supervisord may fail before any traffic was accepted. After that it is always brought up again."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class Start(NamedTuple):
    """What the launcher needs to know of the settings."""

    paths: Paths
    host: str
    port: int
    drain_s: float

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


def read_start(settings_file: str) -> Start:
    """The few settings that matter here; reading them as plain JSON spares this process the rest of the package."""
    settings = json.loads(Path(settings_file).read_bytes())
    paths = paths_for(Path(settings["state_dir"]))
    return Start(paths, settings["host"], settings["port"], settings["drain_s"])


class Signals:
    """Stop signals counted, every signal a wake-up."""

    def __init__(self) -> None:
        self.stops = 0
        self._inbox, outbox = socket.socketpair()
        self._inbox.setblocking(False)
        outbox.setblocking(False)
        self._outbox = outbox
        signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._count)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def wait(self, timeout_s: float | None) -> None:
        """Return at the next signal, or after `timeout_s`."""
        if select.select([self._inbox], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError):
                self._inbox.recv(4096)

    def _count(self, _number: int, _frame: object) -> None:
        self.stops += 1


class Launcher:
    """Runs one supervisord after the other until told to stop."""

    def __init__(self, start: Start, signals: Signals) -> None:
        self._start = start
        self._signals = signals
        self._announced = False

    def run(self) -> int:
        """Returns the exit code: 0 after a stop, however it was asked for."""
        failures, pause = 0, FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            ended_well = self._attend(self._spawn())
            if ended_well or self._signals.stops:
                self._clear()
                return Exit.DONE
            quick = time.monotonic() - began < QUICK_S
            failures, pause = (failures + 1, min(CAP_S, pause * 2)) if quick else (0, FIRST_PAUSE_S)
            if failures >= FIRST_STARTS and not self._announced:
                say(f"supervisord does not start; see {self._start.paths.logs}")
                self._clear()
                return Exit.CRASHED
            say(f"supervisord ended; starting it again in {pause:g} s")
            if not self._recover(pause):
                self._clear()
                return Exit.DONE if self._signals.stops else Exit.CRASHED

    def _spawn(self) -> int:
        """Start supervisord. By fork and exec, because only between the two does its pid meet its environment."""
        pid = os.fork()
        if pid == 0:
            _become_supervisord(self._start.paths)
        return pid

    def _attend(self, pid: int) -> bool:
        """Stay with supervisord until it ends; returns whether it ended in peace."""
        serving_since: float | None = None
        stopping: _Stopping | None = None
        while True:
            status = _reaped(pid)
            if status is not None:
                return status == 0
            if self._signals.stops:
                stopping = stopping or _Stopping(self._start, pid)
                stopping.press(self._signals.stops)
            elif serving_since is None:
                nudge(self._start.paths.supervisor_sock)  # its first look at its groups comes a second late
                serving_since = time.monotonic() if self._serves() else None
            elif not self._announced:
                self._announced = self._announce(serving_since + WARM_S)
            at_rest = stopping is None and serving_since is not None and self._announced
            self._signals.wait(None if at_rest else POLL_S)

    def _serves(self) -> bool:
        paths = self._start.paths
        return ready_pid(paths, active_slot(paths)) is not None

    def _announce(self, warm_by: float) -> bool:
        """Print the ready line once everything is up, or once a front serves and the rest takes too long."""
        answer = _ask_control(self._start.paths)
        if b'"ready":true' not in answer or b'"degraded":[]' not in answer:
            if time.monotonic() < warm_by:
                return False
            say("ready, but not whole: see `tokenpakctl status`")
        line = {"ready": True, "url": self._start.url, "pid": os.getpid()}
        with contextlib.suppress(OSError):  # whoever started us may not care to read it
            print(json.dumps(line), flush=True)  # noqa: T201 the one line of standard output, which programs read
        return True

    def _recover(self, pause_s: float) -> bool:
        """After an unexpected end: let the orphans leave and the port come free. False when it is time to stop."""
        until = time.monotonic() + max(pause_s, 2 * PARENT_POLL_S)
        while time.monotonic() < until and not self._signals.stops:
            self._signals.wait(POLL_S)
            _reaped(0)
        if self._signals.stops:
            return False
        if not self._port_is_free():
            for pid in holders(self._start.paths).values():  # orphans that do not leave
                _signal(pid, signal.SIGKILL)
            return self._port_is_free()
        return True

    def _port_is_free(self) -> bool:
        patience = stop_times.front_s(self._start.drain_s)
        try:
            reserve_port(self._start.paths, self._start.host, self._start.port, patience).close()
        except PortTaken as error:
            say(str(error))
            return False
        return True

    def _clear(self) -> None:
        """See the last processes of the tree out, those of an earlier supervisord included."""
        deadline = time.monotonic() + stop_times.front_s(self._start.drain_s)
        while left := holders(self._start.paths):
            late = time.monotonic() > deadline or self._signals.stops > 1
            for pid in left.values() if late else ():
                _signal(pid, signal.SIGKILL)
            self._signals.wait(POLL_S)
            _reaped(0)
        _take_out_sockets(self._start.paths)


class _Stopping:
    """A stop under way: asked once, hurried by a second signal, ended at its bound."""

    def __init__(self, start: Start, pid: int) -> None:
        self._paths = start.paths
        self._pid = pid
        self._pressed = 1
        self._deadline = time.monotonic() + stop_times.supervisord_s(start.drain_s)
        _signal(pid, signal.SIGTERM)

    def press(self, stops: int) -> None:
        """Called again and again until supervisord has ended."""
        nudge(self._paths.supervisor_sock)
        if stops > self._pressed:
            self._pressed = stops
            for pid in holders(self._paths).values():
                _signal(pid, signal.SIGTERM)
        if time.monotonic() > self._deadline:
            for pid in (*holders(self._paths).values(), self._pid):
                _signal(pid, signal.SIGKILL)


def say(text: str) -> None:
    sys.stderr.write(f"tokenpak: {text}\n")
    sys.stderr.flush()


def _become_supervisord(paths: Paths) -> NoReturn:
    launcher = os.getppid()
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # a launcher that is killed takes the tree with it, in order
        os.setpgid(0, 0)  # Ctrl-C in a terminal is for the launcher alone
        os.dup2(2, 1)  # standard output belongs to the ready line
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        environ = {
            **os.environ,
            SUPERVISOR_VARIABLE: str(os.getpid()),
            LAUNCHER_VARIABLE: str(launcher),
        }
        command = (sys.executable, "-P", "-m", "tokenpak.processes.supervisord", "-n", "-c", str(paths.supervisor_conf))
        os.execve(sys.executable, command, environ)  # noqa: S606 no shell is the point
    except OSError as error:
        say(f"cannot start supervisord: {error}")
    finally:
        os._exit(Exit.CRASHED)


def _take_out_sockets(paths: Paths) -> None:
    """Nobody lives here any more, and the lock on the state directory keeps others out until this process has ended."""
    with contextlib.suppress(OSError):
        for path in unheard(paths.sockets):
            path.unlink(missing_ok=True)


def _reaped(pid: int) -> int | None:
    """Reap whatever has ended; the status of `pid` if it was among them."""
    found: int | None = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == pid:
                found = ended[1]
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _ask_control(paths: Paths) -> bytes:
    """The control process's word on readiness; empty when there is none."""
    with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(OSError):
        peer.settimeout(1.0)
        peer.connect(str(paths.control_sock))
        peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: tokenpak\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: peer.recv(65536), b""))
    return b""


def _prctl(option: int, value: int) -> bool:
    """Linux only; elsewhere the control process watches the launcher, and orphans go to init."""
    try:
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    except (AttributeError, OSError):
        return False


def main() -> int:
    """Arguments: the settings file, then descriptors to keep open (the lock, the reserved port)."""
    for descriptor in sys.argv[2:]:
        os.set_inheritable(int(descriptor), False)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    return Launcher(read_start(sys.argv[1]), Signals()).run()


if __name__ == "__main__":
    sys.exit(main())
