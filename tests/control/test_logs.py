import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.logs import Follower, last_lines, log_files
from tokenpak.control.supervisor import UnknownProgram


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    for name in ("supervisord", "worker_00", "worker_01", "front_01", "writer"):
        (found.logs / f"{name}.log").write_text("")
    return found


def test_logs_are_found_without_supervisord(paths):
    assert sorted(log_files(paths, None)) == ["front_01", "supervisord", "worker_00", "worker_01", "writer"]
    assert sorted(log_files(paths, "worker")) == ["worker_00", "worker_01"]
    assert list(log_files(paths, "worker:worker_01")) == ["worker_01"]
    assert list(log_files(paths, "supervisord")) == ["supervisord"]
    with pytest.raises(UnknownProgram, match="nobody"):
        log_files(paths, "nobody")


def test_the_last_lines(tmp_path):
    file = tmp_path / "x.log"
    assert last_lines(file, 5) == []
    file.write_bytes(b"".join(b"line %d \xff\n" % number for number in range(20_000)))
    assert last_lines(file, 2) == ["line 19998 \ufffd", "line 19999 \ufffd"]
    assert last_lines(file, 0) == []


def test_what_is_added_is_shown_once_and_in_whole_lines(tmp_path):
    file = tmp_path / "x.log"
    file.write_text("old\n")
    follower = Follower({"x": file})
    assert follower.new_lines() == []
    with file.open("ab") as log:
        log.write(b"one\ntwo")
        log.flush()
        assert follower.new_lines() == [("x", "one")]
        log.write(b" \xc3")
        log.flush()
        assert follower.new_lines() == []
        log.write(b"\xbc\r\n")
        log.flush()
        assert follower.new_lines() == [("x", "two ü")]
    follower.close()


def test_a_rotated_log_is_followed_into_its_successor(tmp_path):
    file = tmp_path / "x.log"
    file.write_text("old\n")
    follower = Follower({"x": file})
    with file.open("a") as log:
        log.write("last of the old\n")
    file.rename(tmp_path / "x.log.1")
    assert follower.new_lines() == [("x", "last of the old")]
    file.write_text("first of the new\n")
    assert follower.new_lines() == [("x", "first of the new")]
    file.write_text("cut\n")
    assert follower.new_lines() == [("x", "cut")]
    follower.close()


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path):
    follower = Follower({"x": tmp_path / "x.log"})
    assert follower.new_lines() == []
    (tmp_path / "x.log").write_text("hello\n")
    assert follower.new_lines() == [("x", "hello")]
    follower.close()
