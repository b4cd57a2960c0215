"""The state directory: whose it is, who may read it, what a crash left in it, and whether it can still be written.

Nothing here is written but by a `mend`, and those touch names of ours alone: a mode, a socket nobody listens on, the word
of a front that is dead.
"""

import contextlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from tokenpak.config.paths import Paths
from tokenpak.control.claims import holders
from tokenpak.control.doctor.finding import Finding
from tokenpak.control.instance import instance_pid
from tokenpak.control.slots import SLOTS, ready_pid
from tokenpak.control.supervisor_socket import unheard
from tokenpak.telemetry.store import APPLICATION_ID, SCHEMA_VERSION

LEAST_BYTES = 256 * 2**20
"""Free space below which a long day may fill the disk."""
LEAST_FILES = 1000
AHEAD_S = 300.0
"""How far in the future something may have been written before the clock is doubted."""
CHECK_S = 5.0
_STEPS = 10_000
OTHERS = 0o077


def look_at_places(paths: Paths) -> list[Finding]:
    """Everything about the state directory; nothing for one that is not there yet."""
    if not paths.state.exists():
        return []
    checks = (_owners, _modes, _sockets, _ready_words, _disk, _clock, _store)
    return [finding for check in checks for finding in check(paths)]


def _owners(paths: Paths) -> Iterator[Finding]:
    for path in _ours(paths):
        if (uid := path.lstat().st_uid) != os.getuid():
            remedy = f"chown -R {os.getuid()} {paths.state}, as root: it was probably started with sudo once"
            yield Finding("owner", "wrong", f"{path} belongs to user {uid}", remedy)
            return


def _modes(paths: Paths) -> Iterator[Finding]:
    shut = not stat.S_IMODE(paths.state.stat().st_mode) & OTHERS
    for path in _ours(paths):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.getuid() or stat.S_ISLNK(found.st_mode) or not mode & OTHERS:
            continue
        wanted = mode & ~OTHERS
        yield Finding(
            "mode",
            "note" if shut and path.is_relative_to(paths.state) else "wrong",
            f"{path} is open to others (mode {mode:o})",
            f"chmod {wanted:o} {path}",
            partial(path.chmod, wanted),
        )


def _sockets(paths: Paths) -> Iterator[Finding]:
    """What a kill leaves; a stop takes them out. Whoever binds next takes a stale path over, so this is untidy and nothing more."""
    if instance_pid(paths) is not None or holders(paths) or not paths.sockets.is_dir():
        return
    stale = unheard(paths.sockets)
    if stale:
        what = f"{len(stale)} sockets are left over in {paths.sockets}; nobody listens on them"
        yield Finding("socket", "note", what, "Nothing: the next start takes them over", partial(_unlink, stale))


def _unlink(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _ready_words(paths: Paths) -> Iterator[Finding]:
    for slot in SLOTS:
        file = paths.ready_file(slot)
        if file.exists() and ready_pid(paths, slot) is None:
            yield Finding("socket", "note", f"{file} speaks for a front that is dead", f"rm {file}", file.unlink)


def _disk(paths: Paths) -> Iterator[Finding]:
    remedy = "Make room, lower keep_bytes and keep_days in the configuration, or move the state directory"
    free = shutil.disk_usage(paths.state).free
    if free < LEAST_BYTES:
        what = f"{free / 2**20:,.0f} MiB are free where {paths.state} is; when it is full, rows are lost in the end"
        yield Finding("disk", "wrong", what, remedy)
    system = os.statvfs(paths.state)
    if system.f_files and system.f_favail < LEAST_FILES:
        yield Finding("disk", "wrong", f"{system.f_favail:,} more files fit where {paths.state} is", remedy)
    if not os.access(paths.state, os.W_OK | os.X_OK):
        yield Finding("disk", "wrong", f"{paths.state} cannot be written", "Mount it writable, or use --state-dir")


def _clock(paths: Paths) -> Iterator[Finding]:
    written = {path: path.lstat().st_mtime for path in _ours(paths)}
    latest = max(written, key=lambda path: written[path], default=paths.state)
    ahead = written.get(latest, 0.0) - time.time()
    if ahead > AHEAD_S:
        what = f"{latest} was written {ahead:,.0f} s in the future: the clock was set back"
        yield Finding("clock", "wrong", what, "Set the clock. Days of reports and budgets follow it")


def _store(paths: Paths) -> Iterator[Finding]:
    if not paths.database.exists() or not paths.database.stat().st_size:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(paths.database))}?mode=ro", uri=True)) as store:
            yield from _of_store(paths.database, store)
    except sqlite3.DatabaseError as error:
        remedy = "Move it away; the writer makes a new one, and what waits in the journal is stored in it"
        yield Finding("store", "wrong", f"{paths.database} cannot be read: {error}", remedy)


def _of_store(file: Path, store: sqlite3.Connection) -> Iterator[Finding]:
    application, version = (
        store.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != APPLICATION_ID and version:
        yield Finding("store", "wrong", f"{file} is of another program", "Move it away; the writer makes a new one")
    elif version > SCHEMA_VERSION:
        what = f"{file} was made by a newer TokenPak (schema {version}; this one knows {SCHEMA_VERSION})"
        remedy = (
            "Install the newer version again. Until then requests go on and their rows wait in the journal; reports "
            "cannot be read. Or move the file away for a new one"
        )
        yield Finding("store", "wrong", what, remedy)
    elif (problem := _damage(store)) is not None:
        remedy = "`tokenpak db check` says more. Move the file away: the writer makes a new one"
        yield Finding("store", "wrong", f"{file} is damaged: {problem}", remedy)


def _damage(store: sqlite3.Connection) -> str | None:
    """What a quick check says within its time; None: nothing."""
    deadline = time.monotonic() + CHECK_S
    store.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        found = str(store.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    return None if found == "ok" else found


def _ours(paths: Paths) -> list[Path]:
    """The state directory and what is in it, a file that goes meanwhile left out."""
    found = [paths.state, *sorted(paths.state.rglob("*"))]
    if not paths.sockets.is_relative_to(paths.state) and paths.sockets.exists():
        found += [paths.sockets, *sorted(paths.sockets.iterdir())]
    return [path for path in found if os.path.lexists(path)]
