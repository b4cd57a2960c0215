"""The launcher's own decisions; the journeys run it with the whole tree."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import load, write_settings
from tokenpak.processes import launcher
from tokenpak.processes.launcher import Launcher, Start, read_start


@pytest.fixture
def start(tmp_path):
    settings = load(None, {}, {"state_dir": str(tmp_path), "port": 18799, "drain_s": 0.0})
    prepare(settings.paths)
    write_settings(settings)
    return read_start(str(settings.paths.settings_file))


class Told:
    """Signals of a test: never any, unless `stops` is raised."""

    def __init__(self):
        self.stops = 0

    def wait(self, timeout_s):
        time.sleep(min(timeout_s or 0.01, 0.01))


def test_it_reads_the_few_settings_it_needs(start, tmp_path):
    assert start == Start(start.paths, "127.0.0.1", 18799, 0.0)
    assert start.url == "http://127.0.0.1:18799"
    assert start.paths.state == tmp_path


def test_it_imports_nothing_large():
    code = (
        "import sys, tokenpak.processes.launcher\n"
        "print(sorted({'msgspec', 'h11', 'trio', 'http.client', 'hashlib', 'cyclopts'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"


def test_at_the_end_no_socket_is_left_but_those_that_are_listened_on(start):
    sockets = start.paths.sockets
    (sockets / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as living:
        dead.bind(str(sockets / "writer.sock"))
        living.bind(str(sockets / "control.sock"))
        living.listen()
        Launcher(start, Told())._clear()
        assert {path.name for path in sockets.iterdir()} == {"file", "control.sock"}


SIGNALS = """
import os, signal, sys, time
from tokenpak.processes.launcher import Signals
signals = Signals()
print("up", flush=True)
told = 0
while told < 2:
    signals.wait(None)
    told = signals.stops
    print(told, flush=True)
"""


def test_every_stop_signal_wakes_and_counts():
    with subprocess.Popen([sys.executable, "-c", SIGNALS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "2\n"
        assert process.wait(timeout=5) == 0


def test_nohup_is_respected():
    command = ["sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, SIGNALS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0


def child(code):
    """A spawn that runs `code` instead of supervisord."""

    def spawn(_self):
        return os.posix_spawn(sys.executable, [sys.executable, "-c", code], dict(os.environ))

    return spawn


def test_a_supervisord_that_ends_in_peace_ends_the_service(start, monkeypatch):
    monkeypatch.setattr(Launcher, "_spawn", child("pass"))
    assert Launcher(start, Told()).run() == 0


def test_one_that_never_starts_is_given_up_with_an_error(start, monkeypatch, capfd):
    monkeypatch.setattr(Launcher, "_spawn", child("raise SystemExit(2)"))
    monkeypatch.setattr(Launcher, "_recover", lambda _self, _pause: True)
    assert Launcher(start, Told()).run() == 1
    said = capfd.readouterr().err
    assert said.count("starting it again") == launcher.FIRST_STARTS - 1
    assert "does not start" in said


def test_one_that_has_served_is_brought_up_again_for_ever(start, monkeypatch):
    signals, pauses = Told(), []
    monkeypatch.setattr(Launcher, "_spawn", child("raise SystemExit(2)"))

    def recover(_self, pause):
        pauses.append(pause)
        signals.stops = len(pauses) == 8
        return not signals.stops

    monkeypatch.setattr(Launcher, "_recover", recover)
    service = Launcher(start, signals)
    service._announced = True
    assert service.run() == 0
    assert pauses == [0.5, 1, 2, 4, 4, 4, 4, 4]


def test_a_stop_goes_to_supervisord_once_and_is_waited_for(start, monkeypatch):
    signals = Told()
    monkeypatch.setattr(Launcher, "_spawn", child("import time; time.sleep(60)"))
    threading.Timer(0.2, setattr, (signals, "stops", 1)).start()
    begun = time.monotonic()
    assert Launcher(start, signals).run() == 0
    assert time.monotonic() - begun < 10


def test_a_supervisord_that_does_not_stop_is_killed_at_the_bound(start, monkeypatch):
    signals = Told()
    monkeypatch.setattr(
        Launcher, "_spawn", child("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    )
    monkeypatch.setattr(launcher.stop_times, "supervisord_s", lambda _drain: 0.5)
    threading.Timer(0.4, setattr, (signals, "stops", 1)).start()
    assert Launcher(start, signals).run() == 0


def test_the_ready_line_waits_for_the_last_worker_within_a_bound(start, monkeypatch, capfd):
    service = Launcher(start, Told())
    said = []
    monkeypatch.setattr(launcher, "_ask_control", lambda _paths: said[-1])
    for word in (b"", b'{"ready":true,"degraded":["1 of 2 workers are up"]}', b'{"ready":false,"degraded":[]}'):
        said.append(word)
        assert not service._announce(time.monotonic() + 10)
    assert capfd.readouterr().out == ""
    assert service._announce(time.monotonic() - 1)
    out, err = capfd.readouterr()
    assert json.loads(out) == {"ready": True, "url": "http://127.0.0.1:18799", "pid": os.getpid()}
    assert "not whole" in err
    said.append(b'HTTP/1.1 200 \r\n\r\n{"ready":true,"degraded":[]}')
    assert service._announce(time.monotonic() + 10)
    assert capfd.readouterr().err == ""


def test_control_is_asked_in_http(start):
    assert launcher._ask_control(start.paths) == b""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(start.paths.control_sock))
        listener.listen()

        def reply():
            peer, _ = listener.accept()
            with peer:
                assert peer.recv(4096).startswith(b"GET /readyz HTTP/1.1\r\n")
                peer.sendall(b"one")
                peer.sendall(b"two")

        thread = threading.Thread(target=reply)
        thread.start()
        assert launcher._ask_control(start.paths) == b"onetwo"
        thread.join()


def test_recovery_needs_the_port(start, monkeypatch, capfd):
    monkeypatch.setattr("tokenpak.control.instance.KEEPER_PATIENCE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = start._replace(port=stranger.getsockname()[1])
        assert not Launcher(taken, Told())._recover(0.1)
        assert f"taken by pid {os.getpid()}" in capfd.readouterr().err
    assert Launcher(taken, Told())._recover(0.1)


def test_orphans_that_do_not_leave_are_killed(start, monkeypatch):
    """At the end of a stop, whoever still has a name of this state directory."""
    code = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom tokenpak.config.paths import paths_for\n"
        "from tokenpak.control.claims import claim\nsignal.signal(15, signal.SIG_IGN)\n"
        "claim(paths_for(Path(sys.argv[1])), 'writer')\nprint('up', flush=True)\ntime.sleep(60)"
    )
    monkeypatch.setattr(launcher.stop_times, "front_s", lambda _drain: 0.3)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(start.paths.state)], stdout=subprocess.PIPE, text=True
    ) as orphan:
        assert orphan.stdout.readline() == "up\n"
        monkeypatch.setattr(launcher, "_reaped", lambda _pid: None)
        Launcher(start, Told())._clear()
        assert orphan.wait(timeout=5) == -signal.SIGKILL
