"""`tokenpakctl status`: what runs, and what is not as it should be."""

import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import msgspec

from tokenpak import __version__
from tokenpak.cli.options import Switch, running_settings
from tokenpak.cli.screen import Limits, Process, Status, in_words
from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings
from tokenpak.control import vitals
from tokenpak.control.claims import holders
from tokenpak.control.health import Health, check
from tokenpak.control.instance import instance_pid
from tokenpak.control.reasons import halted_models
from tokenpak.control.states import Code, Seen, state_of
from tokenpak.control.supervisor import NotRunning, ProcessState, Stopping, Supervisor
from tokenpak.control.today import look_at
from tokenpak.control.unix_http import NoAnswer, get

CONTROL_S = 5.0

Tree = Literal["running", "stopping"]


def status(*, state_dir: Path | None = None, json: Switch = False) -> int:
    """Show what runs, and what is wrong.

    On one screen: each process, requests under way and of today, what waits and what was lost, and why it is degraded, with
    what to do. Works when nothing runs.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.
    json
        Print everything that is known as JSON.

    """
    found = look(running_settings(state_dir))
    sys.stdout.write((msgspec.json.encode(found).decode() if json else in_words(found)) + "\n")
    return Code[found.state.name]


def look(settings: Settings) -> Status:
    """Ask supervisord, the control process and the store."""
    paths = settings.paths
    pid = instance_pid(paths)
    tree, processes = _tree(paths)
    statistics, gaps = _control(settings) if tree == "running" else (None, ())
    health = check(settings) if tree == "running" else Health(ready=False, degraded=())
    degraded = tuple(dict.fromkeys([*health.degraded, *gaps, *(statistics or {}).get("degraded", ())]))
    return Status(
        state=state_of(Seen(pid is not None, tree, health.ready, bool(degraded))),
        version=__version__,
        url=settings.url,
        state_dir=settings.state_dir,
        pid=pid,
        degraded=degraded,
        processes=processes,
        today=look_at(paths.database),
        limits={each.name: Limits(each.warn, each.block, each.ceiling) for each in settings.budgets},
        halted=halted_models((statistics or {}).get("front") or {}),
        statistics=statistics,
    )


def _tree(paths: Paths) -> tuple[Tree | None, tuple[Process, ...]]:
    """What supervisord does, and its processes; of one that is on its way out, those that have not left yet."""
    try:
        found = Supervisor(paths).processes()
    except NotRunning:
        return None, ()
    except Stopping:
        left = tuple(ProcessState(name, name, "STOPPING", pid, None, "", "") for name, pid in holders(paths).items())
        return "stopping", _with_vitals(paths, left)
    return "running", _with_vitals(paths, found)


def _with_vitals(paths: Paths, found: tuple[ProcessState, ...]) -> tuple[Process, ...]:
    memory = vitals.resident_bytes(each.pid for each in found if each.pid)
    again = vitals.restarts(paths, [each.name for each in found])
    return tuple(
        Process(
            name=each.name,
            group=each.group,
            state=each.state,
            pid=each.pid,
            uptime_s=each.uptime_s,
            restarts=again.get(each.name),
            rss_bytes=memory.get(each.pid or 0),
            log=each.log,
        )
        for each in found
    )


def _control(settings: Settings) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    again = "If it stays so: `tokenpakctl logs control`"
    try:
        reply = get(settings.paths.control_sock, "/statistics", CONTROL_S)
    except NoAnswer as error:
        return None, (f"control does not answer ({error}); requests go on without it. {again}",)
    if reply.status != HTTPStatus.OK:
        return None, (f"control answers {reply.status}. {again}",)
    return msgspec.json.decode(reply.body, type=dict[str, Any]), ()
