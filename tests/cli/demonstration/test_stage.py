import os
import socket
import sys

import httpx
import pytest

from tokenpak.cli.demonstration import stage as room
from tokenpak.cli.demonstration.stage import Program, Stage, StageError
from tokenpak.control.claims import holders


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_started_answers_and_what_was_stopped_is_gone(monkeypatch):
    monkeypatch.setenv("TOKENPAK_PORT", "not a number")  # a user's own settings do not reach a demonstration
    with Stage() as stage:
        stage.start()
        assert httpx.get(f"{stage.service.url}/livez", trust_env=False).status_code == 200
        pids = [*holders(stage.paths).values(), stage.service.pid, stage.provider.pid]
        assert len(pids) >= 7
        assert stage.strike() == []
        assert stage.exit_codes == {"serve": 0, "mock-provider": 0}
        assert not any(map(alive, pids))
        assert stage.strike() == []
    assert not stage.place.exists()


def test_everything_is_stopped_whatever_goes_wrong():
    pids = []

    def go_wrong(stage):
        with stage:
            stage.start()
            pids.extend([*holders(stage.paths).values(), stage.service.pid, stage.provider.pid])
            raise ZeroDivisionError

    stage = Stage()
    with pytest.raises(ZeroDivisionError):
        go_wrong(stage)
    assert not any(map(alive, pids))
    assert not stage.place.exists()


def test_a_program_that_ends_at_once_is_told_with_its_words(tmp_path):
    with pytest.raises(StageError, match="melt"):
        Program(tmp_path / "log", "mock-provider", "--fault", "melt")


def test_a_program_that_never_becomes_ready_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "START_S", 0.2)
    silent = tmp_path / "silent.py"
    silent.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(room.sys, "executable", sys.executable)
    monkeypatch.setattr(room, "MODULE", (str(silent),))
    with pytest.raises(StageError, match="not ready within"):
        Program(tmp_path / "log", "serve")


def test_what_is_left_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "GONE_S", 0.1)
    with Stage() as stage, socket.create_server(("127.0.0.1", 0)) as forgotten:
        port = forgotten.getsockname()[1]
        assert room._left(stage.paths, [port]) == [f"port {port} is still open"]
