"""What the processes wrote: the end of their log files, and what is added to them.

supervisord says which file belongs to whom, but the text is read from the file: XML cannot carry the control characters
a log may hold, and supervisord's tail repeats text it has given already. supervisord rotates by renaming, so a reader
that follows must notice that its file has become another.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from tokenpak.config.paths import Paths
from tokenpak.control.supervisor import NotRunning, Supervisor, UnknownProgram

TAIL_BYTES = 65536
"""How far back the end of a log is looked for."""


def log_files(paths: Paths, program: str | None) -> dict[str, Path]:
    """Process name -> log file, of `program` or of all, supervisord included. Raises UnknownProgram."""
    found = {"supervisord": paths.logs / "supervisord.log"}
    try:
        for process in Supervisor(paths).processes():
            found[process.name] = Path(process.log)
    except NotRunning:  # the logs are there all the same
        found.update({file.stem: file for file in sorted(paths.logs.glob("*.log")) if file.stem not in found})
    if program is None:
        return found
    word = program.rpartition(":")[2]
    chosen = {name: file for name, file in found.items() if word in {name, name.rpartition("_")[0]}}
    if not chosen:
        raise UnknownProgram(f"there is no program {program!r}; `tokenpakctl status` shows those there are")
    return chosen


def last_lines(file: Path, count: int) -> list[str]:
    """The last `count` lines of a log; none when there is no log yet."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = opened.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[-count:] if count else []


class Follower:
    """Reads what is added to some logs, from now on."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._opened: dict[str, BinaryIO] = {}
        self._rest = dict.fromkeys(files, b"")
        for name, file in files.items():
            if (opened := _open(file)) is not None:
                opened.seek(0, os.SEEK_END)
                self._opened[name] = opened

    def new_lines(self) -> list[tuple[str, str]]:
        """Whole lines added since the last call, with the name of their process."""
        return [(name, line) for name in self._files for line in self._lines_of(name)]

    def close(self) -> None:
        for opened in self._opened.values():
            opened.close()

    def _lines_of(self, name: str) -> list[str]:
        data = self._rest[name] + self._read(name)
        *lines, self._rest[name] = data.split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def _read(self, name: str) -> bytes:
        opened = self._opened.get(name)
        data = opened.read() if opened is not None else b""
        if opened is not None and _is_at(opened, self._files[name]):
            return data
        successor = _open(self._files[name])
        if successor is None:
            return data
        if opened is not None:
            opened.close()
        self._opened[name] = successor
        return data + successor.read()


def _open(file: Path) -> BinaryIO | None:
    try:
        return file.open("rb")
    except FileNotFoundError:
        return None


def _is_at(opened: BinaryIO, file: Path) -> bool:
    """Whether the open file is still the one at its path, and not cut shorter than what was read."""
    try:
        there = file.stat()
    except FileNotFoundError:
        return True  # between two files of a rotation: stay
    mine = os.fstat(opened.fileno())
    return (there.st_ino, there.st_dev) == (mine.st_ino, mine.st_dev) and there.st_size >= opened.tell()
