"""The whole tree under a real supervisord: start, stop, kill, restart, as a user and as bad luck would do it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from tests.journeys.supervised import Client, Service, Upstream, fetch, wait_until


@pytest.fixture
def upstream():
    provider = Upstream()
    yield provider
    provider.close()


@pytest.fixture
def serve(tmp_path, upstream):
    """Start an instance on a free port with `upstream` behind its mount /lab; ended after the test."""
    started = []

    def start(*arguments: str) -> Service:
        port = () if "--port" in arguments else ("--port", "0")
        service = Service(tmp_path / "state", "--upstream", f"lab={upstream.url}", *port, *arguments)
        started.append(service)
        return service

    yield start
    for service in started:
        service.end()


def ctl(*arguments, check=True, timeout=60):
    return subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.ctl", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=check,
    )


class Load:
    """Clients that each ask again and again on one connection, as SDKs do.

    A kept connection that ends before an answer has begun is what every HTTP client opens anew without a word (the
    server may close an idle connection at any time); whatever else goes wrong is a failure.
    """

    def __init__(self, port, clients=8):
        self.port, self.failures, self.done, self.renewed = port, [], 0, 0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        client = None
        while not self.over.is_set():
            kept = client is not None
            try:
                client = client or Client(self.port)
                status, headers, _ = client.fetch("/lab/quick")
                assert status == 200
                self.done += 1
                if headers.get("connection", "") == "close":
                    client.close()
                    client = None
            except (ConnectionResetError, BrokenPipeError) as error:
                self.renewed += kept
                if not kept:
                    self.failures.append(repr(error))
                client = self.dropped(client)
            except (OSError, AssertionError, ValueError) as error:
                self.failures.append(repr(error))
                client = self.dropped(client)
            time.sleep(0.005)
        self.dropped(client)

    @staticmethod
    def dropped(client):
        if client is not None:
            client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_serve_says_one_line_carries_traffic_and_stops_at_once(serve, upstream):
    service = serve().ready()
    with Client(service.port) as idle:
        assert idle.fetch("/lab/quick")[0] == 200
        begun = time.monotonic()
        assert service.stop() == 0
        took = time.monotonic() - begun
    assert took < 2
    assert service.output.count(b"\n") == 1
    assert service.process.stdout.read() == b""
    assert service.tree() == []
    with pytest.raises(ConnectionRefusedError):
        fetch(service.port)


def test_everything_is_up_when_the_line_is_printed(serve):
    service = serve().ready()
    status = ctl("status", "--json", "--state-dir", str(service.state))
    found = json.loads(status.stdout)
    assert found["state"] == "ready"
    assert found["degraded"] == []
    assert found["url"] == service.url
    assert found["pid"] == service.pid
    states = {each["name"]: each["state"] for each in found["processes"]}
    assert states == {
        "writer": "RUNNING",
        "worker_00": "RUNNING",
        "worker_01": "RUNNING",
        "control": "RUNNING",
        "front_00": "RUNNING",
        "front_01": "RUNNING",
        "front_02": "EXITED",
    }


def test_the_stop_goes_front_control_workers_writer(serve):
    service = serve().ready()
    service.stop()
    order = [
        line.split("stopped: ")[1].split()[0] for line in service.log("supervisord").splitlines() if "stopped: " in line
    ]
    groups = list(dict.fromkeys(name.rpartition("_")[0] or name for name in order))
    assert groups == ["front", "control", "worker", "writer"]


def test_a_stop_lets_requests_end_and_takes_no_new_ones(serve, upstream):
    service = serve("--drain", "10").ready()
    with Client(service.port) as client:
        client.ask("/lab/slow")
        status, headers = client.head()
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not service.paths.ready_file(1).exists())
        upstream.go_on.set()
        body = client.body(headers)
    assert status == 200
    assert body.startswith(b"data: 0\n\n")
    assert service.stop() == 0
    assert service.tree() == []


def test_the_drain_has_a_bound(serve):
    service = serve("--drain", "1").ready()
    with Client(service.port) as client:
        client.ask("/lab/slow")
        client.head()
        begun = time.monotonic()
        assert service.stop() == 0
        assert 1 <= time.monotonic() - begun < 8
    assert service.tree() == []


def test_a_second_signal_ends_the_drain(serve):
    service = serve("--drain", "60").ready()
    with Client(service.port) as client:
        client.ask("/lab/slow")
        client.head()
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not service.paths.ready_file(1).exists())
        time.sleep(0.1)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 0
    assert service.tree() == []


def test_a_taken_port_is_reported_with_its_holder_and_no_other_is_taken(serve):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        service = serve("--port", str(port))
        assert service.process.wait(timeout=20) != 0
    assert f"port {port} is taken by pid {os.getpid()} " in service.said()
    assert "--port" in service.said()
    assert service.process.stdout.read() == b""
    assert service.tree() == []


def test_one_instance_per_state_directory(serve):
    first = serve().ready()
    second = serve()
    assert second.process.wait(timeout=20) != 0
    assert f"already runs in {first.state} (pid {first.pid})" in second.said()
    assert fetch(first.port) == 200


def test_a_configuration_error_is_one_line(serve):
    service = serve("--upstream", "openai=ftp://nowhere")
    assert service.process.wait(timeout=20) == 1
    assert "Traceback" not in service.said()
    assert "openai" in service.said()


def test_supervisord_killed(serve, upstream):
    """Its children drain and go, the next one has the same port and state within seconds, an open answer ends well."""
    service = serve("--drain", "20").ready()
    before = {p.pid for p in service.tree()} - {service.pid}
    with Client(service.port) as client:
        client.ask("/lab/slow")
        code, headers = client.head()
        begun = time.monotonic()
        os.kill(service.supervisord(), signal.SIGKILL)
        wait_until(lambda: service.paths.supervisor_pid.exists() and service.supervisord() not in before)
        wait_until(lambda: answers(service.port))
        assert time.monotonic() - begun < 8
        upstream.go_on.set()
        assert client.body(headers).startswith(b"data: 0\n\n")
        assert code == 200
    wait_until(lambda: not before & {p.pid for p in service.tree()})
    wait_until(lambda: json.loads(status(service).stdout)["state"] == "ready", 30)
    assert service.stop() == 0
    assert service.tree() == []


def test_the_launcher_killed_takes_the_tree_with_it_and_the_port_comes_free(serve):
    service = serve().ready()
    service.process.kill()
    wait_until(lambda: not service.tree())
    again = serve("--port", str(service.port)).ready()
    assert again.port == service.port
    assert fetch(again.port) == 200


def test_launcher_and_supervisord_killed_at_once(serve):
    service = serve().ready()
    service.process.kill()
    os.kill(service.supervisord(), signal.SIGKILL)
    wait_until(lambda: not service.tree())
    again = serve("--port", str(service.port)).ready()
    assert fetch(again.port) == 200


def test_serve_waits_for_a_predecessor_that_drains(serve, upstream):
    first = serve("--drain", "20").ready()
    with Client(first.port) as client:
        client.ask("/lab/slow")
        _, headers = client.head()
        first.process.kill()
        second = serve("--port", str(first.port))
        time.sleep(1)
        assert second.process.poll() is None
        upstream.go_on.set()
        client.body(headers)
    second.ready()
    assert fetch(second.port) == 200


def test_all_serving_slots_killed_at_once_refuse_nobody(serve):
    kill_slots(serve().ready(), times=8)


@pytest.mark.long
def test_all_serving_slots_killed_at_once_refuse_nobody_fifty_times(serve):
    kill_slots(serve().ready(), times=50)


def kill_slots(service, times):
    refused, over = [], threading.Event()

    def knock():
        while not over.is_set():
            try:
                socket.create_connection(("127.0.0.1", service.port), timeout=10).close()
            except OSError as error:
                refused.append(repr(error))
            time.sleep(0.005)

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        for _ in range(times):
            for pid in service.pids("front_01") + service.pids("front_02"):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.3)
        assert fetch(service.port) == 200
    finally:
        over.set()
        knocking.join()
    assert refused == []
    assert "FATAL" not in service.log("supervisord")


def test_killed_workers_come_back_and_are_never_given_up(serve):
    service = serve().ready()
    with Load(service.port, clients=2) as load:
        for _ in range(15):
            for pid in service.pids("worker"):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
    assert load.failures == []
    assert "FATAL" not in service.log("supervisord")
    wait_until(lambda: json.loads(status(service).stdout)["state"] == "ready", 30)


def test_every_process_killed_once_comes_back(serve):
    service = serve().ready()
    for name in ("writer", "control", "front_00"):
        (pid,) = service.pids(name)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda name=name, pid=pid: service.pids(name) not in ([], [pid]))
    assert fetch(service.port) == 200
    wait_until(lambda: json.loads(status(service).stdout)["state"] == "ready", 30)


def test_a_terminated_front_comes_back(serve):
    """SIGTERM from anyone but supervisord drains it, and supervisord starts it again."""
    service = serve().ready()
    (pid,) = service.pids("front_01")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: service.pids("front_01") not in ([], [pid]))
    assert fetch(service.port) == 200


def test_blue_green_restart_under_load_refuses_and_cuts_nothing(serve, upstream):
    service = serve("--drain", "20").ready()
    with Load(service.port) as load, Client(service.port) as client:
        client.ask("/lab/slow")
        _, headers = client.head()
        restarting = threading.Thread(target=ctl, args=("restart", "front", "--state-dir", str(service.state)))
        restarting.start()
        wait_until(service.paths.active_slot.exists)
        wait_until(lambda: not service.paths.ready_file(1).exists())
        upstream.go_on.set()
        assert client.body(headers).startswith(b"data: 0\n\n")
        restarting.join()
        ctl("restart", "front", "--state-dir", str(service.state))
    assert load.failures == []
    assert load.done > 50
    assert service.pids("front_01")
    assert not service.pids("front_02")


IMPATIENT_RESTART = """
import sys
from tokenpak.config.settings import Settings
from tokenpak.control.restart import RestartFailed, restart_front
try:
    restart_front(Settings(state_dir=sys.argv[1], drain_s=1.0), print, ready_s=1.0)
