"""The order of steps, on a supervisord made of a list; the journeys do it with real ones."""

import os
from typing import ClassVar

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import load
from tokenpak.control import restart as module
from tokenpak.control.restart import RestartFailed, restart, restart_front
from tokenpak.control.slots import TakeoverUnderWay, activate, active_slot, is_called, takeover
from tokenpak.control.supervisor import ProcessState, UnknownProgram

NAMES = {
    "front": ["front_00", "front_01", "front_02"],
    "worker": ["worker_00", "worker_01"],
    "control": ["control"],
    "writer": ["writer"],
}


@pytest.fixture
def settings(tmp_path):
    found = load(None, {}, {"state_dir": str(tmp_path)})
    prepare(found.paths)
    return found


@pytest.fixture
def tree(settings, monkeypatch):
    """What happened, in order; `comes_up` decides whether what is started becomes ready."""

    class Tree:
        steps: ClassVar = []
        comes_up = True
        interrupted = False

        def __init__(self, paths):
            pass

        def processes(self):
            return [ProcessState(name, group, "RUNNING", 1, 1, "", "") for group in NAMES for name in NAMES[group]]

        def find(self, word):
            found = [p for p in self.processes() if word in {p.name, p.group, p.full_name}]
            if not found:
                raise UnknownProgram(word)
            return found

        def stop(self, process, stop_s):
            assert stop_s > (settings.drain_s if process.group == "front" else 0)
            Tree.steps.append(f"stop {process.name} active={active_slot(settings.paths)}")

        def start(self, process):
            Tree.steps.append(f"start {process.name} active={active_slot(settings.paths)}")
            if process.group == "front":
                slot = int(process.name[-1])
                assert is_called(settings.paths, slot)
                if Tree.interrupted:
                    raise KeyboardInterrupt
                if Tree.comes_up:
                    settings.paths.ready_file(slot).write_text(str(os.getpid()))

    monkeypatch.setattr(module, "Supervisor", Tree)
    monkeypatch.setattr(module, "nudge", lambda _path: Tree.comes_up)
    Tree.steps = []
    return Tree


def test_the_old_front_drains_only_after_the_new_one_is_ready_and_active(settings, tree):
    assert restart_front(settings, print) == 2
    assert tree.steps == ["stop front_02 active=1", "start front_02 active=1", "stop front_01 active=2"]
    tree.steps.clear()
    assert restart_front(settings, print) == 1
    assert tree.steps == ["stop front_01 active=2", "start front_01 active=2", "stop front_02 active=1"]


def test_a_front_that_does_not_come_up_changes_nothing(settings, tree):
    tree.comes_up = False
    with pytest.raises(RestartFailed, match=r"slot 2 was not ready within 0.1 s; slot 1 serves on.*logs front_02"):
        restart_front(settings, print, ready_s=0.1)
    assert tree.steps == ["stop front_02 active=1", "start front_02 active=1", "stop front_02 active=1"]
    assert active_slot(settings.paths) == 1
    assert not is_called(settings.paths, 2)


def test_an_interrupted_restart_changes_nothing(settings, tree):
    tree.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        restart_front(settings, print)
    assert tree.steps[-1] == "stop front_02 active=1"
    assert not is_called(settings.paths, 2)


def test_one_restart_at_a_time(settings, tree):
    with takeover(settings.paths, 2), pytest.raises(TakeoverUnderWay):
        restart_front(settings, print)
    assert tree.steps == []


def test_everything_goes_one_by_one_the_writer_first_and_the_front_last(settings, tree):
    activate(settings.paths, 2)
    told = []
    restart(settings, None, told.append)
    assert [step.split(" active")[0] for step in tree.steps] == [
        "stop writer",
        "start writer",
        "stop worker_00",
        "start worker_00",
        "stop worker_01",
        "start worker_01",
        "stop control",
        "start control",
        "stop front_01",
        "start front_01",
        "stop front_02",
    ]
    assert told[-1] == "front restarted"


@pytest.mark.parametrize("word", ["front", "front:front_01", "front_02"])
def test_any_name_of_the_front_means_the_front(settings, tree, word):
    restart(settings, word, print)
    assert [step.split()[1] for step in tree.steps] == ["front_02", "front_02", "front_01"]


def test_one_process_alone(settings, tree):
    restart(settings, "worker_01", print)
    assert [step.split(" active")[0] for step in tree.steps] == ["stop worker_01", "start worker_01"]


def test_a_worker_that_does_not_come_back_stops_the_round(settings, tree):
    tree.comes_up = False
    with pytest.raises(RestartFailed, match="worker_00"):
        restart(settings, "worker", print, ready_s=0.1)
    assert [step.split(" active")[0] for step in tree.steps] == ["stop worker_00", "start worker_00"]


def test_an_unknown_program_is_an_error(settings, tree):
    with pytest.raises(UnknownProgram):
        restart(settings, "nobody", print)
