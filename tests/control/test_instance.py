import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control import instance
from tokenpak.control.instance import (
    AlreadyRunning,
    PortTaken,
    await_predecessor,
    holder_of,
    instance_pid,
    lock_instance,
    reserve_port,
)

HOST = "127.0.0.1"


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path)
    prepare(found)
    return found


def test_a_state_directory_has_one_owner(paths, monkeypatch):
    monkeypatch.setattr(instance, "LOCK_PATIENCE_S", 0.1)
    assert instance_pid(paths) is None
    with lock_instance(paths):
        assert instance_pid(paths) == os.getpid()
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"):
            lock_instance(paths)
    assert instance_pid(paths) is None
    lock_instance(paths).close()


def test_a_look_at_the_lock_does_not_stop_its_next_owner(paths):
    import fcntl

    paths.instance_lock.touch()
    looking = paths.instance_lock.open("r")
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.2, looking.close).start()
    lock_instance(paths).close()


def test_a_free_port_is_reserved_and_supervisord_may_still_listen_on_it(paths):
    with reserve_port(paths, HOST, 0, 1) as reserved:
        port = reserved.getsockname()[1]
        assert port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port))
        if instance.keeps_reservation():
            with socket.create_server((HOST, port)):
                socket.create_connection((HOST, port)).close()


def test_a_stranger_on_the_port_is_named(paths, monkeypatch):
    monkeypatch.setattr(instance, "KEEPER_PATIENCE_S", 0.1)
    with socket.create_server((HOST, 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} is taken by pid {os.getpid()} .*--port"):
            reserve_port(paths, HOST, port, 30)


def test_our_own_draining_processes_are_waited_for(paths, monkeypatch):
    monkeypatch.setattr(instance, "KEEPER_PATIENCE_S", 0.05)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tokenpak.config.paths import paths_for\n"
        "from tokenpak.control.claims import claim_beside\nclaim_beside(paths_for(Path(sys.argv[1])), 'front_01')\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    listener = socket.create_server((HOST, 0))
    port = listener.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.state)], stdin=listener, stdout=subprocess.PIPE, text=True
    ) as draining:
        listener.close()
        assert draining.stdout.readline() == "up\n"
        threading.Timer(0.5, draining.kill).start()
        begun = time.monotonic()
        reserve_port(paths, HOST, port, 30).close()
        assert time.monotonic() - begun >= 0.4


def test_patience_has_an_end(paths, monkeypatch):
    monkeypatch.setattr(instance, "holders", lambda _paths: {"front_01-7": 7})
    with socket.create_server((HOST, 0)) as stranger, pytest.raises(PortTaken):
        reserve_port(paths, HOST, stranger.getsockname()[1], 0.2)


def test_an_address_that_is_not_ours_is_an_error_at_once(paths):
    with pytest.raises(PortTaken, match=r"cannot listen on 192\.0\.2\.1"):
        reserve_port(paths, "192.0.2.1", 0, 30)


def test_who_holds_a_port_is_looked_up_where_the_system_tells(monkeypatch, tmp_path):
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        if sys.platform == "linux":
            assert holder_of(port).startswith(f"pid {os.getpid()} (")
        monkeypatch.setattr(instance, "_holder_from_proc", lambda _port: None)
        lsof = tmp_path / "lsof"
        lsof.write_text("#!/bin/sh\nprintf 'p123\\ncnginx\\n'\n")
        lsof.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert holder_of(port) == "pid 123 (nginx)"
        lsof.write_text("#!/bin/sh\nexit 1\n")
        assert "not visible" in holder_of(port)
        lsof.unlink()
        assert "not visible" in holder_of(port)


def test_a_supervisord_without_launcher_is_asked_to_leave_and_waited_for(paths):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(paths.supervisor_sock))
    listener.listen()
    await_predecessor(paths, 10, lambda: threading.Timer(0.2, listener.close).start())
    asked = []
    await_predecessor(paths, 10, lambda: asked.append(1))
    assert asked == []


def test_one_that_does_not_leave_is_an_error(paths):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(paths.supervisor_sock))
        listener.listen(128)
        with pytest.raises(AlreadyRunning, match="does not leave"):
            await_predecessor(paths, 0.2, lambda: None)
