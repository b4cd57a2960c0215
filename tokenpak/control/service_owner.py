"""The service manager of one user: systemd --user or launchd. Each has one file of ours and a handful of commands.

The difficulty is what is not there: a container has no systemd, a root shell no session bus, a machine reached by ssh no
launchd domain of a desktop. So an owner is asked whether it answers before anything is written for it, and every command
has a deadline, because a manager that hangs must not hang whoever asked.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from tokenpak.config.settings import Settings
from tokenpak.control.serve_command import ServeCommand
from tokenpak.control.templates import launchd_plist, systemd_unit

UNIT = "tokenpak.service"
LABEL = "ai.tokenpak"
ASK_S = 20.0
"""For commands that are answered at once."""

LONGEST_STOP_S = 120.0
"""For unloading a service before it is loaded anew, whose drain bound nobody here knows."""

OURS = "tokenpak.cli.main"
"""Stands in every file that an owner has from us, as it runs our program."""


class OwnerRefused(Exception):  # noqa: N818 named by what is the case
    """The service manager did not do what it was told; the message says which command, and its words."""


class Ran(NamedTuple):
    """What came of a command: its exit code, and all it said."""

    code: int
    said: str


Run = Callable[[Sequence[str], float], Ran]


class Owner(Protocol):
    """What is asked of a service manager. `file` is where it looks for its description of our service."""

    @property
    def name(self) -> str: ...
    @property
    def file(self) -> Path: ...

    def answers(self) -> bool:
        """Whether it can be used from here."""

    def describe(self, settings: Settings, command: ServeCommand) -> str:
        """The text of `file`."""

    def enabled(self) -> bool:
        """Whether it knows the service and starts it at every login."""

    def enable(self) -> None:
        """Take the file in as it is now, and start the service at every login from now on. Raises OwnerRefused."""

    def start(self) -> None:
        """Start it now; nothing happens if it runs. Raises OwnerRefused."""

    def runs(self) -> bool:
        """Whether it runs the service, or is about to."""

    def failing(self) -> bool:
        """Whether the service ended at once and is started again and again, or not any more."""

    def disable(self, stop_s: float) -> None:
        """Stop the service and start it no more, its file being still there. `stop_s`: how long the stop may take.

        Raises OwnerRefused.
        """

    def forget(self) -> None:
        """After the file is gone: leave nothing of it. Fails silently, as where nobody answers."""

    def log_hint(self) -> str:
        """Where it keeps what a service says that does not start."""


def run(command: Sequence[str], timeout_s: float) -> Ran:
    """Run a service manager's command; a program that is missing or hangs is an answer too.

    A shell that came by `su` or cron does not say where the user's bus is, though it is there.
    """
    bus = Path(f"/run/user/{os.getuid()}")
    environ = {"XDG_RUNTIME_DIR": str(bus), **os.environ} if bus.is_dir() else None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Ran(-1, str(error))
    return Ran(done.returncode, (done.stdout + done.stderr).strip())


def _accepted(ran: Ran, command: Sequence[str]) -> None:
    """Raises OwnerRefused where a command ended with another code than 0."""
    if ran.code:
        raise OwnerRefused(f"{' '.join(command)}: {ran.said or f'exit code {ran.code}'}")


def owner_here(environ: Mapping[str, str], home: Path) -> Owner:
    """The service manager this kind of system has, whether or not it answers."""
    if sys.platform == "darwin":
        return Launchd(home, run)
    return Systemd(Path(environ.get("XDG_CONFIG_HOME") or home / ".config"), run)


def other_than_ours(file: Path) -> bool:
    """Whether a file of this name is there and runs something else."""
    try:
        return OURS not in file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False


class Systemd(NamedTuple):
    """systemd's manager for one user."""

    config_home: Path
    run: Run

    @property
    def name(self) -> str:
        return "systemd --user"

    @property
    def file(self) -> Path:
        return self.config_home / "systemd" / "user" / UNIT

    def answers(self) -> bool:
        return shutil.which("systemctl") is not None and self._ctl("show-environment").code == 0

    def describe(self, settings: Settings, command: ServeCommand) -> str:
        return systemd_unit(command.words, settings.drain_s, settings.paths.state)

    def enabled(self) -> bool:
        return self._ctl("is-enabled", UNIT).said == "enabled"

    def enable(self) -> None:
        self._must("daemon-reload")
        self._must("enable", UNIT)

    def start(self) -> None:
        self._must("start", UNIT)

    def runs(self) -> bool:
        return self._shown("ActiveState") in {"active", "activating", "reloading"}

    def failing(self) -> bool:
        return self._shown("ActiveState") == "failed" or self._shown("SubState") == "auto-restart"

    def disable(self, stop_s: float) -> None:
        self._must("disable", "--now", UNIT, within_s=stop_s + ASK_S)

    def forget(self) -> None:
        for directory in (self.file.parent, self.file.parent.parent):
            with contextlib.suppress(OSError):  # somebody else's units are in it
                directory.rmdir()
        self._ctl("daemon-reload")
        self._ctl("reset-failed", UNIT)  # a unit that once failed would be listed for ever

    def log_hint(self) -> str:
        return f"journalctl --user -u {UNIT}"

    def _shown(self, what: str) -> str:
        return self._ctl("show", "--value", f"--property={what}", UNIT).said

    def _ctl(self, *words: str, within_s: float = ASK_S) -> Ran:
        return self.run(("systemctl", "--user", *words), within_s)

    def _must(self, *words: str, within_s: float = ASK_S) -> None:
        _accepted(self._ctl(*words, within_s=within_s), ("systemctl", "--user", *words))


class Launchd(NamedTuple):
    """launchd, in the domain of the user's desktop, or of the user alone where nobody is logged in there."""

    home: Path
    run: Run

    @property
    def name(self) -> str:
        return "launchd"

    @property
    def file(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    def answers(self) -> bool:
        return self._domain() is not None

    def describe(self, settings: Settings, command: ServeCommand) -> str:
        return launchd_plist(command.words, settings.drain_s, settings.paths.logs / "serve.log")

    def enabled(self) -> bool:
        return self._printed() is not None

    def enable(self) -> None:
        if self.enabled():  # what is loaded keeps its old description until it has been unloaded
            self.disable(LONGEST_STOP_S)
        self._must("enable", self._service())  # it may have been disabled by hand, and then bootstrap fails
        self._must("bootstrap", str(self._domain()), str(self.file))

    def start(self) -> None:
        self._must("kickstart", self._service())

    def runs(self) -> bool:
        return "state = running" in (self._printed() or "")

    def failing(self) -> bool:
        """Launchd does not say; whoever waits has a deadline."""
        return False

    def disable(self, stop_s: float) -> None:
        self._must("bootout", self._service(), within_s=stop_s + ASK_S)

    def forget(self) -> None:
        """Launchd remembers nothing of an agent it has let go."""

    def log_hint(self) -> str:
        return f"launchctl print {self._service()}"

    def _domain(self) -> str | None:
        for domain in (f"gui/{os.getuid()}", f"user/{os.getuid()}"):
            if self._ctl("print", domain).code == 0:
                return domain
        return None

    def _service(self) -> str:
        return f"{self._domain()}/{LABEL}"

    def _printed(self) -> str | None:
        ran = self._ctl("print", self._service())
        return None if ran.code else ran.said

    def _ctl(self, *words: str, within_s: float = ASK_S) -> Ran:
        return self.run(("launchctl", *words), within_s)

    def _must(self, *words: str, within_s: float = ASK_S) -> None:
        _accepted(self._ctl(*words, within_s=within_s), ("launchctl", *words))
