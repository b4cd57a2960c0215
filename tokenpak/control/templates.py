"""The files other programs read: supervisord's configuration, the systemd unit, the launchd agent.

The templates stand in deploy/, systemd/ and launchd/ of the repository and are carried in the wheel. What is put into
them is data, and each of the three formats has its own way of turning data into syntax; each renderer quotes for its
own and refuses what cannot be quoted.
"""

import shlex
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

from tokenpak.config.paths import SHORT_ROOT, PathError, Paths
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times

OPEN_FILES = 4096
"""Descriptors a process may hold: two for each stream, and room. supervisord closes as many at every start of a child."""


def supervisord_conf(settings: Settings, python: str, open_files: int = OPEN_FILES) -> str:
    """The configuration of the whole tree. Raises PathError for a path that supervisord's format cannot carry."""
    paths = settings.paths
    _refuse(str(paths.state), '%"\n\r', "--state-dir")
    _refuse(python, ";#\n\r", "a Python installed elsewhere")
    return _template("deploy/supervisord.conf").substitute(
        python=shlex.quote(python).replace("%", "%%"),
        sockets=_sockets(paths),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        minfds=open_files,
        front_stop_s=stop_times.front_s(settings.drain_s),
        control_stop_s=stop_times.CONTROL_S,
        worker_stop_s=stop_times.WORKER_S,
        writer_stop_s=stop_times.WRITER_S,
    )


def systemd_unit(command: Sequence[str], drain_s: float, state: Path) -> str:
    """The user unit that runs `command` (absolute program, arguments), which may write to `state` and to /tmp."""
    return _template("systemd/tokenpak.service").substitute(
        command=" ".join(_systemd_word(word) for word in command),
        stop_s=stop_times.service_s(drain_s),
        nofile=OPEN_FILES,
        # "-": without it a state directory that is gone is a failure to mount, which says less than our own words.
        writable=f"{_systemd_path(f'-{state}')} {SHORT_ROOT}",
    )


def launchd_plist(command: Sequence[str], drain_s: float, log: Path) -> str:
    """The user agent that runs `command`; its few words outside the processes' own logs go to `log`."""
    return _template("launchd/ai.tokenpak.plist").substitute(
        arguments="\n".join(f"\t\t<string>{escape(word)}</string>" for word in command),
        stop_s=stop_times.service_s(drain_s),
        nofile=OPEN_FILES,
        log=escape(str(log)),
    )


def _template(name: str) -> Template:
    package = resources.files("tokenpak")
    carried = package / "_templates" / name
    if carried.is_file():
        return Template(carried.read_text(encoding="utf-8"))
    # An editable install runs from the checkout, whose top-level directories are the templates.
    return Template((Path(str(package)).parent / name).read_text(encoding="utf-8"))


def _sockets(paths: Paths) -> str:
    if paths.sockets.is_relative_to(paths.state):
        return f"%(here)s/{paths.sockets.relative_to(paths.state)}"
    return str(paths.sockets)


def _refuse(path: str, characters: str, remedy: str) -> None:
    for character in characters:
        if character in path:
            raise PathError(f"{path!r} contains {character!r}, which supervisord.conf cannot carry. Use {remedy}.")


def _systemd_word(word: str) -> str:
    """Quoted for ExecStart=, where a dollar begins a variable."""
    return _systemd_path(word).replace("$", "$$")


def _systemd_path(path: str) -> str:
    """Quoted for any setting, where backslash, quote and percent each mean something."""
    for character, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n")):
        path = path.replace(character, written)
    return f'"{path}"'
