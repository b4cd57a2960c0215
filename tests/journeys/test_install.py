"""The service's life as its owner sees it: installed, started, degraded, reloaded, drained, removed without a trace.

Under a real `systemd --user` where there is one, or where one can be had in namespaces of the test's own; under
supervisord alone everywhere. launchd cannot run here: its file is checked as data (tests/control/test_templates.py).
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.supervised import Client, Service, Upstream, fetch, wait_until
from tests.journeys.user_systemd import OWN_MANAGER, is_own, systemd_shell
from tokenpak.control.states import Code

ROOT = Path(__file__).parents[2]


@pytest.fixture
def upstream():
    provider = Upstream()
    yield provider
    provider.close()


@pytest.fixture
def configured(tmp_path, upstream):
    """Start an instance with a configuration file on a free port; ended after the test. -> service, file"""
    started = []
    config = tmp_path / "tokenpak.toml"
    config.write_text(f'[upstreams]\nlab = "{upstream.url}"\n')

    def start(*arguments):
        service = Service(tmp_path / "state", "--config", str(config), "--port", "0", *arguments)
        started.append(service)
        return service.ready()

    yield start, config
    for service in started:
        service.end()


def ctl(state, *arguments, environ=None):
    return subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.ctl", *arguments, "--state-dir", str(state)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=environ,
    )


def shown(service):
    ran = ctl(service.state, "status", "--json")
    return ran.returncode, json.loads(ran.stdout)


def test_with_workers_writer_and_control_all_down_bytes_still_pass(configured):
    start, _ = configured
    service = start()
    assert shown(service)[0] == Code.READY
    down = [each for each in service.supervisor.processes() if each.group in {"worker", "writer", "control"}]
    for process in down:
        service.supervisor.stop(process, 20)
    assert [fetch(service.port) for _ in range(5)] == [200] * 5
    code, told = shown(service)
    assert code == Code.DEGRADED
    reasons = " ".join(told["degraded"])
    for word in ("workers are up", "writer does not answer", "control does not answer", "tokenpakctl logs"):
        assert word in reasons
    for process in down:
        service.supervisor.start(process)
    wait_until(lambda: shown(service)[0] == Code.READY, 30, every_s=0.3)
    wait_until(lambda: rows(service) == 5)


def rows(service):
    store = sqlite3.connect(f"file:{service.paths.database}?mode=ro", uri=True)
    try:
        return store.execute("select count(*) from request where state = 'done'").fetchone()[0]
    finally:
        store.close()


def test_ready_reloaded_draining_stopped(configured):
    start, config = configured
    service = start("--drain", "30")
    (front,) = service.pids("front_01")
    sound = config.read_text()
    config.write_text(f"colour = 1\n{sound}")
    refused = ctl(service.state, "reload")
    assert refused.returncode == 1
    assert "colour" in refused.stderr
    assert service.pids("front_01") == [front]
    config.write_text(f'level = "off"\nworkers = 3\n{sound}')
    with Client(service.port) as held:
        held.ask("/lab/slow")
        held.head()
        reloading = subprocess.Popen(
            [sys.executable, "-m", "tokenpak.cli.ctl", "reload", "--state-dir", str(service.state)],
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: service.pids("front_02"), 30)
        wait_until(lambda: fetch(service.port) == 200)
        assert reloading.poll() is None  # the old front waits for the stream
    said = reloading.communicate(timeout=60)[0]
    assert reloading.returncode == 0
    assert "changed: level" in said
    assert "workers changes with" in said
    assert json.loads(service.paths.settings_file.read_text())["level"] == "off"
    with Client(service.port) as held:
        held.ask("/lab/slow")
        held.head()
        service.process.send_signal(signal.SIGTERM)
        told = wait_until(lambda: (found := shown(service))[0] == Code.DRAINING and found[1])
        assert told["state"] == "draining"
        assert any(each["name"].startswith("front_") for each in told["processes"])
    service.process.wait(30)
    assert shown(service)[0] == Code.STOPPED


@pytest.mark.long
def test_a_store_of_a_newer_version_costs_figures_and_no_request(configured, tmp_path):
    start, _ = configured
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    newer = sqlite3.connect(state / "tokenpak.db")
    newer.executescript("CREATE TABLE x(y); PRAGMA application_id = 0x5450414B; PRAGMA user_version = 99;")
    newer.close()
    before = (state / "tokenpak.db").read_bytes()
    service = start()
    assert fetch(service.port) == 200
    code, told = wait_until(lambda: "newer TokenPak" in str((found := shown(service))[1]["degraded"]) and found, 30)
    assert code == Code.DEGRADED
    assert "Install the newer version again" in str(told["degraded"])
    assert told["today"]["trouble"] == "the store is of another version"
    assert "made by a newer TokenPak" in ctl(state, "doctor").stdout
    assert service.stop() == 0
    assert (state / "tokenpak.db").read_bytes() == before


SCRIPT = """
ctl="$PYTHON -m tokenpak.cli.ctl"
fail() { echo "FAILED: $1"; systemctl --user status tokenpak --no-pager; exit 1; }
ready() { for _ in $(seq 60); do $ctl status >/dev/null && return; sleep 0.2; done; fail "not ready: $1"; }
$ctl install --port $PORT --drain 1 || fail install
ready "after the installation"
pid=$(systemctl --user show --value -p MainPID tokenpak)
[ -z "$HARDENED" ] || awk '$5 == "/" && $6 ~ /^ro/ { found = 1 } END { exit !found }' /proc/$pid/mountinfo ||
  fail "the service can write everywhere"