except RestartFailed as error:
    print(error)
    sys.exit(7)
"""


def test_a_restart_that_fails_leaves_the_old_front_serving(serve):
    service = serve().ready()
    (old,) = service.pids("front_01")
    settings = service.paths.settings_file.read_bytes()
    service.paths.settings_file.write_text("{broken")
    failed = subprocess.run(
        [sys.executable, "-c", IMPATIENT_RESTART, str(service.state)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 7, failed.stderr
    assert "slot 1 serves on" in failed.stdout
    assert service.pids("front_01") == [old]
    assert fetch(service.port) == 200
    service.paths.settings_file.write_bytes(settings)
    wait_until(lambda: not service.pids("front_02"))
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: service.pids("front_01") not in ([], [old]))
    assert fetch(service.port) == 200


def test_a_restart_killed_half_way_leaves_a_front_that_survives_crashes(serve):
    service = serve().ready()
    settings = service.paths.settings_file.read_bytes()
    begun = subprocess.Popen(
        [sys.executable, "-m", "tokenpak.cli.ctl", "restart", "front", "--state-dir", str(service.state)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "starting front slot 2" in begun.stdout.readline()
    service.paths.settings_file.write_text("{broken")  # slot 2 does not come up
    time.sleep(0.3)
    begun.kill()
    begun.wait()
    begun.stdout.close()
    service.paths.settings_file.write_bytes(settings)
    for pid in service.pids("front_01") + service.pids("front_02"):
        os.kill(pid, signal.SIGKILL)
    assert fetch(service.port) == 200
    ctl("restart", "front", "--state-dir", str(service.state))
    assert fetch(service.port) == 200
    assert len(service.pids("front_01") + service.pids("front_02")) == 1


def test_a_restarted_tree_starts_in_the_slot_that_served(serve):
    service = serve().ready()
    ctl("restart", "front", "--state-dir", str(service.state))
    os.kill(service.supervisord(), signal.SIGKILL)
    wait_until(lambda: answers(service.port) and pids_or_none(service, "front_02"))
    wait_until(lambda: not service.pids("front_01"))
    assert fetch(service.port) == 200


def test_restart_of_everything_under_load(serve):
    service = serve().ready()
    before = {p.pid for p in service.supervisor.processes() if p.pid and p.name != "front_00"}
    with Load(service.port, clients=4) as load:
        said = ctl("restart", "--state-dir", str(service.state)).stdout
    assert load.failures == []
    assert "restarting worker_01" in said
    assert "front restarted" in said
    after = {p.pid for p in service.supervisor.processes() if p.pid and p.name != "front_00"}
    assert not before & after


def test_a_hung_worker_is_replaced(serve):
    service = serve().ready()
    (pid,) = service.pids("worker_00")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: service.pids("worker_00") not in ([], [pid]), 60)
    assert "worker_00 hangs" in service.log("control")


def test_the_command_line_starts_shows_and_stops(tmp_path, upstream):
    state = tmp_path / "detached"
    started = ctl("start", "--port", "0", "--state-dir", str(state), "--upstream", f"lab={upstream.url}")
    try:
        port = int(started.stdout.split("http://127.0.0.1:")[1].split()[0])
        assert fetch(port) == 200
        assert "already running" in ctl("start", "--state-dir", str(state)).stdout
        shown = ctl("status", "--state-dir", str(state))
        assert shown.returncode == 0
        assert "worker:worker_01  RUNNING" in shown.stdout
        conf = str(state / "supervisord.conf")
        control = [sys.executable, "-m", "supervisor.supervisorctl", "-c", conf]
        assert "writer" in subprocess.run([*control, "status"], capture_output=True, text=True, check=False).stdout
        tail = subprocess.run([*control, "tail", "front:front_01"], capture_output=True, text=True, check=False)
        assert tail.returncode == 0
        assert "spawned: 'writer'" in ctl("logs", "supervisord", "-n", "100", "--state-dir", str(state)).stdout
    finally:
        stopped = ctl("stop", "--state-dir", str(state))
    assert "stopped" in stopped.stdout
    assert "not running" in ctl("stop", "--state-dir", str(state)).stdout
    gone = ctl("status", "--state-dir", str(state), check=False)
    assert gone.returncode == 3
    with pytest.raises(ConnectionRefusedError):
        fetch(port)


def test_supervisorctl_shutdown_is_a_stop(serve):
    service = serve().ready()
    service.supervisor.shutdown()
    assert service.process.wait(timeout=20) == 0
    assert service.tree() == []


def test_logs_follow_what_is_added(serve):
    service = serve().ready()
    following = subprocess.Popen(
        [
            sys.executable,
            "-u",
            "-m",
            "tokenpak.cli.ctl",
            "logs",
            "-f",
            "supervisord",
            "-n",
            "0",
            "--state-dir",
            str(service.state),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        log = str(service.paths.logs / "supervisord.log")
        wait_until(lambda: log in [opened.path for opened in psutil.Process(following.pid).open_files()])
        time.sleep(0.3)
        (pid,) = service.pids("control")
        os.kill(pid, signal.SIGKILL)
        assert "exited: control" in following.stdout.readline()
    finally:
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=10) == 0
        following.stdout.close()


def status(service):
    return ctl("status", "--json", "--state-dir", str(service.state), check=False)


def answers(port):
    try:
        return fetch(port) == 200
    except OSError:
        return False


def pids_or_none(service, name):
    from tokenpak.control.supervisor import NotRunning

    try:
        return service.pids(name)
    except NotRunning:
        return None
