"""The plan memory: two slots on one file, restarts, torn and damaged files, full disks."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tokenpak.core.patch import Change, Form
from tokenpak.services import memory as module
from tokenpak.services.memory import PlanMemory

BOUND = 2**20


def form(name: str, new: str = "") -> Form:
    return Form(name.encode().ljust(16), (Change(0, 0, 4, new, "line-runs", 3),) if new else ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plans"


def opened(path: Path, bound: int = BOUND) -> PlanMemory:
    return PlanMemory(path, bound)


def test_what_is_committed_is_known(path: Path):
    plans = opened(path)
    assert plans.forms(b"f") == ()
    assert plans.commit(b"f", (form("a", "x"), form("b")))
    assert plans.commit(b"f", (form("c"),))
    assert plans.commit(b"g", (form("a"),))
    assert plans.forms(b"f") == (form("a", "x"), form("b"), form("c"))
    assert plans.forms(b"g") == (form("a"),)
    assert plans.statistics() | {"bytes": 0} == {
        "families": 2,
        "forms": 4,
        "bytes": 0,
        "unsaved": 0,
        "unread": 0,
        "forgotten": 0,
        "stopped": 0,
    }


def test_a_restart_knows_it_all(path: Path):
    plans = opened(path)
    plans.commit(b"f", (form("a", "x" * 50), form("b", "é☕")))
    plans.stop(b"f")
    plans.close()
    again = opened(path)
    assert again.forms(b"f") == plans.forms(b"f")
    assert again.stopped(b"f")
    assert not again.stopped(b"g")


def test_slots_see_each_others_forms_at_once(path: Path):
    one, two = opened(path), opened(path)
    for n in range(20):
        writer, reader = (one, two) if n % 2 else (two, one)
        assert writer.commit(b"f", (form(f"{n}", "x"),))
        assert reader.forms(b"f") == writer.forms(b"f")
    one.stop(b"f")
    assert two.forms(b"f")
    assert two.stopped(b"f")


def test_the_first_form_of_a_block_holds_and_nothing_built_on_another_is_kept(path: Path):
    one, two = opened(path), opened(path)
    assert one.commit(b"f", (form("a", "x"),))
    assert not two.commit(b"f", (form("a"), form("b", "refers to a")))
    assert not two.commit(b"f", (form("b"), form("a", "y")))
    assert two.forms(b"f") == (form("a", "x"),)
    assert two.commit(b"f", (form("a", "x"), form("b")))
    assert opened(path).forms(b"f") == one.forms(b"f") == (form("a", "x"), form("b"))


def test_nothing_new_writes_nothing(path: Path):
    plans = opened(path)
    plans.commit(b"f", (form("a"),))
    size = path.stat().st_size
    assert plans.commit(b"f", ())
    assert plans.commit(b"f", (form("a"),))
    plans.stop(b"f")
    stopped = path.stat().st_size
    plans.stop(b"f")
    assert (path.stat().st_size, stopped > size) == (stopped, True)


def test_the_file_is_private(path: Path):
    old = os.umask(0)
    try:
        plans = opened(path, 200)
        for n in range(20):
            plans.commit(b"f%d" % n, (form("a", "x" * 30),))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# ---------------------------------------------------------------- torn, damaged, foreign


def three_records(path: Path) -> list[int]:
    """A file of three records, and where they end."""
    ends = []
    plans = opened(path)
    for name in "abc":
        plans.commit(name.encode(), (form(name, name * 20),))
        ends.append(path.stat().st_size)
    plans.close()
    return ends


def test_a_tail_torn_anywhere_costs_the_last_record_and_no_other(path: Path):
    ends = three_records(path)
    whole = path.read_bytes()
    for cut in range(ends[1], ends[2] + 1):
        path.write_bytes(whole[:cut])
        plans = opened(path)
        assert plans.forms(b"a")
        assert plans.forms(b"b")
        assert bool(plans.forms(b"c")) is (cut == ends[2])
        assert plans.commit(b"d", (form("d"),))
        assert plans.statistics()["unsaved"] == 0
        plans.close()
        again = opened(path)
        assert [bool(again.forms(name)) for name in (b"a", b"b", b"c", b"d")] == [True, True, cut == ends[2], True]
        assert again.statistics()["unread"] == 0
        again.close()


def test_a_slot_does_not_cut_off_what_another_is_just_writing(path: Path):
    """Without the lock, half a record is only looked at; it is read when the rest has come."""
    ends = three_records(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: ends[2] - 5])
    plans = opened(path)
    assert not plans.forms(b"c")
    with path.open("ab") as file:
        file.write(whole[ends[2] - 5 :])
    assert plans.forms(b"c")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"\0" * 30, b"TPK1", b"garbage", b"TPK1\xff\xff\xff\x7f\0\0\0\0", b""])
def test_damage_in_the_middle_costs_one_record(path: Path, damage: bytes):
    ends = three_records(path)
    whole = bytearray(path.read_bytes())
    whole[ends[0] : ends[1]] = damage
    path.write_bytes(whole)
    plans = opened(path)
    assert plans.forms(b"a")
    assert not plans.forms(b"b")
    assert plans.forms(b"c")
    assert plans.statistics()["unread"] == (1 if damage else 0)
    assert plans.commit(b"d", (form("d"),))
    assert opened(path).forms(b"d")
    assert opened(path).forms(b"c")


def test_every_flipped_byte_is_survived(path: Path):
    ends = three_records(path)
    whole = path.read_bytes()
    for at in range(ends[0], ends[1]):
        flipped = bytearray(whole)
        flipped[at] ^= 0x55
        path.write_bytes(flipped)
        plans = opened(path)
        assert plans.forms(b"a")
        assert plans.forms(b"c")
        plans.close()


def test_a_file_of_garbage_is_begun_anew(path: Path):
    path.write_bytes(Random(1).randbytes(5000))
    plans = opened(path)
    assert plans.commit(b"f", (form("a"),))
    assert opened(path).forms(b"f")


def test_a_record_of_another_version_is_counted_and_stepped_over(path: Path):
    plans = opened(path)
    frame = plans._framed(module._Record(b"x"))
    odd = b"\xc3"
    path.write_bytes(module._HEADER.pack(b"TPK1", 1, __import__("zlib").crc32(odd)) + odd + frame)
    again = opened(path)
    assert again.statistics()["unread"] == 1
    assert again.statistics()["families"] == 1


def test_a_file_cut_short_by_somebody_is_read_again(path: Path):
    plans = opened(path)
    plans.commit(b"a", (form("a"),))
    path.write_bytes(b"")
    assert plans.forms(b"a")
    assert plans.commit(b"b", (form("b"),))
    assert opened(path).forms(b"b")


# ---------------------------------------------------------------- bounds


def test_families_not_used_for_longest_are_forgotten(path: Path):
    plans = opened(path, 2_000)
    for n in range(40):
        plans.commit(b"%d" % n, (form("a", "x" * 100),))
        plans.forms(b"0")
        assert plans.statistics()["bytes"] <= 2_000
    told = plans.statistics()
    assert told["families"] + told["forgotten"] == 40
    assert told["families"] > 3
    assert plans.forms(b"0")
    assert plans.forms(b"39")
    assert not plans.forms(b"20")


def test_the_bound_holds_after_many_times_its_size(path: Path):
    plans = opened(path, 2_000)
    for n in range(2_000):
        plans.commit(b"%d" % n, (form("a", "x" * (n % 90)),))
    told = plans.statistics()
    assert told["bytes"] == sum(family.size for family in plans._families.values()) <= 2_000
    assert told["families"] > 5
    assert path.stat().st_size < 10_000


def test_a_family_with_too_many_forms_is_begun_anew(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FAMILY_FORMS", 10)
    plans = opened(path)
    for n in range(15):
        plans.commit(b"f", (form(f"{n}"),))
    assert plans.forms(b"f") == tuple(form(f"{n}") for n in range(10, 15))
    assert opened(path).forms(b"f") == plans.forms(b"f")
    assert plans.statistics()["forgotten"] == 1


def test_a_file_grown_too_long_is_written_anew_while_another_slot_writes(path: Path):
    one, two = opened(path, 3_000), opened(path, 3_000)
    for n in range(200):
        (one if n % 3 else two).commit(b"%d" % (n // 2), (form(f"{n}", "x" * 60),))
        assert {f.chain for f in one.forms(b"%d" % (n // 2))} == {f.chain for f in two.forms(b"%d" % (n // 2))}
    assert path.stat().st_size < 12_000
    assert not path.with_suffix(".new").exists() or path.with_suffix(".new").stat().st_size == 0
    assert opened(path, 3_000).forms(b"99") == one.forms(b"99") == two.forms(b"99") != ()


def test_a_slot_that_only_reads_follows_a_file_written_anew(path: Path):
    writer, reader = opened(path, 3_000), opened(path, 3_000)
    for n in range(100):
        writer.commit(b"%d" % n, (form("a", "x" * 60),))
        assert reader.forms(b"%d" % n)


def test_a_renewed_file_is_not_renewed_with_every_write(path: Path, monkeypatch: pytest.MonkeyPatch):
    plans, renewals = opened(path, 3_000), []
    honest = PlanMemory._renew
    monkeypatch.setattr(PlanMemory, "_renew", lambda self: (renewals.append(1), honest(self)))
    for n in range(300):
        plans.commit(b"f", (form(f"{n}", "☕" * 40),))
    assert 1 <= len(renewals) < 12


def test_a_deleted_file_is_written_again(path: Path):
    plans = opened(path)
    plans.commit(b"a", (form("a"),))
    path.unlink()
    assert plans.commit(b"b", (form("b"),))
    assert opened(path).forms(b"b")


# ---------------------------------------------------------------- disks and locks that refuse


def test_without_a_place_it_still_serves_and_says_so(tmp_path: Path):
    plans = opened(tmp_path / "missing" / "plans")
    assert plans.commit(b"f", (form("a", "x"),))
    assert not plans.commit(b"f", (form("a"),))
    assert plans.forms(b"f") == (form("a", "x"),)
    assert plans.statistics()["unsaved"] == 1
    (tmp_path / "missing").mkdir()
    assert plans.commit(b"f", (form("b"),))
    assert plans.statistics()["unsaved"] == 0
    assert opened(tmp_path / "missing" / "plans").forms(b"f") == (form("a", "x"), form("b"))


FULL = """
import resource, sys
from pathlib import Path
from tokenpak.core.patch import Change, Form
from tokenpak.services.memory import PlanMemory
path = Path(sys.argv[1])
plans = PlanMemory(path, 2**20)
form = lambda n: Form(b"%d" % n, (Change(0, 0, 4, "x" * 100, "line-runs", 3),))
assert plans.commit(b"f", (form(0),))
whole = path.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 50, resource.RLIM_INFINITY))
for n in range(1, 30):
    assert plans.commit(b"f", (form(n),))
    assert len(plans.forms(b"f")) == n + 1
