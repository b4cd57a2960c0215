"""What supervisord does not tell of a process: the memory it holds, and how often it was started anew.

Memory comes from /proc, and from ps where there is none. Starts are recorded by the processes themselves, in monotonic
time, for their back-off (processes/lifecycle); those since the launcher took the state directory are of this tree.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tokenpak.config.paths import Paths

KIB = 1024
PS_S = 5.0


def resident_bytes(pids: Iterable[int]) -> dict[int, int]:
    """Memory each process holds, by pid; those that are gone are not in it."""
    wanted = list(pids)
    if Path("/proc/self/statm").exists():
        found = {pid: _from_proc(pid) for pid in wanted}
        return {pid: size for pid, size in found.items() if size is not None}
    return _from_ps(wanted) if wanted else {}


def restarts(paths: Paths, names: Iterable[str]) -> Mapping[str, int]:
    """How often each process was started after the first time, since the launcher began; at most the starts recorded."""
    try:
        age_s = time.time() - paths.instance_lock.stat().st_mtime
    except FileNotFoundError:
        return {}
    since = time.monotonic() - age_s
    return {name: max(0, sum(start >= since for start in _starts(paths.boots / name)) - 1) for name in names}


def _starts(file: Path) -> list[float]:
    try:
        return [float(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


def _from_proc(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _from_ps(pids: list[int]) -> dict[int, int]:
    command = ("ps", "-o", "pid=,rss=", "-p", ",".join(map(str, pids)))
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=PS_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    rows = [line.split() for line in said.splitlines()]
    return {int(row[0]): int(row[1]) * KIB for row in rows if len(row) == 2}
