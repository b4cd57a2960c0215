import json
import os

import pytest

from tokenpak.cli.commands import status as module
from tokenpak.cli.commands.status import Code, status
from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.claims import claim
from tokenpak.control.health import Health
from tokenpak.control.instance import lock_instance
from tokenpak.control.supervisor import NotRunning, ProcessState, Stopping, Supervisor
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
        ProcessState("front_01", "front", "RUNNING", os.getpid(), 3700, "", "log"),
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
    assert lines[1].split() == ["PROCESS", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY"]
    assert lines[2].split()[:6] == ["front:front_01", "RUNNING", str(os.getpid()), "1h", "1m", "0"]
    assert lines[2].endswith("MiB")
    assert lines[3].split() == ["writer", "EXITED", "0"]
    assert "store 4.0 KiB, journal 2.0 KiB" in lines[4]
    assert lines[5] == "today: no request recorded yet"
    assert str(tmp_path) in lines[6]


def test_everything_as_json(instance, tmp_path, capsys):
    assert status(state_dir=tmp_path, json=True) == Code.READY
    found = json.loads(capsys.readouterr().out)
    assert found["state"] == "ready"
    assert found["statistics"] == STATISTICS
    assert found["processes"][0]["pid"] == os.getpid()


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
    assert status(state_dir=tmp_path) == Code.STARTING
    assert "starting" in capsys.readouterr().out


def test_a_tree_that_drains_shows_who_is_left(instance, tmp_path, monkeypatch, capsys):
    def refuse(_self):
        raise Stopping(6, "SHUTDOWN_STATE")

    monkeypatch.setattr(Supervisor, "processes", refuse)
    held = claim(paths_for(tmp_path), "front_01-77")
    try:
        assert status(state_dir=tmp_path) == Code.DRAINING
    finally:
        held.release()
    out = capsys.readouterr().out
    assert "draining" in out
    assert "front_01-77" in out


def test_nothing_runs(tmp_path, capsys):
    assert status(state_dir=tmp_path) == Code.STOPPED
    assert "stopped" in capsys.readouterr().out


def test_a_launcher_without_its_supervisord_is_starting(tmp_path, monkeypatch):
    def gone(_self):
        raise NotRunning

    paths = paths_for(tmp_path)
    prepare(paths)
    monkeypatch.setattr(Supervisor, "processes", gone)
    with lock_instance(paths):
        assert status(state_dir=tmp_path) == Code.STARTING


def test_budgets_stopped_models_and_findings_are_on_the_screen(instance, tmp_path, capsys, monkeypatch):
    front = {
        "app": {"under_way": 2, "ended": {"done": 7, "client_gone": 1}},
        "pool": {"waiting": 3},
        "recorder": {"pending": 4, "dropped": 0},
        "budgets": {"budgets": {"day": {"per": "day", "spent": 1.5, "held": 0.25}}},
        "accounts": {"models": {"anthropic/m": {"halted": True}, "openai/n": {"halted": False}}},
        "redaction": {"found": {"aws_key": 2}},
    }
    instance["control"] = Answer(200, json.dumps({**STATISTICS, "front": front}).encode())
    monkeypatch.setenv("TOKENPAK_BUDGETS", '[{name = "day", block = 5, warn = 2}]')
    status(state_dir=tmp_path)
    out = capsys.readouterr().out
    assert "now: 2 under way; since the front began: 1 client gone, 7 done" in out
    assert "waiting: 3 for a worker; rows: 4 not stored yet, 0 lost" in out
    assert "budget day: $1.50 spent, $0.25 held, warn at $2.00, block at $5.00" in out
    assert "no new edits for anthropic/m" in out
    assert "openai/n" not in out
    assert "secrets found since the front began: 2 aws_key" in out