assert path.read_bytes() == whole, "a short write is taken back"
assert plans.statistics()["unsaved"] == 29
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert plans.commit(b"f", (form(30),))
assert plans.statistics()["unsaved"] == 0
plans.close()
assert len(PlanMemory(path, 2**20).forms(b"f")) == 31
"""


def test_a_full_disk_costs_persistence_until_there_is_room(path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_waits_for_the_disk_is_bounded_and_drops_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BACKLOG_BYTES", 1_000)
    plans = opened(tmp_path / "missing" / "plans")
    for n in range(50):
        plans.commit(b"f", (form(f"{n}", "x" * 50),))
    assert sum(map(len, plans._backlog)) <= 1_000
    assert plans.statistics()["unsaved"] == 50
    assert len(plans.forms(b"f")) == 50


def test_a_renewal_that_fails_keeps_the_file_and_is_not_tried_with_every_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    plans, tries = opened(path, 1_000), []

    def refused(self: Path, target: Path) -> None:
        tries.append(target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refused)
    for n in range(100):
        assert plans.commit(b"f", (form(f"{n}", "x" * 50),))
    assert 1 <= len(tries) <= 12
    assert plans.statistics()["unsaved"] == 0
    assert len(opened(path).forms(b"f")) == 100


def test_a_slot_that_was_stopped_with_the_lock_stops_no_other(path: Path, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    plans = opened(path)
    held = os.open(path, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    for n in range(10):
        assert plans.commit(b"f", (form(f"{n}"),))
    assert sum(waits) < 0.2
    assert plans.statistics()["unsaved"] == 10
    fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
    assert plans.commit(b"f", (form("last"),))
    assert plans.statistics()["unsaved"] == 0
    assert len(opened(path).forms(b"f")) == 11


WRITER = """
import sys
from pathlib import Path
from tokenpak.core.patch import Change, Form
from tokenpak.services.memory import PlanMemory
plans = PlanMemory(Path(sys.argv[1]), int(sys.argv[3]))
for n in range(150):
    name = f"{sys.argv[2]}{n}".encode().ljust(16)
    assert plans.commit(b"f%d" % (n % 3), (Form(name, (Change(0, 0, 4, "x" * 40, "line-runs", 3),)),))
assert plans.statistics()["unsaved"] == 0, plans.statistics()
"""


@pytest.mark.parametrize("bound", [2**20, 60_000])
def test_processes_write_at_once_and_lose_nothing(path: Path, bound: int):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, str(bound)]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    plans = opened(path)
    assert sum(len(plans.forms(b"f%d" % n)) for n in range(3)) == 300
    assert plans.statistics()["unread"] == 0


def test_a_failing_disk_is_survived(path: Path, monkeypatch: pytest.MonkeyPatch):
    plans = opened(path)
    plans.commit(b"f", (form("a"),))

    def fails(*given: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.os, "fstat", fails)
    assert plans.forms(b"f")
    assert plans.commit(b"f", (form("b"),))
    assert len(plans.forms(b"f")) == 2
    assert (plans.statistics()["unread"], plans.statistics()["unsaved"]) == (1, 1)
    monkeypatch.undo()
    assert plans.commit(b"f", (form("c"),))
    assert opened(path).forms(b"f") == (form("a"), form("b"), form("c"))
