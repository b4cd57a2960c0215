import os
import subprocess
import sys
import time

import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.claims import claim, claim_beside, holders

HOLD = """
import signal, sys, time
from pathlib import Path
from tokenpak.config.paths import paths_for
from tokenpak.control.claims import claim
signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = claim(paths_for(Path(sys.argv[1])), sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""

BESIDE = """
import sys
from pathlib import Path
from tokenpak.config.paths import paths_for
from tokenpak.control.claims import claim_beside
claim_beside(paths_for(Path(sys.argv[1])), "front_01")
print("ok")
"""


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    return found


@pytest.fixture
def holder(paths):
    """A process that holds the name worker_00 and does not leave by itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(paths.state), "worker_00"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_claim_names_its_process_while_it_lives(paths, holder):
    assert holders(paths) == {"worker_00": holder.pid}
    holder.kill()
    holder.wait()
    assert holders(paths) == {}
    assert list(paths.boots.glob("*.pid")) == []


def test_a_name_waits_for_its_earlier_holder(paths, holder):
    holder.kill()
    taken = claim(paths, "worker_00")
    assert (paths.boots / "worker_00.pid").read_text().split() == [str(os.getpid())]
    taken.release()


def test_a_holder_that_does_not_leave_is_ended(paths, holder):
    begun = time.monotonic()
    taken = claim(paths, "worker_00", patience_s=0.2)
    assert 0.2 <= time.monotonic() - begun < 5
    assert holder.wait(timeout=5) == -9
    taken.release()


def test_names_do_not_wait_for_each_other(paths, holder):
    begun = time.monotonic()
    claim(paths, "worker_01", patience_s=30).release()
    assert time.monotonic() - begun < 1


def test_slots_of_one_name_live_beside_each_other(paths):
    taken = claim_beside(paths, "front_01")
    other = subprocess.run(
        [sys.executable, "-c", BESIDE, str(paths.state)], capture_output=True, text=True, timeout=10, check=True
    )
    assert other.stdout == "ok\n"
    taken.release()


def test_a_process_finds_its_own_claim_again(paths):
    taken = claim(paths, "control")
    assert claim(paths, "control") is taken
    taken.release()
    again = claim(paths, "control")
    assert again is not taken
    again.release()


def test_a_file_unlinked_under_a_claimer_is_not_a_claim(paths, holder, monkeypatch):
    """The cleaner unlinks between a claimer's open and its lock: the claimer must end with the file on disk."""
    file = paths.boots / "worker_00.pid"
    from tokenpak.control import claims

    locked = claims._locked
    calls = []

    def unlink_first(opened):
        if not calls:
            calls.append(1)
            holder.kill()
            holder.wait()
            file.unlink()
        return locked(opened)

    monkeypatch.setattr(claims, "_locked", unlink_first)
    taken = claim(paths, "worker_00")
    assert file.exists()
    taken.release()
