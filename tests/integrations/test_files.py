import os
import stat

import pytest

from tokenpak.integrations import files
from tokenpak.integrations.errors import CannotIntegrate, Unreadable


def test_a_file_somebody_else_has_just_written_is_not_overwritten(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"theirs")
    with pytest.raises(CannotIntegrate, match="at this very moment"):
        files.replace(file, b"before", b"ours")
    with pytest.raises(CannotIntegrate, match="at this very moment"):
        files.remove(file, b"before", ())
    assert file.read_bytes() == b"theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(tmp_path):
    new, old = tmp_path / "deep" / "er" / "f", tmp_path / "g"
    files.replace(new, None, b"x")
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert stat.S_IMODE(new.parent.stat().st_mode) == 0o700
    old.write_bytes(b"a")
    old.chmod(0o664)
    files.replace(old, b"a", b"b")
    assert (old.read_bytes(), stat.S_IMODE(old.stat().st_mode)) == (b"b", 0o664)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(b"a")
    os.chown(file, 12345, 54321)
    files.replace(file, b"a", b"b")
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 54321)


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda handle: done.append("sync") or fsync(handle))
    monkeypatch.setattr(os, "replace", lambda *given, **more: done.append("name") or replace(*given, **more))
    files.replace(tmp_path / "f", None, b"x")
    assert done == ["sync", "name", "sync"]


def test_what_a_kill_has_left_is_swept_and_in_nobodys_way(tmp_path):
    left = tmp_path / ".f.tokenpak-new"
    left.write_bytes(b"half a secret")
    files.replace(tmp_path / "f", None, b"x")
    assert not left.exists()
    left.write_bytes(b"half a secret")
    files.sweep(tmp_path / "f")
    assert not left.exists()


def test_directories_that_hold_something_stay(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "theirs").touch()
    files.remove_empty([tmp_path / "a", inner])
    assert not inner.exists()
    assert (tmp_path / "a").exists()


def test_a_byte_order_mark_is_no_text_and_comes_back():
    data = files.BOM + b"x"
    assert files.decoded(data) == "x"
    assert files.encoded("y", data) == files.BOM + b"y"
    assert files.encoded("y", None) == b"y"
    with pytest.raises(Unreadable):
        files.decoded(b"\xff")


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CannotIntegrate, match="cannot be read"):
        files.read(tmp_path)
    with pytest.raises(CannotIntegrate, match="is not a file"):
        files.refuse_unwritable(tmp_path)


def test_the_directories_to_be_made_are_named_from_the_outside(tmp_path):
    assert files.missing_directories(tmp_path / "a" / "b" / "f") == (tmp_path / "a", tmp_path / "a" / "b")
