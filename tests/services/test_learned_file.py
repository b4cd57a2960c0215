"""The file of what was learned: read again as it was written, by whichever slot; damage and a failing disk cost only it."""

import fcntl
import os

import msgspec
import pytest

from tokenpak.services import learned_file as module
from tokenpak.services.learned_file import Kept, LearnedFile

KEPT = Kept("anthropic", "claude-sonnet-4-5", 1.27, 9, 1.25, 0.001, 0.4, 30, True)
OTHER = msgspec.structs.replace(KEPT, model="claude-opus-5", halted=False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "learned"


def put(file, *models):
    return file.write(lambda news: models)


def test_what_was_written_is_read_by_another_once(path):
    writer, reader = LearnedFile(path), LearnedFile(path)
    assert reader.news() == ()
    assert put(writer, KEPT, OTHER)
    assert writer.news() == ()
    assert reader.news() == (KEPT, OTHER)
    assert reader.news() == ()
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == ["learned", "learned.lock"]


def test_whoever_writes_is_told_first_what_others_wrote(path):
    one, two = LearnedFile(path), LearnedFile(path)
    put(one, KEPT)
    assert two.write(lambda news: [*news, OTHER])
    assert LearnedFile(path).news() == (KEPT, OTHER)


def damaged():
    whole = msgspec.json.encode([KEPT])
    yield from (b"", b"{}", b"\xff", whole[:-3], whole + b" " * module.LARGEST_BYTES, b"[" * 5000)
    for name, value in (("drift", 1.5), ("drift", -0.1), ("mean", 0.0), ("token", 1e9), ("samples", -1), ("halted", 1)):
        yield msgspec.json.encode([msgspec.structs.replace(KEPT, **{name: value})])
    yield whole.replace(b"0.001", b"NaN")
    yield msgspec.json.encode([[*msgspec.to_builtins(KEPT), "more"]])


@pytest.mark.parametrize("raw", list(damaged()))
def test_a_damaged_file_is_none_counted_once_and_replaced(path, raw):
    path.write_bytes(raw)
    file = LearnedFile(path)
    assert file.news() == file.news() == ()
    assert file.trouble() == (1, 0, "damaged, or of another version")
    assert put(file, KEPT)
    assert LearnedFile(path).news() == (KEPT,)
    assert file.trouble() == (1, 0, "")


@pytest.mark.parametrize(
    "bad",
    [
        msgspec.structs.replace(KEPT, model="m" * (module.LONGEST_NAME + 1)),
        msgspec.structs.replace(KEPT, model="\udc80"),
        msgspec.structs.replace(KEPT, variance=float("nan")),
        msgspec.structs.replace(KEPT, token=1e9),
    ],
)
def test_a_model_that_could_not_be_read_again_does_not_cost_the_others(path, bad):
    assert put(LearnedFile(path), bad, OTHER)
    assert LearnedFile(path).news() == (OTHER,)


def test_as_many_models_as_are_learned_of_fit(path):
    models = [msgspec.structs.replace(KEPT, model=f"{number:0{module.LONGEST_NAME}}") for number in range(256)]
    assert put(LearnedFile(path), *models)
    assert len(LearnedFile(path).news()) == 256


def test_while_another_slot_writes_it_is_left_alone(path):
    file = LearnedFile(path)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert not put(file, KEPT)
    assert not path.exists()
    os.close(lock)
    assert put(file, KEPT)
    assert file.trouble() == (0, 0, "")


def test_a_disk_that_refuses_is_counted_until_it_is_over(path, tmp_path):
    file = LearnedFile(tmp_path / "nowhere" / "learned")
    assert not put(file, KEPT)
    assert file.trouble() == (0, 1, "No such file or directory")
    (tmp_path / "nowhere").mkdir()
    assert put(file, KEPT)
    assert file.trouble() == (0, 1, "")


def test_a_writing_that_fails_leaves_what_was_there(path, monkeypatch):
    file = LearnedFile(path)
    put(file, KEPT)

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    assert not put(file, OTHER)
    assert file.trouble().reason == "No space left on device"
    assert LearnedFile(path).news() == (KEPT,)


def test_a_file_that_cannot_be_opened_is_none(path):
    path.mkdir()
    file = LearnedFile(path)
    assert file.news() == ()
    assert file.trouble().unread == 1
