import os
import stat
from pathlib import Path

import pytest

from tokenpak.config import whole_file


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_replaced_and_has_its_mode_whatever_the_umask_says(tmp_path, mode):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    old = os.umask(0o077)
    try:
        whole_file.put(target, b"new", mode=mode)
    finally:
        os.umask(old)
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", mode)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_where_it_fails_the_old_stands_and_nothing_is_left(tmp_path, monkeypatch, failing):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def refused(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*{"write": (os, "fsync"), "replace": (Path, "replace")}[failing], refused)
    with pytest.raises(OSError, match="No space"):
        whole_file.put(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_has_the_one_or_the_other(tmp_path):
    target = tmp_path / "file"
    whole_file.put(target, b"old")
    with target.open("rb") as reader:
        whole_file.put(target, b"new")
        assert (reader.read(), target.read_bytes()) == (b"old", b"new")