kill -KILL $pid
for _ in $(seq 100); do
  now=$(systemctl --user show --value -p MainPID tokenpak)
  [ "$now" != "$pid" ] && [ "$now" != 0 ] && break
  sleep 0.1
done
ready "after a kill"
$ctl stop && [ "$(systemctl --user is-active tokenpak)" = inactive ] || fail stop
$ctl start || fail start
$ctl install --port $PORT --drain 1 | grep -q unchanged || fail "installed anew"
$ctl uninstall --purge || fail uninstall
systemctl --user list-unit-files --no-pager | grep -q tokenpak && fail "the unit is still known"
echo ALL WELL
"""


@pytest.mark.long
def test_the_service_under_a_real_systemd(tmp_path):
    shell = systemd_shell()
    own = is_own(shell)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if not own and (Path.home() / ".config/systemd/user/tokenpak.service").exists():
        pytest.skip("this user has TokenPak installed as a service")
    environ = {**os.environ, "PYTHON": sys.executable, "PORT": str(port), "TOKENPAK_STATE_DIR": str(tmp_path / "state")}
    # Elsewhere the kernel may give a user no mounts of its own, and systemd goes on without.
    environ |= {"HOME": str(tmp_path), "MANAGER_LOG": str(tmp_path / "manager.log"), "HARDENED": "yes"} if own else {}
    ran = subprocess.run(
        [*shell, (OWN_MANAGER if own else "") + SCRIPT + ("systemctl --user exit\n" if own else "")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environ,
    )
    if ran.returncode == 77:
        pytest.skip("no systemd --user can be had here")
    assert "ALL WELL" in ran.stdout, ran.stdout + ran.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.long
def test_from_the_built_wheel_in_an_empty_home(tmp_path, upstream):
    """What a user does on a new machine, with nothing of this checkout in sight."""
    home, environment = tmp_path / "home", tmp_path / "venv"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "LANG", "PIP_", "SSL_"))}

    def run(*words, environ=None):
        shell = {"capture_output": True, "text": True, "timeout": 600, "cwd": tmp_path}
        return subprocess.run(list(map(str, words)), check=True, env=environ, **shell)

    def command(*words):
        return run(environment / "bin/tokenpakctl", *words, environ={**kept, "HOME": str(home)})

    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("tokenpak-*.whl")
    run(sys.executable, "-m", "venv", environment)
    run(environment / "bin/python", "-m", "pip", "install", "-q", wheel)
    dry = command("install", "--dry-run").stdout
    assert str(environment / "bin/python") in dry
    assert str(ROOT) not in dry
    assert list(home.iterdir()) == []
    started = command("start", "--port", "0", "--upstream", f"lab={upstream.url}").stdout
    port = int(started.split("http://127.0.0.1:")[1].split()[0])
    assert fetch(port) == 200
    assert "ready" in command("status").stdout
    assert "restarted" in command("restart").stdout
    assert "stopped" in command("stop").stdout
    command("uninstall", "--purge")
    assert [path for path in home.rglob("*") if not path.is_dir()] == []
