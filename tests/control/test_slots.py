import fcntl
import os

import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.slots import TakeoverUnderWay, activate, active_slot, is_called, other_slot, ready_pid, takeover


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    return found


def test_slot_one_serves_unless_the_file_says_two(paths):
    assert active_slot(paths) == 1
    activate(paths, 2)
    assert active_slot(paths) == 2
    activate(paths, 1)
    assert active_slot(paths) == 1
    paths.active_slot.write_text("rubbish")
    assert active_slot(paths) == 1


def test_only_the_active_slot_is_called(paths):
    assert [is_called(paths, slot) for slot in (1, 2)] == [True, False]
    activate(paths, 2)
    assert [is_called(paths, slot) for slot in (1, 2)] == [False, True]


def test_a_takeover_calls_the_other_beside_the_active_one(paths):
    with takeover(paths, other_slot(active_slot(paths))):
        assert [is_called(paths, slot) for slot in (1, 2)] == [True, True]
        assert active_slot(paths) == 1
    assert [is_called(paths, slot) for slot in (1, 2)] == [True, False]


def test_the_call_of_a_dead_takeover_is_not_heard(paths):
    """Its file still names the slot; its lock went with it."""
    paths.takeover.write_text("2\n")
    assert not is_called(paths, 2)


def test_two_slots_that_ask_at_once_do_not_hear_each_other(paths):
    paths.takeover.write_text("2\n")
    with paths.takeover.open("r") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_called(paths, 2)


def test_one_takeover_at_a_time(paths):
    with takeover(paths, 2), pytest.raises(TakeoverUnderWay), takeover(paths, 2):
        pass


def test_ready_is_the_word_of_a_living_process(paths):
    assert ready_pid(paths, 1) is None
    paths.ready_file(1).write_text(f"{os.getpid()}\n")
    assert ready_pid(paths, 1) == os.getpid()
    paths.ready_file(1).write_text("4194399\n")
    assert ready_pid(paths, 1) is None
    paths.ready_file(1).write_text("")
    assert ready_pid(paths, 1) is None
