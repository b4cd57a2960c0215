import os
import subprocess
import sys
import types

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import SETTINGS_VARIABLE, load, write_settings
from tokenpak.control.slots import activate, takeover
from tokenpak.processes import lifecycle, start
from tokenpak.processes.lifecycle import SLOT_VARIABLE, Exit


@pytest.fixture
def paths(tmp_path, monkeypatch):
    settings = load(None, {}, {"state_dir": str(tmp_path)})
    prepare(settings.paths)
    write_settings(settings)
    monkeypatch.setenv(SETTINGS_VARIABLE, str(settings.paths.settings_file))
    monkeypatch.delenv(SLOT_VARIABLE, raising=False)
    return settings.paths


@pytest.fixture
def program(monkeypatch):
    """Stands for the module of any process; says with which name taken it was run."""
    ran = []

    def put(name, code=0):
        module = types.ModuleType(f"tokenpak.processes.{name}")
        module.main = lambda: ran.append(name) or code
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return ran

    return put


def test_a_process_takes_its_name_and_then_runs(paths, program):
    ran = program("writer", code=None)
    assert start.main("writer") == Exit.DONE
    assert ran == ["writer"]
    assert (paths.boots / "writer.pid").read_text().strip() == str(os.getpid())
    assert (paths.boots / "writer").exists()


def test_workers_are_numbered(paths, program, monkeypatch):
    monkeypatch.setenv(SLOT_VARIABLE, "1")
    program("worker", code=3)
    assert start.main("worker") == 3
    assert (paths.boots / "worker_01.pid").exists()


def test_the_slot_that_is_not_called_leaves_before_anything_is_imported(paths, program, monkeypatch):
    ran = program("front")
    monkeypatch.setenv(SLOT_VARIABLE, "2")
    assert start.main("front") == Exit.STANDBY
    assert ran == []
    assert not (paths.boots / "front_02").exists()
    activate(paths, 2)
    assert start.main("front") == Exit.DONE
    monkeypatch.setenv(SLOT_VARIABLE, "1")
    assert start.main("front") == Exit.STANDBY
    with takeover(paths, 1):
        assert start.main("front") == Exit.DONE
    assert ran == ["front", "front"]
    assert (paths.boots / f"front_01-{os.getpid()}.pid").exists()


def test_slot_zero_becomes_the_keeper(paths, monkeypatch):
    became = []
    monkeypatch.setattr(os, "execv", lambda program, command: became.append((program, command)) or sys.exit(0))
    monkeypatch.setenv(SLOT_VARIABLE, "0")
    monkeypatch.setenv(lifecycle.SUPERVISOR_VARIABLE, "77")
    with pytest.raises(SystemExit):
        start.main("front")
    assert became == [(sys.executable, (sys.executable, "-I", "-S", str(start.KEEPER), "77"))]
    assert start.KEEPER.exists()


def test_missing_settings_are_said_and_have_their_own_code(paths, capsys):
    paths.settings_file.unlink()
    assert start.main("writer") == Exit.BAD_SETTINGS
    assert "tokenpak serve" in capsys.readouterr().err


def test_a_program_that_cannot_be_imported_backs_off_first(paths, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenpak.processes.writer", None)
    with pytest.raises(ImportError):
        start.main("writer")
    assert (paths.boots / "writer").exists()


def test_the_exit_code_gets_out(paths):
    """As supervisord runs it."""
    run = subprocess.run(
        [sys.executable, "-P", "-m", "tokenpak.processes.start", "front"],
        env={**os.environ, SLOT_VARIABLE: "2"},
        timeout=20,
        check=False,
    )
    assert run.returncode == Exit.STANDBY


def test_every_program_of_the_tree_exists():
    for name in start.PROGRAMS:
        assert start.KEEPER.with_name(f"{name}.py").exists()
