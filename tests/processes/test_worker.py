"""The worker's bench message by message, and the process as supervisord starts it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import structlog
import zmq

from tests.worker_lab import JOB, instance, obey, patch_for, until
from tokenpak.config.settings import SETTINGS_VARIABLE, Settings, write_settings
from tokenpak.core.patch import Patch
from tokenpak.ipc import frames
from tokenpak.ipc.frames import JobMessage, PatchMessage, PingMessage, PongMessage, RefusalMessage
from tokenpak.processes.lifecycle import SLOT_VARIABLE, Stop
from tokenpak.processes.worker import Bench, serve
from tokenpak.services.pool import Answer, WorkerPool

FAR = 2**62


def answered(bench: Bench, message: frames.Message) -> frames.Message:
    reply = bench.answer(frames.encode(message))
    assert reply is not None
    return frames.decode(reply)


def counts(bench: Bench) -> tuple[int, int, int, int]:
    vitals = bench.vitals()
    return (vitals.done, vitals.failed, vitals.expired, vitals.garbled)


def test_a_job_is_worked_on():
    bench = Bench(obey, "test")
    reply = answered(bench, JobMessage(4, FAR, JOB, b"sleep 0.01"))
    assert isinstance(reply, PatchMessage)
    assert (reply.number, reply.patch) == (4, patch_for(b"sleep 0.01"))
    assert 10_000_000 <= reply.took_ns < 10_000_000_000
    assert counts(bench) == (1, 0, 0, 0)


def test_a_job_that_raises_is_refused_and_the_next_one_is_served():
    bench = Bench(obey, "test")
    for body in (b"raise", b"deep"):
        assert answered(bench, JobMessage(4, FAR, JOB, body)) == RefusalMessage(4, "failed")
    assert isinstance(answered(bench, JobMessage(5, FAR, JOB, b"x")), PatchMessage)
    assert counts(bench) == (1, 2, 0, 0)


def test_the_log_names_the_failure_and_not_the_request():
    with structlog.testing.capture_logs() as logs:
        Bench(obey, "test").answer(frames.encode(JobMessage(4, FAR, JOB, b"raise")))
    assert logs[0]["error"] == "RuntimeError"
    assert logs[0]["where"].startswith("worker_lab.py:")
    assert "secret" not in str(logs)


def test_a_patch_no_frame_can_hold_is_a_failure():
    def unpackable(_job, body) -> Patch:
        return Patch((), (), 0, b"", (), {"\ud800": 1}, 0, "test")

    bench = Bench(unpackable, "test")
    assert answered(bench, JobMessage(4, FAR, JOB, b"x")) == RefusalMessage(4, "failed")
    assert counts(bench) == (0, 1, 0, 0)


def test_a_stop_is_not_swallowed():
    def stopped(_job, _body) -> Patch:
        raise Stop

    with pytest.raises(Stop):
        Bench(stopped, "test").answer(frames.encode(JobMessage(4, FAR, JOB, b"x")))


def test_what_nobody_waits_for_is_not_begun():
    bench = Bench(obey, "test")
    started = time.monotonic()
    assert answered(bench, JobMessage(4, time.monotonic_ns() - 1, JOB, b"sleep 2")) == RefusalMessage(4, "expired")
    assert time.monotonic() - started < 1
    assert counts(bench) == (0, 0, 1, 0)


def test_a_ping_is_answered_with_the_vitals():
    bench = Bench(obey, "o200k_base")
    answered(bench, JobMessage(4, FAR, JOB, b"x"))
    assert answered(bench, PingMessage(9)) == PongMessage(9, frames.Vitals(os.getpid(), "o200k_base", 1, 0, 0, 0))


def test_what_cannot_be_read_is_refused_where_it_has_a_number():
    bench = Bench(obey, "test")
    good = frames.encode(JobMessage(4, FAR, JOB, b"x"))
    assert bench.answer([]) is None
    assert bench.answer([b"noise"]) is None
    garbled = bench.answer([good[0][: frames.CLOCKED.size] + b"noise", b"x"])
    foreign = bench.answer([frames.HEAD.pack(b"TP", 2, b"J", 4), b"x", b"y"])
    assert garbled is not None
    assert foreign is not None
    assert frames.decode(garbled) == RefusalMessage(4, "garbled")
    assert frames.decode(foreign) == RefusalMessage(4, "version")
    assert counts(bench) == (0, 0, 0, 4)


def test_a_workers_own_words_are_not_answered():
    bench = Bench(obey, "test")
    assert bench.answer(frames.encode(RefusalMessage(4, "failed"))) is None
    assert counts(bench) == (0, 0, 0, 1)


def test_serving_ends_with_the_exception_and_after_the_answers():
    """An answer that was given leaves although the process stops right after it."""
    with instance(1) as settings:
        path = settings.paths.worker_sock(0)
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        dealer.connect(f"ipc://{path}")
        for body in (b"x", b"stop"):
            dealer.send_multipart(frames.encode(JobMessage(1, FAR, JOB, body)))

        def work(job, body) -> Patch:
            if body == b"stop":
                raise Stop
            return msgspec.structs.replace(patch_for(body), plan=bytes(32 << 20))  # takes a while to leave

        with pytest.raises(Stop):
            serve(path, work, "test")
        assert dealer.poll(2000)
        assert isinstance(frames.decode(dealer.recv_multipart()), PatchMessage)
        dealer.close(linger=0)


def start(settings: Settings) -> subprocess.Popen[bytes]:
    write_settings(settings)
    environment = {**os.environ, SETTINGS_VARIABLE: str(settings.paths.settings_file), SLOT_VARIABLE: "0"}
    command = [sys.executable, "-P", "-W", "error", "-m", "tokenpak.processes.start", "worker"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


async def test_the_process_compresses_and_leaves_when_told():
    with instance(1, job_base_s=5) as settings:
        process = start(settings)
        try:
            async with WorkerPool(settings) as pool:
                await until(lambda: pool.statistics().workers[0].vitals is not None, 30)
                vitals = pool.statistics().workers[0].vitals
                assert vitals is not None
                assert vitals.pid == process.pid
                answer = await pool.ask(
                    JOB, b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}]}', b"s"
                )
                assert isinstance(answer, Answer)
                assert answer.patch.edits == ()
                assert answer.patch.counter == vitals.counter
                process.send_signal(signal.SIGTERM)
                _, log = process.communicate(timeout=5)
                assert process.returncode == 0, log
                await until(lambda: not pool.statistics().workers[0].up)
        finally:
            process.kill()
            process.communicate()
        assert b"worker stops" in log
        assert b"Traceback" not in log


def test_a_socket_that_cannot_be_bound_ends_the_process_with_its_reason():
    with instance(1) as settings:
        Path(settings.paths.worker_sock(0)).mkdir()
        process = start(settings)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 1
        assert b"Address already in use" in log or b"Is a directory" in log
