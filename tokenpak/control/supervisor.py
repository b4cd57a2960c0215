"""Operations on the processes of the tree, over supervisord's XML-RPC: each typed, each with its own failure.

The transport is our own few lines: supervisor's takes twice the time to import, and the command line must be quick.
"""

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from tokenpak.config.paths import Paths
from tokenpak.control.claims import number_in_locked

TIMEOUT_S = 10.0
"""For calls that are answered at once."""

# Fault codes of supervisor.xmlrpc.Faults.
SHUTDOWN_STATE = 6
BAD_NAME = 10
ALREADY_STARTED = 60
NOT_RUNNING = 70

RUNNING_STATES = frozenset({"STARTING", "RUNNING", "BACKOFF", "STOPPING"})


class NotRunning(Exception):  # noqa: N818 named by what is the case
    """No supervisord answers in this state directory."""


class UnknownProgram(Exception):  # noqa: N818 named by what is the case
    """There is no process or group of that name."""


class SupervisorFault(Exception):  # noqa: N818 supervisord's own word
    """supervisord refused an operation; the message is its own."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stopping(SupervisorFault):
    """supervisord is on its way out and answers nothing any more."""


class ProcessState(msgspec.Struct, frozen=True):
    """One process of the tree. state: supervisord's word. uptime_s: None while it does not run. log: path."""

    name: str
    group: str
    state: str
    pid: int | None
    uptime_s: int | None
    description: str
    log: str

    @property
    def full_name(self) -> str:
        """What supervisorctl calls it."""
        return self.name if self.name == self.group else f"{self.group}:{self.name}"


class Supervisor:
    """supervisord of one instance. Every method raises NotRunning when none answers."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def processes(self) -> tuple[ProcessState, ...]:
        with self._calls() as calls:
            return tuple(_process(info) for info in cast("list[dict[str, Any]]", calls.getAllProcessInfo()))

    def pid(self) -> int:
        with self._calls() as calls:
            return cast("int", calls.getPID())

    def shutdown(self) -> None:
        """Begin the stop of the whole tree; returns before it ends."""
        with self._calls() as calls:
            calls.shutdown()

    def find(self, program: str) -> tuple[ProcessState, ...]:
        """The processes called `program`: a group, a full name, or the short name of one process."""
        found = tuple(p for p in self.processes() if program in {p.group, p.name, p.full_name})
        if not found:
            raise UnknownProgram(f"there is no program {program!r}; `tokenpakctl status` shows those there are")
        return found

    def start(self, process: ProcessState) -> None:
        """Start one process; nothing happens if it runs."""
        with self._calls() as calls, _tolerating(ALREADY_STARTED):
            calls.startProcess(process.full_name)

    def stop(self, process: ProcessState, stop_s: float) -> None:
        """Stop one process and wait until it has ended, killed after `stop_s`; nothing happens if it does not run."""
        with self._calls(stop_s + TIMEOUT_S) as calls, _tolerating(NOT_RUNNING):
            calls.stopProcess(process.full_name)

    @contextmanager
    def _calls(self, timeout_s: float = TIMEOUT_S) -> Iterator[Any]:
        transport = _UnixTransport(self._paths.supervisor_sock, timeout_s)
        proxy = xmlrpc.client.ServerProxy("http://supervisor", transport=transport)
        try:
            yield proxy.supervisor
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == BAD_NAME:
                raise UnknownProgram(fault.faultString) from fault
            kind = Stopping if fault.faultCode == SHUTDOWN_STATE else SupervisorFault
            raise kind(fault.faultCode, fault.faultString) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise NotRunning(_absence(self._paths)) from error
        finally:
            transport.close()


def _absence(paths: Paths) -> str:
    """Why nobody answers: nothing runs, or the launcher is between two supervisords."""
    if number_in_locked(paths.instance_lock) is None:
        return f"TokenPak is not running in {paths.state}. `tokenpakctl start` starts it"
    return f"no supervisord answers at {paths.supervisor_sock}; `tokenpakctl status` says more"


@contextmanager
def _tolerating(code: int) -> Iterator[None]:
    """Let the fault pass that says: it is so already."""
    try:
        yield
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != code:
            raise


def _process(info: dict[str, Any]) -> ProcessState:
    state = str(info["statename"])
    running = state in RUNNING_STATES and bool(info["pid"])
    return ProcessState(
        name=str(info["name"]),
        group=str(info["group"]),
        state=state,
        pid=int(info["pid"]) if running else None,
        uptime_s=max(0, int(info["now"]) - int(info["start"])) if running else None,
        description=str(info["description"]),
        log=str(info["stdout_logfile"]),
    )


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        self._connection = host, _UnixConnection(self._path, self._timeout_s)
        return self._connection[1]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
