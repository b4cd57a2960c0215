"""Every version there ever was comes to the present schema with its rows, or stays what it is."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from store_lab import dump

from tokenpak.telemetry import migrations, store
from tokenpak.telemetry.migrations import versions

SNAPSHOT = Path(store.__file__).with_name("schema.sql")


def revisions():
    config = Config()
    config.set_main_option("script_location", "tokenpak.telemetry:migrations")
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


def test_revisions_are_numbered_in_one_line():
    assert revisions() == [f"{number:04d}" for number in range(1, store.SCHEMA_VERSION + 1)]
    files = sorted(path.name for path in Path(versions.__file__).parent.glob("v*.py"))
    assert [name[1:5] for name in files] == revisions()


def test_the_scripts_lie_in_the_package():
    assert Path(migrations.__file__).with_name("env.py").exists()


def database_at(path, revision):
    engine = store._engine(path)
    store.migrate(engine, revision)
    engine.dispose()


def count(connection, table):
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 names of our own tables


def fill(connection):
    """One row in every table, whatever its columns are: keys and obligatory columns get a value that fits any type."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
    for table in tables:
        if table == "alembic_version":
            continue
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        values = {name: 7 for _, name, _, not_null, _, key in columns if not_null or key}
        marks = ", ".join("?" * len(values))
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 names of our own tables
        connection.execute(statement, list(values.values()))
    connection.commit()
    return {table: count(connection, table) for table in tables}


@pytest.mark.parametrize("revision", revisions())
def test_every_older_version_migrates_to_the_committed_schema(tmp_path, revision):
    path = tmp_path / "old.db"
    database_at(path, revision)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (int(revision),)
        before = fill(connection)
    store.close_store(store.open_store(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert dump(connection) == SNAPSHOT.read_text()
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        after = {table: count(connection, table) for table in before}
    assert after == before


def test_of_older_requests_nobody_knows_how_often_they_searched(tmp_path):
    path = tmp_path / "old.db"
    database_at(path, "0002")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        fill(connection)
    store.close_store(store.open_store(path))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT web_searches FROM request").fetchall() == [(None,)]


def test_a_migration_that_fails_half_way_leaves_nothing_of_itself(tmp_path, monkeypatch):
    path = tmp_path / "store.db"
    engine = store._engine(path)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE pass_tally (in_the_way)")  # the last thing the first revision makes
    with pytest.raises(Exception, match="already exists"):
        store.migrate(engine, "head")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("pass_tally",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert connection.execute("PRAGMA application_id").fetchone() == (0,)


def test_migrating_again_changes_nothing(tmp_path):
    database_at(tmp_path / "store.db", "head")
    before = (tmp_path / "store.db").read_bytes()
    database_at(tmp_path / "store.db", "head")
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        assert dump(connection) == SNAPSHOT.read_text()
    assert len((tmp_path / "store.db").read_bytes()) == len(before)
