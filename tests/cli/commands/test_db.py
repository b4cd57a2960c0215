import json
import sqlite3
import stat
from contextlib import closing

import pytest
from report_lab import fill

from tokenpak.cli.commands.db import backup, check, migrate
from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.instance import AlreadyRunning, lock_instance
from tokenpak.telemetry import store
from tokenpak.telemetry.queries import StoreUnreadableError


@pytest.fixture
def state(tmp_path):
    place = tmp_path / "state"
    prepare(paths_for(place))
    fill(place)
    return place


def test_a_sound_store(state, capsys):
    assert check(state_dir=state) == 0
    assert "well: integrity, schema, foreign keys, sums" in capsys.readouterr().out
    assert check(json=True, state_dir=state) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_what_is_wrong_is_said_with_exit_code_1(state, capsys):
    with closing(sqlite3.connect(paths_for(state).database)) as connection:
        connection.execute("DROP INDEX request_by_time")
    assert check(state_dir=state) == 1
    assert "! index request_by_time is missing" in capsys.readouterr().out


def test_garbage_is_said_to_be_such(state, capsys):
    paths_for(state).database.write_bytes(b"garbage " * 1000)
    assert check(state_dir=state) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_copy(state, tmp_path, capsys):
    assert backup(tmp_path / "copy.db", state_dir=state) == 0
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    with pytest.raises(StoreUnreadableError, match="exists"):
        backup(tmp_path / "copy.db", state_dir=state)


def test_a_copy_lands_where_one_is_and_not_in_what_an_uninstall_removes(state, tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert backup(state_dir=state) == 0
    (made,) = (tmp_path / "here").iterdir()
    assert made.match("tokenpak-*.db")
    assert capsys.readouterr().out.startswith(f"{made.name}: ")
    assert not list(state.rglob("tokenpak-*.db"))


def test_migration_says_from_where_to_where_and_rebuilds_an_old_file(state, capsys):
    path = paths_for(state).database
    path.unlink()
    engine = store.create_engine(f"sqlite:///{path}")
    store.migrate(engine, "0001")
    engine.dispose()
    assert migrate(state_dir=state) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"schema 1 -> {store.SCHEMA_VERSION}"
    assert second.startswith("rebuilt")
    assert check(state_dir=state) == 0
    capsys.readouterr()
    assert migrate(state_dir=state) == 0
    assert capsys.readouterr().out == f"schema {store.SCHEMA_VERSION} -> {store.SCHEMA_VERSION}\n"


def test_a_running_instance_migrates_by_itself(state):
    with lock_instance(paths_for(state)), pytest.raises(AlreadyRunning, match="tokenpakctl stop"):
        migrate(state_dir=state)


def test_no_store_yet(tmp_path):
    for command in (check, backup, migrate):
        with pytest.raises(StoreUnreadableError, match=rf"no store yet: no request was recorded in {tmp_path}\. Start"):
            command(state_dir=tmp_path)
