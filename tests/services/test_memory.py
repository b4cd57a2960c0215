"""The plan memory: two slots on one log, restarts, bounds, full disks."""

import os
import stat
import subprocess
import sys
from pathlib import Path

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


WRITER = """
import sys
from pathlib import Path
from tokenpak.core.patch import Change, Form
from tokenpak.services import shared_log
from tokenpak.services.memory import PlanMemory
shared_log._LOCK_TRIES = 5_000  # however long a busy machine keeps the other from its turn
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
