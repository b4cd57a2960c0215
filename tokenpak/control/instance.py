"""One instance in a state directory, one port for it: who has them, and how to wait for a predecessor to let go.

The lock and the port are taken by `tokenpak serve` before anything of a running instance is touched, and pass to the
launcher, which is the same process under another program. After a kill -9 the old tree drains for a while and still
holds the port; that is waited for. A stranger on the port is named, and no other port is ever taken instead.
"""

import contextlib
import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tokenpak.config.paths import Paths
from tokenpak.control.claims import holders, number_in_locked
from tokenpak.control.supervisor_socket import nudge

LOCK_PATIENCE_S = 1.0
"""The control process looks at the lock now and then, for an instant each time."""

KEEPER_PATIENCE_S = 1.5
"""The keeper claims no name; it leaves within its poll of its parent."""

POLL_S = 0.05


class AlreadyRunning(Exception):  # noqa: N818 named by what is the case
    """Another `tokenpak serve` has this state directory."""


class PortTaken(Exception):  # noqa: N818 named by what is the case
    """The port cannot be had; the message says who has it and what to do."""


def lock_instance(paths: Paths) -> IO[str]:
    """Take the state directory for as long as the returned file is open, and put this process's pid in it."""
    file = paths.instance_lock.open("a+")
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                file.seek(0)
                pid = file.read().strip()
                file.close()
                raise AlreadyRunning(f"TokenPak already runs in {paths.state} (pid {pid})") from error
            time.sleep(POLL_S)
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def instance_pid(paths: Paths) -> int | None:
    """The pid of the launcher that has this state directory, if one lives."""
    return number_in_locked(paths.instance_lock)


def await_predecessor(paths: Paths, patience_s: float, ask_to_leave: Callable[[], None]) -> None:
    """Wait until no supervisord answers in this state directory any more; raises AlreadyRunning when it stays.

    Whoever calls this holds the lock, so a supervisord that is there has lost its launcher; it is asked to leave.
    """
    if not nudge(paths.supervisor_sock):
        return
    ask_to_leave()
    deadline = time.monotonic() + patience_s
    while nudge(paths.supervisor_sock):
        if time.monotonic() > deadline:
            raise AlreadyRunning(f"a supervisord without its launcher still runs in {paths.state} and does not leave")
        time.sleep(POLL_S)


def reserve_port(paths: Paths, host: str, port: int, patience_s: float) -> socket.socket:
    """Bind the port without listening, waiting for processes of this state directory that still have it.

    Port 0 takes a free one. While the socket is open no program is given the port by chance; supervisord may still
    listen on it beside us, where the system knows such a thing (see `keeps_reservation`). Raises PortTaken.
    """
    deadline = time.monotonic() + patience_s
    strangers_after = time.monotonic() + KEEPER_PATIENCE_S
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PortTaken(
                    f"cannot listen on {host}:{port}: {error.strerror}. Choose another with --port."
                ) from error
            now = time.monotonic()
            if now > deadline or (now > strangers_after and not holders(paths)):
                raise PortTaken(
                    f"port {port} is taken by {holder_of(port)}. Stop it, or choose another port with --port."
                ) from error
        time.sleep(POLL_S)


def keeps_reservation() -> bool:
    """Whether a bound socket that does not listen leaves room for one that does. BSD refuses the second bind."""
    return sys.platform == "linux"


def is_open(host: str, port: int, timeout_s: float) -> bool:
    """Whether anybody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def holder_of(port: int) -> str:
    """Who listens on a local TCP port, in words, as far as this user may know."""
    return _holder_from_proc(port) or _holder_from_lsof(port) or "another program (not visible to this user)"


def _bound(host: str, port: int) -> socket.socket:
    reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, port))
    except OSError:
        reserved.close()
        raise
    return reserved


LISTENING = "0A"


def _holder_from_proc(port: int) -> str | None:
    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening_inodes(table, port)}
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):  # processes of others, and those that end meanwhile
            if any(os.readlink(link) in inodes for link in (process / "fd").iterdir()):  # noqa: PTH115 not a path
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"pid {process.name} ({command[:120]})"
    return None


def _listening_inodes(table: str, port: int) -> list[str]:
    try:
        lines = Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]


def _holder_from_lsof(port: int) -> str | None:
    import shutil
    import subprocess

    lsof = shutil.which("lsof")
    if lsof is None:
        return None
    command = [lsof, "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = {line[:1]: line[1:] for line in found.splitlines()}
    return f"pid {fields['p']} ({fields.get('c', '?')})" if "p" in fields else None
