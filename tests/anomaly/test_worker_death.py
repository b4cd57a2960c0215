"""Real worker processes killed, stopped and poisoned under a pool that goes on."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import trio

from tests.worker_lab import JOB, WorkerProcess, instance, patch_for, until, worker_processes
from tokenpak.services.pool import Answer, Limits, Missed, WorkerPool


async def ready(pool: WorkerPool, workers: list[WorkerProcess]) -> None:
    """The pool has heard of exactly these processes."""
    pids = [worker.process.pid for worker in workers]
    await until(lambda: [worker.vitals and worker.vitals.pid for worker in pool.statistics().workers] == pids, 20)


async def hold(pool: WorkerPool, session: bytes, body: bytes, into: list[Answer | Missed]) -> None:
    into.append(await pool.ask(JOB, body, session))


async def test_a_killed_workers_job_is_done_by_the_other_one():
    with instance(job_base_s=10) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)
            got: list[Answer | Missed] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, pool, b"a", b"sleep 0.3", got)
                await until(lambda: pool.statistics().workers[0].in_flight == 1)
                workers[0].kill()
                started = time.monotonic()
                await until(lambda: pool.statistics().workers[1].in_flight == 1)
                seen = time.monotonic() - started
            assert isinstance(got[0], Answer)
            assert seen < 0.1
            assert pool.statistics().retried == 1


async def test_a_poisonous_job_kills_two_workers_and_no_more():
    with instance(3, job_base_s=10) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)
            started = time.monotonic()
            assert await pool.ask(JOB, b"die", b"s") == Missed("died")
            assert time.monotonic() - started < 1
            assert isinstance(await pool.ask(JOB, b"fine", b"s"), Answer)
            await until(lambda: sum(worker.process.poll() is None for worker in workers) == 1)


async def test_a_stopped_worker_costs_one_deadline_and_then_nothing():
    with instance(job_base_s=0.25) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)
            assert isinstance(await pool.ask(JOB, b"x", b"a"), Answer)
            mine = 0 if pool.statistics().workers[0].jobs else 1
            workers[mine].signal(signal.SIGSTOP)
            started = time.monotonic()
            assert await pool.ask(JOB, b"x", b"a") == Missed("deadline")
            assert 0.25 <= time.monotonic() - started < 0.6
            for _ in range(20):
                assert isinstance(await pool.ask(JOB, b"x", b"a"), Answer)
            workers[mine].signal(signal.SIGCONT)
            await until(lambda: not pool.statistics().workers[mine].quiet)
            assert pool.statistics().workers[mine].in_flight == 0


async def test_a_stopped_worker_is_reported_hung_until_it_is_started_anew():
    with instance(1) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings, Limits(ping_s=0.05)) as pool:
            await ready(pool, workers)
            workers[0].signal(signal.SIGSTOP)
            await until(lambda: pool.statistics().workers[0].hung)
            workers[0].kill()
            workers[0].start()
            await ready(pool, workers)
            assert not pool.statistics().workers[0].hung
            assert isinstance(await pool.ask(JOB, b"x", b"a"), Answer)


async def test_a_job_that_raises_leaves_its_worker_alive():
    with instance(1, job_base_s=5) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings, Limits(ping_s=0.05)) as pool:
            await ready(pool, workers)
            for body in (b"raise", b"deep"):
                assert await pool.ask(JOB, body, b"s") == Missed("refused")
            assert isinstance(await pool.ask(JOB, b"x", b"s"), Answer)
            assert workers[0].process.poll() is None
            await until(lambda: pool.statistics().workers[0].vitals.failed == 2)


async def test_a_worker_told_to_stop_in_a_job_hands_it_over():
    with instance(job_base_s=10) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)
            got: list[Answer | Missed] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, pool, b"a", b"sleep 0.5", got)
                await until(lambda: pool.statistics().workers[0].in_flight == 1)
                workers[0].signal(signal.SIGTERM)
            assert isinstance(got[0], Answer)
            assert workers[0].process.wait(timeout=5) == 0


ROOT = str(Path(__file__).parents[2])
DYING_FRONT = """
import os, signal, sys, zmq
from tokenpak.ipc import frames
from tests.worker_lab import JOB
socket = zmq.Context().socket(zmq.DEALER)
socket.connect("ipc://" + sys.argv[1])
for number in range(6):
    socket.send_multipart(frames.encode(frames.JobMessage(number, 2**62, JOB, bytes(8 << 20))))
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_front_killed_in_the_middle_of_a_message_harms_no_worker():
    with instance(1, job_base_s=10) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)
            for _ in range(5):
                command = [sys.executable, "-c", DYING_FRONT, str(workers[0].path)]
                with trio.fail_after(20):
                    await trio.run_process(command, env={**os.environ, "PYTHONPATH": ROOT}, check=False)
            assert isinstance(await pool.ask(JOB, b"x", b"s"), Answer)
            assert workers[0].process.poll() is None


@pytest.mark.parametrize("kills", [pytest.param(6, id="short"), pytest.param(60, id="long", marks=pytest.mark.long)])
async def test_answers_stay_right_while_workers_are_killed(kills):
    """Every ask ends in time, every answer belongs to its question, and the books balance."""
    random_ = random.Random(3)
    wrong: list[str] = []
    with instance(job_base_s=2) as settings, worker_processes(settings) as workers:
        async with WorkerPool(settings) as pool:
            await ready(pool, workers)

            async def caller(number: int) -> None:
                count = 0
                while True:
                    body = b"%d:%d:" % (number, count) + bytes(random_.choice((10, 1000, 200_000)))
                    started = time.monotonic()
                    answer = await pool.ask(JOB, body, b"%d" % number)
                    if isinstance(answer, Answer) and answer.patch != patch_for(body):
                        wrong.append(f"foreign answer for {number}:{count}")
                    if time.monotonic() - started > 4:
                        wrong.append(f"late by far: {answer}")
                    if isinstance(answer, Missed) and answer.reason not in {"no_worker", "died"}:
                        wrong.append(str(answer))
                    count += 1

            async with trio.open_nursery() as nursery:
                for number in range(8):
                    nursery.start_soon(caller, number)
                for kill in range(kills):
                    victim = workers[kill % 2]
                    victim.kill()
                    victim.start()
                    await ready(pool, workers)
                nursery.cancel_scope.cancel()
            await until(lambda: all(worker.in_flight == 0 for worker in pool.statistics().workers))
            counted = pool.statistics()
    assert wrong == []
    assert sum(worker.deaths for worker in counted.workers) == kills
    assert counted.retried > 0
    assert counted.answered > 100
    assert counted.asked == counted.answered + sum(counted.missed.values()) + counted.left
