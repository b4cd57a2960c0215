"""What cannot be understood is never written to: refused files must be the same bytes afterwards."""

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from store_lab import fresh_schema

from tokenpak.telemetry import store
from tokenpak.telemetry.store import APPLICATION_ID, SCHEMA_VERSION, Failure, StoreUnusableError, failure_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "tokenpak.db"


@pytest.fixture
def opened(path):
    path.parent.mkdir()
    engine = store.open_store(path)
    yield engine
    store.close_store(engine)


def pragma(path, name):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def files(directory):
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in directory.iterdir()}


def refused(path):
    """The reason why the database is refused, once it is sure that nothing was touched."""
    before = files(path.parent)
    with pytest.raises(StoreUnusableError) as caught:
        store.open_store(path)
    assert files(path.parent) == before
    return str(caught.value)


def fill(path, count=2000):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = [(f"{number:036d}", "front", "open", "p" * 200) for number in range(count)]
        connection.executemany("INSERT INTO request (id, front, state, path) VALUES (?, ?, ?, ?)", rows)
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")


def test_a_new_store_is_private_ours_and_of_this_version(opened, path):
    with opened.begin() as connection:
        connection.exec_driver_sql("INSERT INTO request (id, front, state) VALUES ('1', 'f', 'open')")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"tokenpak.db": 0o600, "tokenpak.db-wal": 0o600, "tokenpak.db-shm": 0o600}
    assert pragma(path, "user_version") == SCHEMA_VERSION
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "journal_mode") == "wal"
    assert pragma(path, "auto_vacuum") == 2


def test_the_connection_is_set_up_for_one_writer(opened):
    with opened.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {p}").scalar_one()
            for p in ("synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == [1, 1, store.BUSY_MS]


def test_a_transaction_takes_the_write_lock_at_its_begin(opened, path):
    with (
        opened.begin(),
        contextlib.closing(sqlite3.connect(path, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_closing_leaves_one_file_with_everything_in_it(path):
    path.parent.mkdir()
    engine = store.open_store(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO request (id, front, state) VALUES ('1', 'f', 'open')")
    store.close_store(engine)
    assert [file.name for file in path.parent.iterdir()] == ["tokenpak.db"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM request").fetchone() == (1,)


def test_an_open_mode_is_tightened(path):
    path.parent.mkdir()
    fresh_schema(path)
    path.chmod(0o644)
    store.close_store(store.open_store(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_file_is_a_store_not_made_yet(path):
    path.parent.mkdir()
    path.touch()
    store.close_store(store.open_store(path))
    assert pragma(path, "user_version") == SCHEMA_VERSION


def test_a_store_of_this_version_is_opened_without_alembic(path):
    path.parent.mkdir()
    fresh_schema(path)
    code = """
        import sys
        from pathlib import Path
        from tokenpak.telemetry import store
        store.close_store(store.open_store(Path(sys.argv[1])))
        assert "alembic" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=True)


@pytest.mark.parametrize(
    "bytes_", [b"not a database at all, but a long enough text " * 200, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_a_file_that_is_no_database_is_left_alone(path, bytes_):
    path.parent.mkdir()
    path.write_bytes(bytes_)
    assert "damaged" in refused(path)


def test_a_damaged_database_is_left_alone(path):
    path.parent.mkdir()
    fresh_schema(path)
    fill(path)
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xa5" * 4096 * 5)
    assert "damaged" in refused(path)


def test_a_truncated_database_is_left_alone(path):
    path.parent.mkdir()
    fresh_schema(path)
    fill(path)
    os.truncate(path, 5 * 4096)
    assert "damaged" in refused(path)


def test_a_database_of_a_newer_version_is_left_alone(path):
    path.parent.mkdir()
    fresh_schema(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute("PRAGMA journal_mode = DELETE")
    assert "newer" in refused(path)


def test_a_database_of_another_program_is_left_alone(path):
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    assert "another program" in refused(path)


def test_a_directory_in_place_of_the_file_is_a_reason(path):
    path.mkdir(parents=True)
    with pytest.raises(StoreUnusableError):
        store.open_store(path)


def test_a_missing_directory_is_a_reason(path):
    with pytest.raises(StoreUnusableError, match="No such file or directory"):
        store.open_store(path)


def test_a_log_left_by_a_killed_writer_is_read(path, tmp_path):
    path.parent.mkdir()
    engine = store.open_store(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO request (id, front, state) VALUES ('1', 'f', 'open')")
    killed = tmp_path / "killed"
    shutil.copytree(path.parent, killed)
    store.close_store(engine)
    (killed / "tokenpak.db-shm").unlink()
    engine = store.open_store(killed / path.name)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM request").scalar_one() == 1
    store.close_store(engine)


def test_the_check_at_start_is_bounded(path, monkeypatch):
    path.parent.mkdir()
    fresh_schema(path)
    fill(path, 20_000)
    monkeypatch.setattr(store, "CHECK_S", 0)
    monkeypatch.setattr(store, "_PROGRESS_STEPS", 1)
    store.close_store(store.open_store(path))


def failure(act):
    with pytest.raises(DBAPIError) as caught:
        act()
    return failure_of(caught.value)


def test_failures_are_told_apart(opened, path):
    def insert(values):
        with opened.begin() as connection:
            connection.exec_driver_sql("INSERT INTO request (id, front, state) VALUES (?, ?, ?)", values)

    assert failure(lambda: insert((None, "f", "open"))) is Failure.REJECTED
    assert failure(lambda: insert((object(), "f", "open"))) is Failure.REJECTED
    with contextlib.closing(opened.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA busy_timeout = 1")
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert failure(lambda: insert(("1", "f", "open"))) is Failure.REFUSED
    corrupt = sqlite3.DatabaseError("database disk image is malformed")
    corrupt.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert failure_of(IntegrityError("", {}, corrupt)) is Failure.DAMAGED
