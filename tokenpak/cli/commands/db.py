"""`tokenpak db`: check, copy and migrate the store. The writer does what is needed by itself; this is for people."""

import sqlite3
import sys
from datetime import datetime
from pathlib import Path

import msgspec
from cyclopts import App

from tokenpak.cli import sheet
from tokenpak.cli.options import Switch, running_settings
from tokenpak.cli.render import size
from tokenpak.cli.sheet import Sheet
from tokenpak.config.paths import Paths
from tokenpak.control.instance import AlreadyRunning, lock_instance
from tokenpak.telemetry import upkeep
from tokenpak.telemetry.queries import StoreUnreadableError, no_store
from tokenpak.telemetry.store import SCHEMA_VERSION, StoreUnusableError, close_store, open_store

app = App(name="db", help="Check, copy or migrate the store.")


class Checked(msgspec.Struct, frozen=True):
    """What a check found. findings: what is wrong; none: well."""

    file: str
    bytes: int
    version: int
    gives_pages_back: bool
    findings: list[str]


@app.command
def check(*, json: Switch = False, csv: Switch = False, state_dir: Path | None = None) -> int:
    """Check the whole store: integrity, schema, foreign keys and sums.

    Parameters
    ----------
    json
        Print the outcome as JSON.
    csv
        Print the outcome as CSV.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form = sheet.form(json, csv)
    path = _database(state_dir)
    findings = upkeep.findings(path)
    try:
        version, returns = upkeep.version_of(path), upkeep.gives_pages_back(path)
    except sqlite3.DatabaseError:  # said among the findings
        version, returns = 0, False
    told = Checked(str(path), path.stat().st_size, version, returns, findings)
    sheet.put(Sheet(_words(told), told, [told], Checked), form)
    return 1 if findings else 0


@app.command
def backup(file: Path | None = None, /, *, state_dir: Path | None = None) -> int:
    """Copy the store to a file, while it is in use.

    The copy is readable by you alone. Keep it outside the state directory: `tokenpakctl uninstall --purge` removes that.

    Parameters
    ----------
    file
        Where to; it must not exist. Default: in the current directory, named by the time.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    path = _database(state_dir)
    now = datetime.now().astimezone()
    target = file or Path(f"{path.stem}-{now:%Y%m%dT%H%M%S}.db")
    try:
        count = upkeep.copy(path, target)
    except upkeep.CannotCopy as error:
        raise StoreUnreadableError(str(error)) from error
    sys.stdout.write(f"{target}: {size(count)}\n")
    return 0


@app.command
def migrate(*, state_dir: Path | None = None) -> int:
    """Bring the store to the schema of this version.

    While the service is stopped; it does so by itself at its start.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    path = _database(state_dir)
    paths = running_settings(state_dir).paths
    try:
        lock = lock_instance(paths)
    except AlreadyRunning as error:
        raise AlreadyRunning(
            f"{error}: it migrates its store at every start. Stop it with `tokenpakctl stop`."
        ) from error
    with lock:
        sys.stdout.write(_migrated(path, paths))
    return 0


def _migrated(path: Path, paths: Paths) -> str:
    try:
        before = upkeep.version_of(path)
        close_store(open_store(paths.database))
        words = f"schema {before} -> {upkeep.version_of(path)}\n"
        if upkeep.gives_pages_back(path):
            return words
        old = path.stat().st_size
        upkeep.rebuild(path)
    except (StoreUnusableError, sqlite3.DatabaseError) as error:
        raise StoreUnreadableError(str(error)) from error
    return words + f"rebuilt, so that it gives pages back: {size(old)} -> {size(path.stat().st_size)}\n"


def _database(state_dir: Path | None) -> Path:
    path = running_settings(state_dir).paths.database
    if not path.exists():
        raise no_store(path)
    return path


def _words(told: Checked) -> str:
    lines = [f"{told.file}: {size(told.bytes)}, schema {told.version} of {SCHEMA_VERSION}"]
    lines += [f"! {finding}" for finding in told.findings] or ["well: integrity, schema, foreign keys, sums"]
    if not told.gives_pages_back:
        lines.append("It does not give space back to the disk; `tokenpak db migrate` changes that, once it is stopped.")
    return "\n".join(lines)
