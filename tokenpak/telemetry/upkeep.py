"""Looking after the database file by hand: a full check, a copy while it is in use, and a file made smaller.

The writer checks what it needs at its start, within a bound. This is the check without one. A copy is made by SQLite's own
online backup (https://sqlite.org/backup.html), page by page beside a writer that goes on.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from tokenpak.telemetry.store import APPLICATION_ID, PRIVATE, SCHEMA_VERSION

SCHEMA = Path(__file__).with_name("schema.sql")
PAGES = 256
"""Copied at a time; the writer may write between."""
NAMED = 10
"""Findings of a kind that are told one by one."""
WITH_INCREMENTAL = 2
"""`PRAGMA auto_vacuum` of a file that gives pages back step by step."""


class CannotCopy(Exception):  # noqa: N818 named by what is the case
    """The copy was not made; the message says why."""


def version_of(path: Path) -> int:
    """The schema of a database file, 0 for one that is empty. Raises sqlite3.DatabaseError."""
    with contextlib.closing(_reading(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def findings(path: Path) -> list[str]:
    """Everything that is wrong with a database file, in words; none is well. Writes nothing."""
    try:
        with contextlib.closing(_reading(path)) as connection:
            return [*_identity(connection), *_damage(connection), *_schema(connection), *_sums(connection)]
    except sqlite3.DatabaseError as error:
        return [f"it cannot be read: {error}"]


def copy(path: Path, target: Path) -> int:
    """Copy the database to a new file, readable by the user alone; its bytes. Raises CannotCopy."""
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    except OSError as error:
        raise CannotCopy(f"{target}: {error.strerror}") from error
    try:
        with contextlib.closing(_reading(path)) as source, contextlib.closing(sqlite3.connect(target)) as out:
            source.backup(out, pages=PAGES)
            out.execute("PRAGMA journal_mode = DELETE")
    except (sqlite3.DatabaseError, OSError) as error:
        target.unlink(missing_ok=True)
        raise CannotCopy(f"{target}: {error}") from error
    return target.stat().st_size


def gives_pages_back(path: Path) -> bool:
    """Whether a file shrinks step by step; one made by an early version does not."""
    with contextlib.closing(_reading(path)) as connection:
        return int(connection.execute("PRAGMA auto_vacuum").fetchone()[0]) == WITH_INCREMENTAL


def rebuild(path: Path) -> None:
    """Write the file anew, so that it gives pages back from then on. Nobody else may use it. Raises DatabaseError."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # in WAL mode the setting would not take
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("VACUUM")
        connection.execute("PRAGMA journal_mode = WAL")


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


def _identity(connection: sqlite3.Connection) -> list[str]:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    out = [] if application == APPLICATION_ID else ["it belongs to another program"]
    if version != SCHEMA_VERSION:
        out.append(f"it has schema {version}, and this program has {SCHEMA_VERSION}")
    return out


def _damage(connection: sqlite3.Connection) -> list[str]:
    told = [row[0] for row in connection.execute(f"PRAGMA integrity_check({NAMED})")]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(NAMED)
    return [f"damage: {word}" for word in told if word != "ok"] + [
        f"a row of {table} belongs to no {parent}" for table, _, parent, _ in orphans
    ]


def _schema(connection: sqlite3.Connection) -> list[str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA.read_text(encoding="utf-8"))
        wanted = _objects(fresh)
    found = _objects(connection)
    missing = [f"{kind} {name} is missing" for kind, name in sorted(wanted.keys() - found.keys())]
    other = [
        f"{kind} {name} is another one"
        for kind, name in sorted(wanted)
        if found.get((kind, name), "") != wanted[kind, name] and (kind, name) in found
    ]
    return missing + other


def _objects(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name): " ".join(sql.replace(",", " , ").split()) for kind, name, sql in rows}


def _sums(connection: sqlite3.Connection) -> list[str]:
    """The sums that reports are made of, against the rows."""
    pairs = {
        "requests": "SELECT count(*), sum(cost_nanos) FROM request WHERE opened_ns IS NOT NULL",
        "savings": "SELECT count(*), sum(nanos) FROM saving JOIN request ON id = request_id WHERE opened_ns IS NOT NULL",
    }
    kept = {
        "requests": "SELECT ifnull(sum(requests), 0), sum(cost_nanos) FROM request_quarter",
        "savings": "SELECT ifnull(sum(requests), 0), sum(nanos) FROM saving_quarter",
    }
    try:
        return [
            f"the sums of {what} are not those of the rows"
            for what in pairs
            if _told(connection, pairs[what]) != _told(connection, kept[what])
        ]
    except sqlite3.OperationalError:  # an older schema has none; said already
        return []


def _told(connection: sqlite3.Connection, question: str) -> tuple[int, int]:
    count, nanos = connection.execute(question).fetchone()
    return count, nanos or 0
