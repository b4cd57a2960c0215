"""Remove everything an instance has kept, and nothing else.

The state directory is a directory the user named, and somebody may have put a file of theirs into it. So only names that
some part of TokenPak gives are ours; with any other in sight nothing at all is removed, and it is named.
"""

import contextlib
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

from tokenpak.config.paths import Paths
from tokenpak.control.claims import holders

PATTERNS = (
    "run",
    "logs",
    "vocabulary",
    "integrations",  # what client settings were before they were edited
    "tokenpak.db*",
    "tokenpak-*.db*",  # copies made by `tokenpak db backup`
    "responses.db*",
    "*.key",
    "prices.json*",
    "supervisord.conf",
)
"""Names in the state directory that are ours."""

WAYS = tuple(map(Path, (".local/state", ".config/systemd/user", "Library/Application Support", "Library/LaunchAgents")))
"""Where TokenPak keeps things by default, below the home directory: the directories it may have had to make."""


class NotOurs(Exception):  # noqa: N818 named by what is the case
    """The state directory holds what is not ours, or somebody works in it; the message names it. Nothing was removed."""


def refuse_strangers(paths: Paths) -> None:
    """Raises NotOurs for a state directory that must not be removed."""
    strangers = [path.name for path in _entries(paths.state) if not _is_ours(path.name)]
    if strangers:
        named = ", ".join(strangers[:5]) + (f" and {len(strangers) - 5} more" if len(strangers) > 5 else "")
        raise NotOurs(
            f"{paths.state} holds what TokenPak did not put there: {named}. Move it away, or leave --purge out. "
            "Nothing was removed."
        )


def purge(paths: Paths) -> None:
    """Remove the state directory, and that of the sockets where it is elsewhere. Raises NotOurs, or OSError."""
    refuse_strangers(paths)
    if living := holders(paths):
        raise NotOurs(f"processes of {paths.state} still live: {', '.join(living)}. Stop them first.")
    for entry in _entries(paths.state):
        _remove(entry)
    if paths.state.is_symlink():
        paths.state.resolve().rmdir()
        paths.state.unlink()
    elif paths.state.exists():
        paths.state.rmdir()
    if not paths.sockets.is_relative_to(paths.state) and paths.sockets.exists():
        _remove(paths.sockets)


def remove_empty_above(place: Path, home: Path) -> None:
    """Remove the directories above what is gone that hold nothing any more, as far as they are on a way of ours.

    One that the user named, and may have made, stays, and so does the home directory.
    """
    ways = {home / step for way in WAYS for step in (way, *way.parents)} - {home}
    with contextlib.suppress(OSError):  # the first that holds something ends it
        for directory in place.parents:
            if directory not in ways:
                return
            with contextlib.suppress(FileNotFoundError):
                directory.rmdir()


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _is_ours(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in PATTERNS)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
