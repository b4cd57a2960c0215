"""The real writer process, killed, stopped, stopped short and fed with noise; recorders in this process and in their own."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import zmq
from store_lab import (
    FRONT,
    OTHER,
    closed,
    eventually,
    fresh_schema,
    leave_journal,
    name_of,
    opened,
    pair,
    rows,
    states,
    writer,
)
from worker_lab import instance

from tokenpak.ipc import endpoints
from tokenpak.ipc.event_frames import pack_body, pack_event, unpack_ack
from tokenpak.processes.writer import Writer
from tokenpak.services.journal import fronts
from tokenpak.services.record import Recorder
from tokenpak.telemetry.retention import Keep


@pytest.fixture
def settings():
    with instance() as it:
        yield it


async def until(what, condition, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await trio.sleep(0.01)
    return value


def history(requests):
    """Both events of each request but for the last one, which stays open."""
    return [(envelope.seq, envelope.event) for number in range(requests) for envelope in pair(number)][:-1]


async def test_what_is_recorded_is_stored(settings):
    with writer(settings) as it:
        async with Recorder(settings.paths, FRONT) as recorder:
            for number in range(100):
                recorder.record(opened(number))
                recorder.record(closed(number))
            await until("all acknowledged", lambda: recorder.statistics().pending == 0)
        assert states(settings.paths.database) == {"done": 100}
        numbers = await trio.to_thread.run_sync(it.wait_until_up)
        assert numbers["book"]["committed"] >= 200
        assert (numbers["degraded"], numbers["garbled"], numbers["queued"]) == (None, 0, 0)
    assert fronts(settings.paths.journal) == []


def test_what_is_too_old_goes_while_events_are_taken(settings):
    """In this process, so that the minute before the first look need not be waited for."""
    stopping, keep = threading.Event(), Keep(days=1, bytes=1 << 40)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
        endpoints.bind(router, settings.paths.writer_sock)
        dealer.connect(f"ipc://{settings.paths.writer_sock}")
        dealer.setsockopt(zmq.LINGER, 0)
        it = Writer(settings.paths, keep, router)
        thread = threading.Thread(target=it.run, args=[stopping])
        thread.start()
        try:
            for number in range(300):
                for seq, event in ((2 * number + 1, opened(number)), (2 * number + 2, closed(number))):
                    dealer.send(pack_event(FRONT, seq, pack_body(event)))
            acknowledged = 0
            while acknowledged < 600:
                assert dealer.poll(10_000), "acknowledged while old rows are deleted"
                acknowledged += len(unpack_ack(dealer.recv())[1])
            it._retention._due = 0.0
            eventually("all of them are too old", lambda: states(settings.paths.database) == {})
            assert it.statistics().retention.deleted == 300
        finally:
            stopping.set()
            thread.join(20)


def test_socket_and_store_belong_to_the_user_alone(settings):
    with writer(settings) as it:
        it.wait_until_up()
        paths = settings.paths
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (paths.database, paths.writer_sock)}
        assert modes == {"tokenpak.db": 0o600, "writer.sock": 0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (paths.state, paths.sockets, paths.journal)} == {0o700}


def test_it_ends_with_0_and_leaves_one_database_file(settings):
    with writer(settings) as it:
        it.wait_until_up()
        began = time.monotonic()
        assert it.stop() == 0
        assert time.monotonic() - began < 2
    assert sorted(path.name for path in settings.paths.state.glob("tokenpak.db*")) == ["tokenpak.db"]


def test_it_leaves_when_its_parent_is_gone(settings):
    code = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=os.environ)
print("started", flush=True)
sys.stdin.read()
os._exit(9)
"""
    with writer(settings) as it:
        it.kill()
        parent = subprocess.Popen(
            [sys.executable, "-c", code, it._code],
            env={**os.environ, "TOKENPAK_SETTINGS": str(settings.paths.settings_file)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert parent.stdout.readline() == b"started\n"
        it.wait_until_up()
        parent.stdin.close()
        parent.wait()
        parent.stdout.close()
        eventually("the writer has left", lambda: it.ask(0.1) is None)


def test_events_queued_at_a_stop_are_stored_and_acknowledged(settings):
    with writer(settings) as it, peer(settings) as socket:
        it.wait_until_up()
        os.kill(it.process.pid, signal.SIGSTOP)
        for envelope in (envelope for number in range(100) for envelope in pair(number)):
            socket.send(pack_event(FRONT, envelope.seq, pack_body(envelope.event)))
        it.process.send_signal(signal.SIGTERM)
        os.kill(it.process.pid, signal.SIGCONT)
        assert it.process.wait(10) == 0
        seqs = set()
        while socket.poll(500):
            seqs |= set(unpack_ack(socket.recv())[1])
        assert seqs == {*range(1, 201)}
    assert states(settings.paths.database) == {"done": 100}


@contextmanager
def peer(settings):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"ipc://{settings.paths.writer_sock}")
        yield socket


def test_noise_is_counted_and_harms_nobody(settings):
    with writer(settings) as it, peer(settings) as socket:
        it.wait_until_up()
        for frames in ([b""], [b"noise"], [b"TPE\x01" + FRONT], [b"a", b"b"], [os.urandom(5000)]):
            socket.send_multipart(frames)
        socket.send(pack_event(FRONT, 5, b"an event nobody understands"))
        socket.send(pack_event(FRONT, 6, pack_body(opened(1))))
        assert socket.poll(5000)
        assert unpack_ack(socket.recv()) == (FRONT, (5, 6))
        assert it.ask()["garbled"] == 7
    assert len(rows(settings.paths.database)) == 1


def test_each_peer_gets_its_own_acknowledgements(settings):
    with writer(settings) as it, peer(settings) as one, peer(settings) as two:
        it.wait_until_up()
        one.send(pack_event(FRONT, 1, pack_body(opened(1))))
        two.send(pack_event(OTHER, 1, pack_body(opened(2))))
        for socket, front in ((one, FRONT), (two, OTHER)):
            assert socket.poll(5000)
            assert unpack_ack(socket.recv()) == (front, (1,))


# Death


@pytest.mark.parametrize(("requests", "kills"), [(4000, 4), pytest.param(60_000, 80, marks=pytest.mark.long)])
async def test_killed_under_load_it_loses_nothing_and_doubles_nothing(settings, requests, kills):
    with writer(settings) as it:
        await trio.to_thread.run_sync(it.wait_until_up)
        async with Recorder(settings.paths, FRONT) as recorder, trio.open_nursery() as nursery:

            async def kill_and_restart():
                for at in range(1, kills + 1):
                    await until(
                        "some load", lambda at=at: recorder.statistics().recorded > 2 * requests * at // (kills + 2)
                    )
                    await trio.to_thread.run_sync(it.kill)
                    await trio.sleep(0.1)
                    it.start()
                    await trio.to_thread.run_sync(it.wait_until_up)

            nursery.start_soon(kill_and_restart)
            for number in range(requests):
                recorder.record(opened(number))
                recorder.record(closed(number))
                await trio.sleep(0.001)
            await until("all acknowledged", lambda: recorder.statistics().pending == 0)
            assert recorder.statistics().dropped == 0
        assert states(settings.paths.database) == {"done": requests}
        assert [row for (row,) in rows(settings.paths.database, "id")] == [name_of(n) for n in range(requests)]


FRONT_PROCESS = """
import os, sys, trio
from pathlib import Path
sys.path[:0] = [{tests!r}]
from store_lab import opened, closed
from tokenpak.config.settings import read_settings
from tokenpak.processes.writer import Writer
from tokenpak.services.record import Recorder
from tokenpak.telemetry.retention import Keep

async def main():
    paths = read_settings(os.environ).paths
    async with Recorder(paths, bytes.fromhex(sys.argv[1])) as recorder:
        base, count = int(sys.argv[2]), int(sys.argv[3])
        for number in range(base, base + count):
            recorder.record(opened(number))
            if number % 10:
                recorder.record(closed(number))
            if number % 50 == 0:
                await trio.sleep(0.002)
        print("recorded", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        for number in range(base, base + count):
            if not number % 10:
                recorder.record(closed(number))
        print("closed", flush=True)
        while recorder.statistics().pending:
            await trio.sleep(0.01)

trio.run(main)
"""


@contextmanager
def front_process(settings, front, base, count):
    """A front in its own process. It leaves every tenth request open, until it is told a line."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            FRONT_PROCESS.format(tests=str(Path(__file__).parents[1])),
            front.hex(),
            str(base),
            str(count),
        ],
        env={**os.environ, "TOKENPAK_SETTINGS": str(settings.paths.settings_file)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_a_stopped_front_is_not_taken_for_dead(settings):
    database = settings.paths.database
    with writer(settings) as it, front_process(settings, FRONT, 0, 200) as front:
        assert front.stdout.readline() == b"recorded\n"
        eventually("its events are stored", lambda: states(database) == {"done": 180, "open": 20})
        os.kill(front.pid, signal.SIGSTOP)
        # Past every timeout: resend, scans, and a new writer, which knows nothing of it.
        scans = time.monotonic() + 2.5
        eventually("two scans", lambda: time.monotonic() > scans)
        it.kill()
        it.start()
        it.wait_until_up()
        scans = time.monotonic() + 1.5
        eventually("another scan", lambda: time.monotonic() > scans)
        assert states(database) == {"done": 180, "open": 20}
        assert it.ask()["adoption"]["adopted"] == 0
        os.kill(front.pid, signal.SIGCONT)
        front.stdin.write(b"\n")
        front.stdin.flush()
        assert front.wait(10) == 0
        assert states(database) == {"done": 200}
    assert fronts(settings.paths.journal) == []


def test_a_killed_front_has_its_open_rows_interrupted_and_a_late_close_wins(settings):
    database = settings.paths.database
    with writer(settings) as it, front_process(settings, FRONT, 0, 200) as front:
        assert front.stdout.readline() == b"recorded\n"
        front.kill()
        eventually("its rows are closed", lambda: states(database) == {"done": 180, "interrupted": 20})
        eventually("its journal is gone", lambda: fronts(settings.paths.journal) == [])
        late = closed(10)
        with peer(settings) as socket:
            socket.send(pack_event(FRONT, 9999, pack_body(late)))
            assert socket.poll(5000)
        assert states(database) == {"done": 181, "interrupted": 19}
        assert it.ask()["book"]["interrupted"] == 20


def test_a_front_killed_while_the_writer_is_down_is_found_by_the_next_writer(settings):
    with writer(settings) as it:
        it.wait_until_up()
        it.kill()
        with front_process(settings, FRONT, 0, 500) as front:
            assert front.stdout.readline() == b"recorded\n"
            front.kill()
        it.start()
        eventually("its rows are there", lambda: states(settings.paths.database) == {"done": 450, "interrupted": 50})
        eventually("its journal is gone", lambda: fronts(settings.paths.journal) == [])


@pytest.mark.parametrize("pause_s", [0.0, 0.03])
def test_a_replay_killed_half_way_is_finished_by_the_next_writer(settings, pause_s):
    requests = 8000
    leave_journal(settings.paths, history(requests))
    database = settings.paths.database
    partial = []
    with writer(settings) as it:
        for _ in range(3):
            before = sum(states(database).values())
            eventually("the replay goes on", lambda before=before: sum(states(database).values()) > before)
            time.sleep(pause_s)  # not a wait for something: the moment of death is what varies
            it.kill()
            partial.append(sum(states(database).values()))
            it.start()
        eventually("all rows are there", lambda: states(database) == {"done": requests - 1, "interrupted": 1}, 30)
        eventually("the journal is gone", lambda: fronts(settings.paths.journal) == [])
    assert partial[0] < requests
    assert [row for (row,) in rows(database, "id")] == [name_of(number) for number in range(requests)]


# Disk


async def test_a_store_that_finds_no_room_loses_nothing(settings):
    paths = settings.paths
    fresh_schema(paths.database)
    with writer(settings, file_limit=150_000) as it:
        await trio.to_thread.run_sync(it.wait_until_up)
        async with Recorder(paths, FRONT) as recorder:
            for number in range(2000):
                recorder.record(opened(number))
                recorder.record(closed(number))
                await trio.lowlevel.checkpoint()
            await until("the writer tells", lambda: (it.ask(0.2) or {}).get("degraded"))
            told = it.ask()
            assert told["withheld"] > 0
            assert recorder.statistics().pending > 0
            await trio.to_thread.run_sync(it.kill)
            it._code = it._code.split("; ", 2)[2]  # room again
            it.start()
            await until("all acknowledged", lambda: recorder.statistics().pending == 0, 30)
            assert recorder.statistics().dropped == 0
        assert states(paths.database) == {"done": 2000}


async def test_a_damaged_store_is_left_alone_and_the_events_wait(settings):
    paths = settings.paths
    paths.database.write_bytes(b"garbage " * 1000)
    with writer(settings) as it:
        numbers = await trio.to_thread.run_sync(it.wait_until_up)
        assert "damaged" in numbers["degraded"]
        async with Recorder(paths, FRONT) as recorder:
            for number in range(10):
                recorder.record(opened(number))
                recorder.record(closed(number))
            await until("the events are withheld", lambda: it.ask()["withheld"] >= 20)
            assert recorder.statistics().acked == 0
            assert it.stop() == 0
    assert paths.database.read_bytes() == b"garbage " * 1000
    assert sorted(path.name for path in paths.state.glob("tokenpak.db*")) == ["tokenpak.db"]
    paths.database.unlink()
    with writer(settings):
        eventually("the journal is replayed", lambda: states(paths.database) == {"done": 10})


def test_journals_left_at_a_stop_are_taken_in_before_the_end(settings):
    with writer(settings) as it:
        it.wait_until_up()
        leave_journal(settings.paths, history(1000))
        assert it.stop() == 0
    assert states(settings.paths.database) == {"done": 999, "interrupted": 1}
    assert fronts(settings.paths.journal) == []
