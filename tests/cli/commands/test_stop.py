import os
import signal
import socket
import threading

import pytest

from tokenpak.cli.commands import stop as module
from tokenpak.cli.commands.stop import stop
from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.instance import lock_instance
from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    return found


@pytest.fixture
def supervisord(paths):
    """Somebody listens; `leave` ends it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(paths.supervisor_sock))
    listener.listen(128)
    yield listener
    listener.close()


def test_nothing_to_stop(paths, capsys):
    assert stop(state_dir=paths.state) == 0
    assert "not running" in capsys.readouterr().out


@pytest.mark.parametrize("already", [False, True])
def test_supervisord_is_asked_and_its_end_awaited(paths, supervisord, monkeypatch, capsys, already):
    def shutdown(_self):
        threading.Timer(0.2, supervisord.close).start()
        if already:
            raise SupervisorFault(6, "SHUTDOWN_STATE")

    monkeypatch.setattr(Supervisor, "shutdown", shutdown)
    assert stop(state_dir=paths.state) == 0
    assert "stopped" in capsys.readouterr().out


def test_between_two_supervisords_the_launcher_is_told(paths, monkeypatch):
    told = []
    lock = lock_instance(paths)

    def kill(pid, number):
        told.append((pid, number))
        lock.close()

    def shutdown(_self):
        raise NotRunning

    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(Supervisor, "shutdown", shutdown)
    assert stop(state_dir=paths.state) == 0
    assert told == [(os.getpid(), signal.SIGTERM)]


def test_one_that_does_not_end_is_an_error(paths, supervisord, monkeypatch, capsys):
    monkeypatch.setattr(Supervisor, "shutdown", lambda _self: None)
    monkeypatch.setattr(module.stop_times, "service_s", lambda _drain: 0.2)
    assert stop(state_dir=paths.state) == 1
    assert "has not ended" in capsys.readouterr().err
