"""TokenPak as a service of one user: written, enabled, started.

The description of the service is one file of the service manager; nothing else outside the state directory is written, no
shell profile and no lingering session. The file is replaced in one step, and one that runs something else stays as it is.
The difficulty is what may run already: an instance outside the service has the state directory and would be fought over
once a second, so the service is then enabled and not started.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tokenpak.config import whole_file
from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings
from tokenpak.control.instance import instance_pid
from tokenpak.control.purge import remove_empty_above
from tokenpak.control.serve_command import serve_command
from tokenpak.control.service_owner import Owner, other_than_ours

Change = Literal["new", "updated", "unchanged"]

LINGER = (
    "systemd ends the services of a user with the last session of that user. To have this one from boot on, and after you "
    "log out: loginctl enable-linger"
)


class CannotInstall(Exception):  # noqa: N818 named by what is the case
    """There is no service manager that answers, or the place is taken; the message says what to do instead."""


class Plan(NamedTuple):
    """What an installation would do. change: to the file. notes: what the user should know, a sentence or two each."""

    owner: Owner
    file: Path
    text: str
    change: Change
    notes: tuple[str, ...]


def plan_install(settings: Settings, config: Path | None, environ: Mapping[str, str], owner: Owner) -> Plan:
    """What would be written and said. Writes nothing. Raises CannotInstall."""
    if not settings.port:
        raise CannotInstall("port = 0 means another port at every start, and clients could not find it. Name one.")
    if other_than_ours(owner.file):
        raise CannotInstall(
            f"{owner.file} is there and does not run TokenPak. It stays as it is: move it away, then install again."
        )
    command = serve_command(settings, config, environ)
    text = owner.describe(settings, command)
    return Plan(owner, owner.file, text, _change(owner.file, text), _notes(settings, command.left_out, owner))


def carry_out(plan: Plan, settings: Settings) -> bool:
    """Write, enable and start; returns whether it was started. Raises CannotInstall or OwnerRefused."""
    owner = plan.owner
    if not owner.answers():
        raise CannotInstall(
            f"{owner.name} does not answer in this session. `tokenpakctl start` needs none, and does not come back after "
            "a reboot"
        )
    prepare(settings.paths)  # a hardened unit can write to what is there, and only there
    if plan.change != "unchanged":
        plan.file.parent.mkdir(parents=True, exist_ok=True)
        whole_file.put(plan.file, plan.text.encode(), mode=0o644)
    if plan.change != "unchanged" or not owner.enabled():
        owner.enable()
    if _runs_outside(settings, owner):
        return False
    owner.start()
    return True


def is_installed(owner: Owner, settings: Settings) -> bool:
    """Whether the service that is installed serves from this state directory."""
    try:
        text = owner.file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    return not other_than_ours(owner.file) and f"--state-dir={settings.paths.state}" in text


def remove_service(owner: Owner, stop_s: float) -> bool:
    """Stop the service and remove it; returns whether there was one of ours. Raises OwnerRefused, and goes no further.

    Where the service manager does not answer the file goes all the same: then it starts nothing any more.
    """
    if not owner.file.exists() or other_than_ours(owner.file):
        return False
    if owner.answers() and (owner.enabled() or owner.runs()):
        owner.disable(stop_s)
    owner.file.unlink()
    owner.forget()
    remove_empty_above(owner.file, Path.home())
    return True


def _change(file: Path, text: str) -> Change:
    try:
        return "unchanged" if file.read_text(encoding="utf-8", errors="replace") == text else "updated"
    except FileNotFoundError:
        return "new"


def _runs_outside(settings: Settings, owner: Owner) -> bool:
    return instance_pid(settings.paths) is not None and not owner.runs()


def _notes(settings: Settings, left_out: tuple[str, ...], owner: Owner) -> tuple[str, ...]:
    notes = [
        f"{name} is set in this shell; a service does not see it. Write the setting into the configuration file."
        for name in left_out
    ]
    if owner.name.startswith("systemd") and not _lingers():
        notes.append(LINGER)
    if _runs_outside(settings, owner):
        notes.append(
            f"TokenPak runs already, outside the service (pid {instance_pid(settings.paths)}). "
            "`tokenpakctl stop`, then `tokenpakctl start` hands over to the service; so does the next login."
        )
    return tuple(notes)


def _lingers() -> bool:
    """Whether this user's services live without a session. Where nobody can tell, nothing is advised."""
    command = ("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return True
    return said.strip() != "no"
