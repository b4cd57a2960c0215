import os
import shutil
import socket
import sqlite3
import time
from types import SimpleNamespace

import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.doctor import places as module
from tokenpak.control.doctor.places import look_at_places
from tokenpak.control.instance import lock_instance
from tokenpak.telemetry.store import close_store, open_store


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path / "state")
    prepare(found)
    return found


@pytest.fixture(autouse=True)
def a_disk_with_room(monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 0)


def about(paths):
    return {finding.about: finding for finding in look_at_places(paths)}


def test_a_fresh_directory_and_none_at_all_are_well(paths, tmp_path):
    close_store(open_store(paths.database))
    assert look_at_places(paths) == []
    assert look_at_places(paths_for(tmp_path / "none")) == []


def test_what_others_may_read_is_found_and_shut(paths):
    paths.database.write_bytes(b"")
    paths.database.chmod(0o644)
    found = about(paths)["mode"]
    assert found.weight == "note"  # nobody gets through the directory
    paths.state.chmod(0o755)
    findings = [each for each in look_at_places(paths) if each.about == "mode"]
    assert [each.weight for each in findings] == ["wrong", "wrong"]
    for each in findings:
        each.mend()
    assert look_at_places(paths) == []
    assert paths.state.stat().st_mode & 0o777 == 0o700
    assert paths.database.stat().st_mode & 0o777 == 0o600


def test_the_mode_of_what_a_link_points_to_is_not_ours(paths, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("")
    theirs.chmod(0o644)
    (paths.state / "link").symlink_to(theirs)
    assert "mode" not in about(paths)


def test_a_foreign_owner_is_named_once_and_nothing_is_mended(paths, monkeypatch):
    (paths.state / "a").write_text("")
    monkeypatch.setattr(module.os, "getuid", lambda: 12345)
    owners = [each for each in look_at_places(paths) if each.about == "owner"]
    assert len(owners) == 1
    assert owners[0].mend is None
    assert "chown -R 12345" in owners[0].remedy


def test_sockets_nobody_listens_on_are_left_over_and_others_are_not(paths):
    for name in ("w00.sock", "writer.sock"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(paths.sockets / name))
    found = about(paths)["socket"]
    assert "2 sockets are left over" in found.what
    with lock_instance(paths):  # somebody is starting, and may be about to listen
        assert "socket" not in about(paths)
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(paths.control_sock))
        living.listen()
        found.mend()
        assert os.listdir(paths.sockets) == ["control.sock"]  # noqa: PTH208
        assert "socket" not in about(paths)


def test_the_word_of_a_dead_front(paths):
    paths.ready_file(1).write_text(str(os.getpid()))
    assert "socket" not in about(paths)
    paths.ready_file(2).write_text("4194305")
    about(paths)["socket"].mend()
    assert not paths.ready_file(2).exists()
    assert paths.ready_file(1).exists()


def test_a_disk_that_is_nearly_full_or_read_only(paths, monkeypatch):
    monkeypatch.setattr(module, "LEAST_BYTES", 256 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5 * 2**20))
    assert "5 MiB are free" in about(paths)["disk"].what
    monkeypatch.setattr(module, "LEAST_BYTES", 0)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_files=10, f_favail=3))
    assert "3 more files" in about(paths)["disk"].what
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_files=0, f_favail=0))
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert "cannot be written" in about(paths)["disk"].what


def test_a_clock_that_was_set_back(paths):
    file = paths.run / "active_slot"
    file.write_text("1")
    os.utime(file, (time.time() + 200, time.time() + 200))
    assert "clock" not in about(paths)
    os.utime(file, (time.time() + 7200, time.time() + 7200))
    assert "set back" in about(paths)["clock"].what


def test_a_store_that_is_damaged_foreign_or_newer(paths):
    file = paths.database
    close_store(open_store(file))
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA user_version = 99")
    store.close()
    found = about(paths)["store"]
    assert "schema 99" in found.what
    assert "requests go on" in found.remedy
    assert found.mend is None
    file.write_bytes(b"no database at all, but long enough" * 100)
    assert "cannot be read" in about(paths)["store"].what
    file.unlink()
    with sqlite3.connect(file) as store:
        store.execute("PRAGMA user_version = 1")
    store.close()
    file.chmod(0o600)
    assert "another program" in about(paths)["store"].what


def test_damage_inside_is_found(paths):
    close_store(open_store(paths.database))
    data = bytearray(paths.database.read_bytes())
    data[4096 * 2 : 4096 * 6] = b"\xff" * 4096 * 4
    paths.database.write_bytes(data)
    assert about(paths)["store"].weight == "wrong"
