import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import SETTINGS_VARIABLE, load, write_settings
from tokenpak.control.instance import lock_instance
from tokenpak.control.unix_http import NoAnswer, get
from tokenpak.processes import control
from tokenpak.processes.control import launcher_gone
from tokenpak.processes.lifecycle import LAUNCHER_VARIABLE, SUPERVISOR_VARIABLE, Exit


@pytest.fixture
def settings(tmp_path):
    found = load(None, {}, {"state_dir": str(tmp_path)})
    prepare(found.paths)
    write_settings(found)
    return found


@pytest.fixture
def process(settings):
    environ = {**os.environ, SETTINGS_VARIABLE: str(settings.paths.settings_file)}
    for name in (LAUNCHER_VARIABLE, SUPERVISOR_VARIABLE):
        environ.pop(name, None)
    with subprocess.Popen([sys.executable, "-P", "-m", "tokenpak.processes.control"], env=environ) as started:
        until(lambda: answers(settings))
        yield started
        started.kill()


def answers(settings):
    try:
        return get(settings.paths.control_sock, "/livez", 5).status == 200
    except NoAnswer:
        return False


def until(true):
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_answers_and_leaves_nothing(settings, process):
    reply = get(settings.paths.control_sock, "/readyz", 5)
    assert reply.status == 503
    assert json.loads(reply.body)["ready"] is False
    assert settings.paths.control_sock.stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == Exit.DONE
    assert not settings.paths.control_sock.exists()


def test_it_takes_the_place_of_a_killed_predecessor(settings, process):
    process.kill()
    process.wait()
    assert settings.paths.control_sock.exists()
    environ = {**os.environ, SETTINGS_VARIABLE: str(settings.paths.settings_file)}
    with subprocess.Popen([sys.executable, "-P", "-m", "tokenpak.processes.control"], env=environ) as successor:
        until(lambda: answers(settings))
        successor.terminate()


def test_it_imports_nothing_large(settings):
    code = "import sys, tokenpak.processes.control; print(sorted({'trio','zmq','httpx','http.client','sqlmodel'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_the_launcher_is_there_while_it_holds_its_lock(settings, monkeypatch):
    monkeypatch.delenv(LAUNCHER_VARIABLE, raising=False)
    assert not launcher_gone(settings.paths)
    monkeypatch.setenv(LAUNCHER_VARIABLE, str(os.getpid()))
    assert launcher_gone(settings.paths)
    with lock_instance(settings.paths):
        assert not launcher_gone(settings.paths)
        monkeypatch.setenv(LAUNCHER_VARIABLE, "1")
        assert launcher_gone(settings.paths)
    assert launcher_gone(settings.paths)


def test_without_a_launcher_supervisord_is_asked_to_leave(settings, monkeypatch, capsys):
    asked = []
    from tokenpak.control import supervisor

    monkeypatch.setattr(supervisor.Supervisor, "shutdown", lambda _self: asked.append(1))
    monkeypatch.setenv(LAUNCHER_VARIABLE, str(os.getpid()))
    control._leave_with_launcher(settings)
    assert asked == [1]
    with lock_instance(settings.paths):
        control._leave_with_launcher(settings)
    assert asked == [1]
    assert "launcher is gone" in capsys.readouterr().err


def test_a_hung_worker_is_killed_if_it_is_still_there(settings, monkeypatch, capsys):
    killed = []
    monkeypatch.setattr(control, "hung_workers", lambda _settings: (0, 1))
    monkeypatch.setattr(control, "holders", lambda _paths: {"worker_01": 4194399, "writer": 1})
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    control._end_hung_workers(settings)
    assert killed == [(4194399, signal.SIGKILL)]
    assert "worker_01 hangs" in capsys.readouterr().err


def test_a_chore_is_done_every_so_often(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    done = []
    chore = control._Chore(2.0, done.append)
    for now[0] in (101.0, 102.0, 102.5, 104.0):
        chore.do("settings")
    assert done == ["settings", "settings"]
