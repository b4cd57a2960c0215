"""Which logs there are, and which reader is for which.

The difficulty is other people's disks: a folder may hold a gigabyte of logs, files that are no logs, lines cut short and
lines of many megabytes. Files are found by name, read one at a time and line by line, and what cannot be read is counted.
A conversation that is resumed or forked is copied into a new file by some versions; its answers keep the ids the
provider gave them, so who was billed once is found once.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tokenpak.cli.estimate import claude_code, codex, recordings
from tokenpak.cli.estimate.turns import Broken, Read

Kind = Literal["claude-code", "codex", "recording"]
LONGEST_LINE = 64 * 2**20
"""Bytes of a line that is read; a longer one counts as broken."""
LARGEST_RECORDING = 256 * 2**20
_ANSWER: Mapping[Kind, re.Pattern[bytes]] = {
    "claude-code": re.compile(rb'"id": ?"(msg_[A-Za-z0-9_]+)"'),
    "codex": re.compile(rb'"response_id": ?"([^"\\]+)"'),
}
_COUNT = b'"last_token_usage"'
_HEAD_BYTES = 64 * 1024
_MADE_BY_CODEX = re.compile(rb'"type": ?"(?:session_meta|response_item|turn_context|event_msg)"')
_MADE_BY_CLAUDE_CODE = re.compile(rb'"(?:sessionId|parentUuid|leafUuid)": ?')


class LogFile(NamedTuple):
    """A file to be read. size: bytes. written: when it last was, seconds since the epoch."""

    path: Path
    kind: Kind
    size: int
    written: float


class NoLogs(Exception):  # noqa: N818 - named by what is the case
    """There is nothing to replay; the message says where was looked."""


def homes(home: Path, environment: Mapping[str, str]) -> list[Path]:
    """Where both clients keep their logs."""
    claude = environment.get("CLAUDE_CONFIG_DIR")
    folders = [Path(claude)] if claude else [home / ".claude", home / ".config" / "claude"]
    codex_home = Path(environment.get("CODEX_HOME") or home / ".codex")
    return [*(folder / "projects" for folder in folders), codex_home / "sessions", codex_home / "archived_sessions"]


def found(places: Iterable[Path]) -> list[LogFile]:
    """Every log in these files and folders, the oldest first."""
    files: dict[Path, LogFile] = {}
    for place in places:
        for path in [place] if place.is_file() else [*place.rglob("*.jsonl"), *place.glob("*.json")]:
            log = _log(path)
            if log is not None:
                files[path] = log
    return sorted(files.values(), key=lambda log: (log.written, log.path))


def read(log: LogFile) -> Iterator[Read]:
    """The turns of a file, one at a time."""
    try:
        with log.path.open("rb") as stream:
            if log.kind == "recording":
                yield from recordings.turns(stream.read(LARGEST_RECORDING), log.path.stem)
                return
            refused: list[Broken] = []
            for each in _turns(log, _lines(stream, refused)):
                yield each
                yield from refused
                refused.clear()
            yield from refused
    except OSError:
        yield Broken("file")


def _turns(log: LogFile, lines: Iterable[bytes]) -> Iterator[Read]:
    if log.kind == "claude-code":
        return claude_code.turns(lines, log.path.stem)
    with log.path.open("rb") as stream:
        counted = any(_COUNT in line for line in _lines(stream, []))
    return codex.turns(lines, log.path.stem, counted=counted)


def answers(log: LogFile) -> set[bytes]:
    """The ids of the answers in a file."""
    pattern = _ANSWER.get(log.kind)
    out: set[bytes] = set()
    if pattern is None:
        return out
    try:
        with log.path.open("rb") as stream:
            for line in _lines(stream, []):
                out.update(pattern.findall(line[:_HEAD_BYTES]))
    except OSError:  # it will be counted when it is read
        pass
    return out


def _log(path: Path) -> LogFile | None:
    try:
        about = path.stat()
        with path.open("rb") as stream:
            kind = _kind(path, stream.read(_HEAD_BYTES))
    except OSError:
        return None
    return LogFile(path, kind, about.st_size, about.st_mtime) if kind else None


def _kind(path: Path, head: bytes) -> Kind | None:
    """By what a file begins with; names only say which files are worth a look."""
    if path.suffix == ".json":
        return "recording" if b'"messages"' in head else None
    if _MADE_BY_CODEX.search(head) and b'"payload"' in head:
        return "codex"
    return "claude-code" if _MADE_BY_CLAUDE_CODE.search(head) else None


def _lines(stream: "Iterable[bytes]", refused: list[Broken]) -> Iterator[bytes]:
    """Lines up to a length; of a longer one only that it was there."""
    readline = stream.readline  # type: ignore[attr-defined]
    while line := readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        refused.append(Broken("long"))
        while line and not line.endswith(b"\n"):
            line = readline(LONGEST_LINE)
