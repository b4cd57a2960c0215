"""The database file: how it is looked at, opened, migrated and closed. Only the writer process opens it for writing.

The rule that costs the care here: what cannot be understood is never written to. So a file is first opened read-only and
checked, and only a sound database of ours, no newer than this program, is then opened for writing. Everything that stands
in the way is one error, whose message says what the matter is and whose class says nothing else: the writer tells it to
whoever asks, keeps acknowledging nothing, and tries again.

A database of the present version is opened without alembic, which takes longer to import than all the rest.
"""

import contextlib
import os
import sqlite3
import time
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

SCHEMA_VERSION = 3
"""The newest revision in migrations/versions, and `PRAGMA user_version` of a database that has it."""
APPLICATION_ID = 0x5450414B
"""`PRAGMA application_id` of our databases: TPAK."""
BUSY_MS = 5000
CHECK_S = 5.0
"""Longest integrity check at start. A store too large for it is taken as sound; SQLite says so later if it is not."""
PRIVATE = 0o600

_PROGRESS_STEPS = 10_000


class StoreUnusableError(Exception):
    """The database cannot be used now; the message is for `status`."""


def open_store(path: Path) -> Engine:
    """The engine of a checked and migrated database, created if there is none. Raises StoreUnusableError."""
    version = _checked_version(path)
    try:
        _make_private(path)
        engine = _engine(path)
        if version < SCHEMA_VERSION:
            migrate(engine, "head")
    except OSError as error:
        raise StoreUnusableError(f"cannot open the database: {error.strerror}") from error
    except DatabaseError as error:
        raise StoreUnusableError(f"cannot open the database: {error.orig}") from error
    return engine


def migrate(engine: Engine, revision: str) -> None:
    """Bring the schema to a revision, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "tokenpak.telemetry:migrations")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def close_store(engine: Engine) -> None:
    """Move everything from the write-ahead log into the database file and close it."""
    with contextlib.suppress(DatabaseError, sqlite3.DatabaseError), contextlib.closing(engine.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")  # if it fails the log stays, and is as good
    engine.dispose()


class Failure(Enum):
    """Why a transaction failed, as far as it decides what to do next."""

    DAMAGED = "damaged"  # write no more until the file has been checked again
    REFUSED = "refused"  # full, locked, read-only: the same may work later
    REJECTED = "rejected"  # a value that will never fit


def failure_of(error: DBAPIError) -> Failure:
    """What an error of SQLAlchemy's means, by SQLite's result code (https://sqlite.org/rescode.html)."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_MISMATCH) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return Failure.DAMAGED
    if code in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE}:
        return Failure.REJECTED
    return Failure.REFUSED


def _checked_version(path: Path) -> int:
    """The schema version of the file, 0 if there is none yet. Raises StoreUnusableError; writes nothing."""
    try:
        if not path.exists() or not path.stat().st_size:
            return 0
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            version, application = (_pragma(connection, name) for name in ("user_version", "application_id"))
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            problem = _integrity_problem(connection)
    except OSError as error:
        raise StoreUnusableError(f"cannot look at the database: {error.strerror}") from error
    except sqlite3.DatabaseError as error:
        raise StoreUnusableError(f"the database is damaged or unreadable: {error}") from error
    if problem is not None:
        raise StoreUnusableError(f"the database is damaged: {problem}")
    if application != APPLICATION_ID and (tables or version):
        raise StoreUnusableError("the database file belongs to another program")
    if version > SCHEMA_VERSION:
        raise StoreUnusableError(
            f"the database is of a newer TokenPak (schema {version}, known up to {SCHEMA_VERSION})"
        )
    return int(version)


def _integrity_problem(connection: sqlite3.Connection) -> str | None:
    deadline = time.monotonic() + CHECK_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _PROGRESS_STEPS)
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return None if found == "ok" else found


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _make_private(path: Path) -> None:
    """SQLite gives its log and index files the mode of the database file."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        if os.fstat(file).st_mode & 0o777 != PRIVATE:
            os.fchmod(file, PRIVATE)
    finally:
        os.close(file)


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0, connect_args={"timeout": BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes late, and never before a CREATE
        # What is to be vacuumed step by step must say so before its first page is written.
        for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # what is read in a transaction is still true when it writes

    return engine
