import json

import pytest

from tokenpak.cli.commands import status as module
from tokenpak.cli.commands.status import Code, status
from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.health import Health
from tokenpak.control.instance import lock_instance
from tokenpak.control.supervisor import ProcessState, Supervisor
from tokenpak.control.unix_http import Answer, NoAnswer

STATISTICS = {
    "degraded": [],
    "journal": {"segments": 1, "size_bytes": 2048},
    "store_bytes": 4096,
    "front": {"asked": 1},
}


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """A running instance whose parts a test may take away."""
    found = {"health": Health(ready=True, degraded=()), "control": Answer(200, json.dumps(STATISTICS).encode())}
    paths = paths_for(tmp_path)
    prepare(paths)

    def ask(_path, _target, _timeout_s):
        if found["control"] is None:
            raise NoAnswer("no answer from control.sock")
        return found["control"]

    processes = (
        ProcessState("front_01", "front", "RUNNING", 12, 3700, "", "log"),
        ProcessState("writer", "writer", "EXITED", None, None, "", "log"),
    )
    monkeypatch.setattr(Supervisor, "processes", lambda _self: processes)
    monkeypatch.setattr(module, "check", lambda _settings: found["health"])
    monkeypatch.setattr(module, "get", ask)
    with lock_instance(paths):
        yield found


def test_all_is_well(instance, tmp_path, capsys):
    assert status(state_dir=tmp_path) == Code.READY
    lines = capsys.readouterr().out.splitlines()
    assert "ready  http://127.0.0.1:8766" in lines[0]
    assert lines[1].split() == ["PROCESS", "STATE", "PID", "UPTIME"]
    assert lines[2].split() == ["front:front_01", "RUNNING", "12", "1h", "1m"]
    assert lines[3].split() == ["writer", "EXITED"]
    assert "store 4.0 KiB, journal 2.0 KiB" in lines[4]
    assert str(tmp_path) in lines[5]


def test_everything_as_json(instance, tmp_path, capsys):
    assert status(state_dir=tmp_path, json=True) == Code.READY
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "ready"
    assert found["statistics"] == STATISTICS
    assert found["processes"][0]["pid"] == 12


def test_a_control_process_that_is_down_degrades_and_no_more(instance, tmp_path, capsys):
    instance["control"] = None
    assert status(state_dir=tmp_path) == Code.DEGRADED
    assert "! control does not answer" in capsys.readouterr().out
    instance["control"] = Answer(500, b"{}")
    assert status(state_dir=tmp_path) == Code.DEGRADED


def test_reasons_are_shown_once(instance, tmp_path, capsys):
    instance["health"] = Health(ready=True, degraded=("the writer does not answer",))
    told = {**STATISTICS, "degraded": ["the writer does not answer", "no numbers from the writer"]}
    instance["control"] = Answer(200, json.dumps(told).encode())
    assert status(state_dir=tmp_path) == Code.DEGRADED
    out = capsys.readouterr().out
    assert out.count("! the writer does not answer") == 1
    assert "! no numbers from the writer" in out


def test_a_front_that_does_not_serve(instance, tmp_path, capsys):
    instance["health"] = Health(ready=False, degraded=("no front slot is ready",))
    assert status(state_dir=tmp_path) == Code.NOT_READY
    assert "not ready" in capsys.readouterr().out


def test_nothing_runs(tmp_path, capsys):
    assert status(state_dir=tmp_path) == Code.STOPPED
    assert "stopped" in capsys.readouterr().out


def test_a_launcher_without_its_supervisord_is_not_ready(tmp_path, capsys):
    paths = paths_for(tmp_path)
    prepare(paths)
    with lock_instance(paths):
        assert status(state_dir=tmp_path) == Code.NOT_READY
