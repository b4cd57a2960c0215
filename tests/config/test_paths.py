import os
import stat
from pathlib import Path

import pytest

from tokenpak.config import paths
from tokenpak.config.paths import PathError, paths_for, prepare


def test_everything_lives_in_the_state_directory(tmp_path):
    found = paths_for(tmp_path)
    for place in (
        found.run,
        found.logs,
        found.journal,
        found.plans,
        found.boots,
        found.database,
        found.vocabulary,
        found.supervisor_conf,
        found.supervisor_pid,
        found.settings_file,
        found.active_slot,
        found.instance_lock,
        found.ready_file(2),
    ):
        assert place.is_relative_to(tmp_path)


def test_a_relative_state_directory_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths_for(Path("here")).state == tmp_path / "here"


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths_for(Path("~/state")).state == tmp_path / "state"


def test_sockets_stay_beside_the_state_while_they_fit():
    assert paths_for(Path("/home/me/.local/state/tokenpak")).sockets == Path(
        "/home/me/.local/state/tokenpak/run/sockets"
    )


@pytest.mark.parametrize("length", range(40, 130, 7))
def test_no_socket_path_is_ever_too_long(length):
    found = paths_for(Path("/" + "d" * length))
    for sock in (
        found.supervisor_sock,
        found.writer_sock,
        found.control_sock,
        found.worker_sock(63),
        found.front_sock(2),
    ):
        assert len(os.fsencode(sock)) <= paths.SOCKET_PATH_LIMIT
    assert len(os.fsencode(found.sockets / paths.LONGEST_SOCKET_NAME)) <= paths.SOCKET_PATH_LIMIT


def test_long_state_directories_get_sockets_of_their_own_whatever_tmpdir_says(monkeypatch, tmp_path):
    one, other = Path("/" + "a" * 120), Path("/" + "b" * 120)
    before = paths_for(one).sockets
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert paths_for(one).sockets == before
    assert paths_for(other).sockets != before


def test_prepare_creates_private_directories(tmp_path):
    found = paths_for(tmp_path / "deep" / "state")
    prepare(found)
    prepare(found)
    for directory in (found.state, found.run, found.sockets, found.logs, found.journal, found.plans, found.boots):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_prepare_closes_a_directory_that_was_open(tmp_path):
    tmp_path.chmod(0o755)
    prepare(paths_for(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_prepare_refuses_a_file_in_its_place(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(PathError, match="--state-dir"):
        prepare(paths_for(tmp_path))


def test_prepare_refuses_a_planted_link_under_tmp(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHORT_ROOT", tmp_path / "short")
    (tmp_path / "short").mkdir()
    found = paths_for(tmp_path / ("s" * 120))
    found.sockets.symlink_to(tmp_path)
    with pytest.raises(PathError, match="not a directory of this user"):
        prepare(found)
