"""The log shared by slots: order, torn and damaged files, files written anew, disks and locks that refuse."""

import fcntl
import os
import stat
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from random import Random

import msgspec
import pytest

from tokenpak.services import shared_log
from tokenpak.services.shared_log import SharedLog, Use

ROOM = 2**20
PATIENT = 5_000
"""Tries to have the lock, however long a busy machine keeps another slot from its turn."""


class Amount(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Taking one twice would show."""

    name: str
    value: int


class Slot:
    """A slot that adds up what it takes in; a log that is written anew holds the sum."""

    def __init__(self, path, room=ROOM):
        self.names, self.sum = [], 0
        use = Use(self._take, self._forget, lambda amounts: [Amount("sum", sum(each.value for each in amounts))])
        self.log = SharedLog(path, msgspec.msgpack.Decoder(Amount), use, room)

    def _take(self, amount):
        self.names.append(amount.name)
        self.sum += amount.value

    def _forget(self):
        self.names, self.sum = [], 0

    def say(self, *names):
        for name in names:
            self.log.write(lambda name=name: Amount(name, 1))
        return self

    def look(self):
        self.log.follow()
        return self.sum


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log"


def test_slots_take_in_each_others_records_once_and_in_one_order(path):
    one, two = Slot(path), Slot(path)
    one.say("a")
    two.say("b")
    one.say("c")
    assert one.names == ["a", "b", "c"]
    two.log.write(lambda: None)
    assert two.names == Slot(path).names == ["a", "b", "c"]
    assert one.log.trouble() == (0, 0, "")


def test_a_decision_sees_everything_before_it(path):
    one, two = Slot(path), Slot(path)
    one.say("a")
    seen = []
    two.log.write(lambda: seen.extend(two.names))
    assert seen == ["a"]


def test_the_file_is_private(path):
    old = os.umask(0)
    try:
        Slot(path, 100).say(*"abcdefgh")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_at_once_never_tear_a_record(path, monkeypatch):
    monkeypatch.setattr(shared_log, "_LOCK_TRIES", PATIENT)
    slots = [Slot(path) for _ in range(4)]
    threads = [
        threading.Thread(target=slot.say, args=[f"{index}.{number}" for number in range(50)])
        for index, slot in enumerate(slots)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for slot in slots:
        assert slot.look() == 200 == len(set(slot.names))
        assert slot.log.trouble() == (0, 0, "")


# ---------------------------------------------------------------- torn, damaged, foreign


@pytest.fixture
def ends(path):
    """A file of three records, a to c: where they end."""
    slot, found = Slot(path), []
    for name in "abc":
        slot.say(name * 20)
        found.append(path.stat().st_size)
    slot.log.close()
    return found


def first_letters(path):
    return "".join(name[0] for name in Slot(path).names)


def test_a_tail_torn_anywhere_costs_the_last_record_and_no_other(path, ends):
    whole = path.read_bytes()
    for cut in range(ends[1], ends[2] + 1):
        path.write_bytes(whole[:cut])
        slot = Slot(path).say("d")
        assert first_letters(path) == ("abcd" if cut == ends[2] else "abd")
        assert slot.log.trouble() == Slot(path).log.trouble() == (0, 0, "")


def test_a_slot_does_not_cut_off_what_another_is_just_writing(path, ends):
    """Without the lock, half a record is only looked at; it is read when the rest has come."""
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[2] - 5])
    slot = Slot(path)
    assert slot.sum == 2
    with path.open("ab") as file:
        file.write(whole[ends[2] - 5 :])
    assert slot.look() == 3
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\0" * 30, b"TPK1", b"garbage", b"TPK1\xff\xff\xff\x7f\0\0\0\0", b""])
def test_damage_in_the_middle_costs_one_record(path, ends, damage):
    whole = bytearray(path.read_bytes())
    whole[ends[0] : ends[1]] = damage
    path.write_bytes(whole)
    slot = Slot(path)
    assert slot.log.trouble().unread == (1 if damage else 0)
    slot.say("d")
    assert first_letters(path) == "acd"


def test_every_flipped_byte_is_survived(path, ends):
    whole = path.read_bytes()
    for at in range(ends[0], ends[1]):
        flipped = bytearray(whole)
        flipped[at] ^= 0x55
        path.write_bytes(flipped)
        assert first_letters(path) == "ac"


def test_a_file_of_garbage_is_begun_anew(path):
    path.write_bytes(Random(1).randbytes(5000))
    Slot(path).say("a")
    assert first_letters(path) == "a"


def test_a_record_of_another_version_is_counted_and_stepped_over(path):
    Slot(path).say("a")
    odd = msgspec.msgpack.encode(["x", 1, "more"])
    path.write_bytes(shared_log._HEADER.pack(b"TPK1", len(odd), zlib.crc32(odd)) + odd + path.read_bytes())
    slot = Slot(path, 60)
    assert (slot.names, slot.log.trouble().unread) == (["a"], 1)
    slot.say("b")  # written anew without it
    assert (Slot(path).sum, slot.log.trouble().unread) == (2, 1)


def test_a_file_cut_short_by_somebody_is_gone_on_with(path):
    slot = Slot(path).say("a", "b")
    path.write_bytes(b"")
    assert slot.look() == 2
    slot.say("c")
    assert (slot.names, Slot(path).names) == (["a", "b", "c"], ["c"])


def test_a_file_that_went_missing_is_begun_again_and_nothing_counted_twice(path):
    slot, reader = Slot(path).say("a"), Slot(path)
    slot.say("b")
    path.unlink()
    slot.say("c")
    assert slot.names == ["a", "b", "c"]
    assert reader.look() == 3
    assert Slot(path).names == ["c"]


# ---------------------------------------------------------------- written anew


def test_a_log_grown_too_long_is_written_anew_under_the_eyes_of_other_slots(path):
    one, two = Slot(path, 400), Slot(path, 400)
    for number in range(300):
        (one if number % 3 else two).say(f"{number}")
        assert path.stat().st_size < 450
    assert one.look() == two.look() == Slot(path).sum == 300
    assert one.log.trouble() == two.log.trouble() == (0, 0, "")


def test_written_anew_more_than_once_between_two_looks(path):
    """What was said between the two is in the sum of the second alone."""
    one, sleeper = Slot(path, 400), Slot(path, 400)
    sleeper.say("mine")
    for number in range(100):
        one.say(f"{number}")
    assert sleeper.look() == 101
    assert sleeper.say("late").sum == one.look() == Slot(path).sum == 102


def test_what_waits_for_the_disk_is_not_forgotten_when_all_is_told_again(path, monkeypatch):
    one, other = Slot(path, 400), Slot(path, 400)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    other.say("waiting")
    monkeypatch.setattr(os, "write", real)
    for number in range(100):
        one.say(f"{number}")
    assert (other.look(), other.log.trouble().unsaved) == (101, 1)
    assert other.say("after").sum == one.look() == Slot(path).sum == 102


def test_it_is_not_written_anew_with_every_record(path, monkeypatch):
    renewals, honest = [], SharedLog._renew
    monkeypatch.setattr(SharedLog, "_renew", lambda self: (renewals.append(1), honest(self)))
    use = Use(lambda amount: None, lambda: None, list)  # cannot be said in less
    log = SharedLog(path, msgspec.msgpack.Decoder(Amount), use, 1_000)
    for number in range(2_000):
        log.write(lambda number=number: Amount(f"{number}", 1))
    assert 1 <= len(renewals) < 12
    assert Slot(path).sum == 2_000


def test_a_renewal_that_fails_keeps_the_file_and_is_not_tried_with_every_record(path, monkeypatch):
    tries = []

    def refused(self, target):
        tries.append(target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refused)
    slot = Slot(path, 400)
    slot.say(*map(str, range(100)))
    assert 1 <= len(tries) <= 12
    assert slot.log.trouble().unsaved == 0
    assert Slot(path).sum == 100
    assert list(path.parent.iterdir()) == [path]


# ---------------------------------------------------------------- disks and locks that refuse


def test_no_place_at_all(tmp_path):
    path = tmp_path / "missing" / "log"
    slot = Slot(path).say("a")
    assert (slot.names, slot.log.trouble()) == (["a"], (1, 0, "No such file or directory"))
    (tmp_path / "missing").mkdir()
    slot.say("b")
    assert slot.log.trouble() == (0, 0, "")
    assert Slot(path).names == slot.names == ["a", "b"]


def test_a_disk_that_refuses_costs_agreement_only_until_it_is_over(path, monkeypatch):
    slot, real = Slot(path), os.write

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    assert slot.say("a").names == ["a"]
    assert slot.log.trouble() == (1, 0, "No space left on device")
    monkeypatch.setattr(os, "write", real)
    slot.say("b")
    assert slot.log.trouble() == (0, 0, "")
    assert Slot(path).names == ["a", "b"]


def test_half_a_record_on_a_full_disk_is_taken_back(path, monkeypatch):
    slot, real = Slot(path), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    slot.say("a")
    assert path.read_bytes() == b""
    assert slot.log.trouble() == (1, 0, "disk full")
    monkeypatch.setattr(os, "write", real)
    slot.say("b")
    assert Slot(path).names == ["a", "b"]


def test_what_waits_for_the_disk_is_bounded_and_drops_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_log, "BACKLOG_BYTES", 400)
    path = tmp_path / "missing" / "log"
    slot = Slot(path).say(*map(str, range(50)))
    assert slot.sum == slot.log.trouble().unsaved == 50
    (tmp_path / "missing").mkdir()
    slot.say("last")
    kept = Slot(path).names
    assert 10 < len(kept) <= 400 // len(shared_log._HEADER.pack(b"", 0, 0) + msgspec.msgpack.encode(Amount("49", 1)))
    assert kept == slot.names[-len(kept) :]
    assert slot.log.trouble().unsaved == 51 - len(kept)


def test_a_failing_disk_is_survived(path, monkeypatch):
    slot = Slot(path).say("a")

    def fails(*given):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fstat", fails)
    assert slot.look() == 1
    assert slot.say("b").sum == 2
    assert slot.log.trouble() == (1, 2, "Input/output error")
    monkeypatch.undo()
    slot.say("c")
    assert Slot(path).names == slot.names == ["a", "b", "c"]


def test_what_could_not_be_read_is_not_cut_off(path, monkeypatch):
    slot, other = Slot(path), Slot(path).say("a")

    def fails(*given):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fails)
    assert slot.say("b").names == ["b"]
    monkeypatch.undo()
    assert slot.log.trouble() == (1, 1, "Input/output error")
    slot.say("c")
    assert slot.log.trouble() == (0, 1, "")
    assert other.look() == Slot(path).sum == slot.sum == 3


def test_a_slot_that_cannot_go_on_to_the_next_file_keeps_nobody_from_it(path, monkeypatch):
    one, two, three, real = Slot(path, 400), Slot(path, 400), Slot(path, 400), os.open
    one.say(*map(str, range(30)))

    def fails(*given, **named):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fails)
    two.say("waits")
    monkeypatch.setattr(os, "open", real)
    assert three.say("goes on").sum == 31
    assert three.log.trouble() == (0, 0, "")


def test_no_descriptors_for_the_file_that_came_in_its_place(path, monkeypatch):
    one, two, real = Slot(path, 400), Slot(path, 400), os.open
    one.say(*map(str, range(30)))

    def fails(*given, **named):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fails)
    assert two.say("late").log.trouble() == (1, 2, "Too many open files")
    monkeypatch.setattr(os, "open", real)
    assert two.say("b").sum == one.look() == Slot(path).sum == 32


def test_a_slot_that_was_stopped_with_the_lock_stops_no_other(path, monkeypatch):
    waits = []
    monkeypatch.setattr(shared_log.time, "sleep", waits.append)
    slot = Slot(path)
    held = os.open(path, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    slot.say(*map(str, range(10)))
    assert sum(waits) < 0.2
    assert slot.log.trouble().unsaved == 10
    fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
    slot.say("last")
    assert slot.log.trouble().unsaved == 0
    assert Slot(path).sum == 11


WRITER = """
import sys
from pathlib import Path
from tests.services.test_shared_log import PATIENT, Slot, shared_log
shared_log._LOCK_TRIES = PATIENT
slot = Slot(Path(sys.argv[1]), int(sys.argv[3]))
slot.say(*(f"{sys.argv[2]}{n}" for n in range(300)))
assert slot.log.trouble() == (0, 0, ""), slot.log.trouble()
"""


@pytest.mark.parametrize("room", [2**20, 400])
def test_processes_write_at_once_and_lose_nothing(path, room):
    paths = os.pathsep.join(sys.path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(room)], env=os.environ | {"PYTHONPATH": paths}
        )
        for name in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert Slot(path).sum == 600
