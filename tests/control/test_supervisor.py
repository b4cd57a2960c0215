"""Against a real supervisord with programs that only sleep."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.instance import lock_instance
from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault, UnknownProgram
from tokenpak.control.supervisor_socket import nudge

CONF = """
[supervisord]
nodaemon=true
silent=true
pidfile=%(here)s/run/supervisord.pid
logfile=%(here)s/logs/supervisord.log
[unix_http_server]
file=%(here)s/run/sockets/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:writer]
command=sleep 60
startsecs=0
redirect_stderr=true
stdout_logfile=%(here)s/logs/writer.log
[program:worker]
command=sleep 60
process_name=worker_%(process_num)02d
numprocs=2
startsecs=0
[program:broken]
command=/nonexistent
autostart=false
startsecs=0
"""


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    found = paths_for(tmp_path_factory.mktemp("state"))
    prepare(found)
    found.supervisor_conf.write_text(CONF)
    with subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(found.supervisor_conf)], stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        while not nudge(found.supervisor_sock) or len(running(found)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield found
        process.terminate()
        while process.poll() is None:
            nudge(found.supervisor_sock)
            time.sleep(0.02)


def running(paths):
    return {p.name: p for p in Supervisor(paths).processes() if p.state == "RUNNING"}


def test_processes_are_told_with_all_that_is_known(paths):
    found = {p.full_name: p for p in Supervisor(paths).processes()}
    assert list(found) == ["broken", "worker:worker_00", "worker:worker_01", "writer"]
    writer = found["writer"]
    assert (writer.state, writer.group, writer.log) == ("RUNNING", "writer", str(paths.logs / "writer.log"))
    assert writer.uptime_s >= 0
    os.kill(writer.pid, 0)
    assert (found["broken"].pid, found["broken"].uptime_s) == (None, None)


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("worker", ["worker_00", "worker_01"]),
        ("worker:worker_01", ["worker_01"]),
        ("worker_01", ["worker_01"]),
        ("writer", ["writer"]),
    ],
)
def test_a_program_is_found_by_any_of_its_names(paths, word, names):
    assert [p.name for p in Supervisor(paths).find(word)] == names


def test_an_unknown_program_is_named(paths):
    with pytest.raises(UnknownProgram, match="nobody"):
        Supervisor(paths).find("nobody")


def test_stop_and_start_wait_and_may_be_repeated(paths):
    control = Supervisor(paths)
    (worker,) = control.find("worker_00")
    control.stop(worker, 5)
    assert "worker_00" not in running(paths)
    control.stop(worker, 5)
    control.start(worker)
    control.start(worker)
    assert running(paths)["worker_00"].pid != worker.pid


def test_what_supervisord_refuses_is_said_in_its_words(paths):
    control = Supervisor(paths)
    with pytest.raises(SupervisorFault, match="NO_FILE"):
        control.start(control.find("broken")[0])


def test_its_pid(paths):
    assert Supervisor(paths).pid() == int(paths.supervisor_pid.read_text())


def test_a_supervisord_that_hangs_costs_a_known_time(paths):
    control = Supervisor(paths)
    os.kill(pid := control.pid(), signal.SIGSTOP)
    try:
        with pytest.raises(NotRunning), control._calls(timeout_s=0.3) as calls:
            calls.getState()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_nobody_there(tmp_path):
    nowhere = paths_for(tmp_path)
    prepare(nowhere)
    with pytest.raises(NotRunning, match=r"TokenPak is not running in .*`tokenpakctl start`"):
        Supervisor(nowhere).processes()
    with lock_instance(nowhere), pytest.raises(NotRunning, match=r"no supervisord answers at .*supervisor\.sock"):
        Supervisor(nowhere).processes()


def test_somebody_else_there(tmp_path):
    nowhere = paths_for(tmp_path)
    prepare(nowhere)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(nowhere.supervisor_sock))
        listener.listen()
        listener.close()
        with pytest.raises(NotRunning):
            Supervisor(nowhere).processes()
