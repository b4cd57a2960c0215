"""`tokenpakctl status`: what runs, and what is not as it should be."""

import sys
from enum import IntEnum
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from tokenpak import __version__
from tokenpak.cli.options import running_settings
from tokenpak.cli.render import duration, size, table
from tokenpak.config.settings import Settings
from tokenpak.control.health import check
from tokenpak.control.instance import instance_pid
from tokenpak.control.supervisor import NotRunning, ProcessState, Supervisor
from tokenpak.control.unix_http import NoAnswer, get

CONTROL_S = 5.0


class Code(IntEnum):
    """Exit codes of `status`; 3 is what service scripts agree on for a service that does not run."""

    READY = 0
    DEGRADED = 1
    NOT_READY = 2
    STOPPED = 3


class Status(msgspec.Struct, frozen=True):
    """What `status --json` prints. statistics: the control process's answer, null when it has none."""

    state: str
    version: str
    url: str
    state_dir: str
    pid: int | None
    degraded: tuple[str, ...]
    processes: tuple[ProcessState, ...]
    statistics: dict[str, Any] | None


def status(*, state_dir: Path | None = None, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Show what runs. Exit code: 0 ready, 1 degraded (requests go on), 2 not ready, 3 not running.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.
    json
        Print everything that is known as JSON.

    """
    found = look(running_settings(state_dir))
    sys.stdout.write((msgspec.json.encode(found).decode() if json else in_words(found)) + "\n")
    return Code[found.state.upper()]


def look(settings: Settings) -> Status:
    """Ask supervisord and the control process."""
    paths = settings.paths
    pid = instance_pid(paths)
    try:
        processes = Supervisor(paths).processes()
    except NotRunning:
        return _status(settings, "stopped" if pid is None else "not_ready", pid, ())
    statistics, gaps = _control(settings)
    health = check(settings)
    degraded = tuple(dict.fromkeys([*health.degraded, *gaps, *(statistics or {}).get("degraded", ())]))
    state = "not_ready" if not health.ready else "degraded" if degraded else "ready"
    return _status(settings, state, pid, processes, degraded=degraded, statistics=statistics)


def in_words(status: Status) -> str:
    """The same on one screen."""
    head = f"TokenPak {status.version}  {status.state.replace('_', ' ')}"
    if status.state == "stopped":
        return f"{head}  (state directory {status.state_dir})"
    rows = [(p.full_name, p.state, str(p.pid or ""), duration(p.uptime_s)) for p in status.processes]
    parts = [f"{head}  {status.url}  pid {status.pid or '-'}", table(("PROCESS", "STATE", "PID", "UPTIME"), rows)]
    parts += [f"! {reason}" for reason in status.degraded]
    if status.statistics:
        journal = status.statistics["journal"]
        parts.append(f"store {size(status.statistics['store_bytes'])}, journal {size(journal['size_bytes'])}")
    parts.append(f"state directory {status.state_dir}")
    return "\n".join(parts)


def _control(settings: Settings) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        reply = get(settings.paths.control_sock, "/statistics", CONTROL_S)
    except NoAnswer as error:
        return None, [f"control does not answer ({error}); requests go on without it"]
    if reply.status != HTTPStatus.OK:
        return None, [f"control answers {reply.status}"]
    return msgspec.json.decode(reply.body, type=dict[str, Any]), []


def _status(
    settings: Settings,
    state: str,
    pid: int | None,
    processes: tuple[ProcessState, ...],
    *,
    degraded: tuple[str, ...] = (),
    statistics: dict[str, Any] | None = None,
) -> Status:
    return Status(state, __version__, settings.url, settings.state_dir, pid, degraded, processes, statistics)
