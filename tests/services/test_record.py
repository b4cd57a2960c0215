"""The recorder against a writer whose every word the test says: a ROUTER that acknowledges what and when it is told to."""

import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import trio
import zmq
from store_lab import FRONT, OTHER, closed, opened
from worker_lab import instance

from tokenpak.ipc import endpoints
from tokenpak.ipc.event_frames import MAX_EVENTS, pack_ack, unpack_body, unpack_event
from tokenpak.services import journal as journals
from tokenpak.services import record as recording
from tokenpak.services.journal import adopt, fronts
from tokenpak.services.record import Recorder


class FakeWriter:
    def __init__(self, path):
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        endpoints.bind(self._socket, path)
        self.heard = []
        self._peer = b""

    def close(self):
        self._context.destroy(linger=0)

    def listen(self):
        """Take what has come; returns the sequence numbers of it."""
        new = []
        while self._socket.poll(0):
            self._peer, *frames = self._socket.recv_multipart()
            assert len(frames) <= MAX_EVENTS
            for frame in frames:
                front, seq, body = unpack_event(frame)
                assert front == FRONT
                new.append((seq, unpack_body(body)))
        self.heard += new
        return [seq for seq, _ in new]

    def acknowledge(self, *seqs, front=FRONT):
        self.say(pack_ack(front, seqs))

    def say(self, frame):
        self._socket.send_multipart([self._peer, frame])

    @property
    def seqs(self):
        return [seq for seq, _ in self.heard]


@pytest.fixture
def lab():
    with instance() as settings:
        paths = settings.paths
        open_writers = []

        @contextmanager
        def writer():
            it = FakeWriter(paths.writer_sock)
            open_writers.append(it)
            try:
                yield it
            finally:
                it.close()

        yield SimpleNamespace(paths=paths, writer=writer)


async def until(what, condition, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        await trio.sleep(0.005)
    return value


async def until_heard(writer, count):
    def heard():
        writer.listen()
        return len(set(writer.seqs)) >= count

    await until(f"{count} events heard", heard)


def left(paths):
    """Sequence numbers in the journal that a dead front has left."""
    abandoned = adopt(paths.journal, FRONT)
    try:
        return [seq for seq, _ in abandoned.events()]
    finally:
        abandoned.release()


async def test_events_arrive_whole_and_leave_nothing_once_acknowledged(lab):
    with lab.writer() as writer:
        async with Recorder(lab.paths, FRONT) as recorder:
            recorder.record(opened(1))
            recorder.record(closed(1))
            await until_heard(writer, 2)
            assert writer.heard == [(1, opened(1)), (2, closed(1))]
            assert recorder.statistics().pending == 2
            writer.acknowledge(1, 2)
            await until("all acknowledged", lambda: recorder.statistics().pending == 0)
            assert recorder.statistics().acked == 2
        assert fronts(lab.paths.journal) == []


async def test_without_a_writer_events_wait_on_disk(lab):
    async with Recorder(lab.paths, FRONT) as recorder:
        for number in range(50):
            recorder.record(opened(number))
        statistics = recorder.statistics()
        assert (statistics.pending, statistics.dropped, statistics.connected) == (50, 0, False)
        assert statistics.journal_ok
    assert left(lab.paths) == list(range(1, 51))


async def test_events_recorded_before_the_writer_is_there_are_sent_when_it_comes(lab):
    async with Recorder(lab.paths, FRONT) as recorder:
        recorder.record(opened(1))
        await trio.sleep(0.05)
        with lab.writer() as writer:
            await until_heard(writer, 1)
            writer.acknowledge(1)
            await until("acknowledged", lambda: recorder.statistics().acked == 1)


async def test_only_what_was_not_acknowledged_is_sent_again_to_a_new_writer(lab):
    async with Recorder(lab.paths, FRONT) as recorder:
        with lab.writer() as writer:
            await until("connected", lambda: recorder.statistics().connected)
            for number in range(6):
                recorder.record(opened(number))
            await until_heard(writer, 6)
            writer.acknowledge(2, 5)  # not "up to 5"
            await until("two acknowledged", lambda: recorder.statistics().acked == 2)
        with lab.writer() as writer:
            await until_heard(writer, 4)
            assert sorted(set(writer.seqs)) == [1, 3, 4, 6]
            writer.acknowledge(1, 3, 4, 6)
            await until("all acknowledged", lambda: recorder.statistics().pending == 0)


async def test_a_lost_acknowledgement_means_the_event_again_after_a_second(lab):
    async with Recorder(lab.paths, FRONT) as recorder:
        with lab.writer() as writer:
            recorder.record(opened(1))
            await until_heard(writer, 1)
            began = time.monotonic()
            await until("the event comes again", lambda: writer.listen() == [1])
            assert 0.5 < time.monotonic() - began < 3.5
            writer.acknowledge(1)
            writer.acknowledge(1)
            await until("acknowledged once", lambda: recorder.statistics().acked == 1)
            recorder.record(opened(2))
            await until("the next event", lambda: 2 in writer.listen())
            writer.acknowledge(2)
            await until("nothing pending", lambda: recorder.statistics().pending == 0)
            assert recorder.statistics().acked == 2


async def test_a_writer_that_commits_nothing_is_asked_and_not_flooded(lab, monkeypatch):
    monkeypatch.setattr(recording, "RESEND_S", 0.1)
    async with Recorder(lab.paths, FRONT) as recorder:
        with lab.writer() as writer:
            for number in range(500):
                recorder.record(opened(number))
            await until_heard(writer, 500)
            sent = recorder.statistics().sent
            await until("five rounds", lambda: (writer.listen() and False) or recorder.statistics().resent >= 80)
            assert recorder.statistics().sent - sent <= 120


async def test_messages_that_are_no_acknowledgement_are_counted(lab):
    with lab.writer() as writer:
        async with Recorder(lab.paths, FRONT) as recorder:
            recorder.record(opened(1))
            await until_heard(writer, 1)
            writer.say(b"noise")
            writer.acknowledge(1, front=OTHER)
            await until("two garbled", lambda: recorder.statistics().garbled == 2)
            assert recorder.statistics().pending == 1
            writer.acknowledge(77, 1)
            await until("acknowledged", lambda: recorder.statistics().pending == 0)


async def test_what_memory_does_not_hold_waits_on_disk_and_comes_back(lab, monkeypatch):
    monkeypatch.setattr(recording, "WINDOW_BYTES", 4000)
    monkeypatch.setattr(journals, "SEGMENT_BYTES", 10_000)
    async with Recorder(lab.paths, FRONT) as recorder:
        for number in range(1000):
            recorder.record(opened(number))
        statistics = recorder.statistics()
        assert statistics.pending == 1000
        assert statistics.spilled > 950
        with lab.writer() as writer:

            def done():
                new = writer.listen()
                if new:
                    writer.acknowledge(*new)
                return recorder.statistics().pending == 0

            await until("all acknowledged", done, 20)
        assert sorted(writer.seqs) == list(range(1, 1001))
        assert sorted(event.id for _, event in writer.heard) == sorted(opened(number).id for number in range(1000))
        assert recorder.statistics().dropped == 0
    assert fronts(lab.paths.journal) == []


async def test_with_the_disk_refusing_memory_holds_a_bounded_part_and_the_rest_is_counted(lab, monkeypatch):
    monkeypatch.setattr(recording, "MEMORY_BYTES", 10_000)
    lab.paths.journal.rmdir()
    async with Recorder(lab.paths, FRONT) as recorder:
        for number in range(100):
            recorder.record(opened(number))
        statistics = recorder.statistics()
        assert not statistics.journal_ok
        assert statistics.journal_trouble == "No such file or directory"
        assert 0 < statistics.pending < 100
        assert statistics.pending + statistics.dropped == 100
        with lab.writer() as writer:
            await until_heard(writer, statistics.pending)
            assert writer.seqs == list(range(1, statistics.pending + 1))
            writer.acknowledge(*writer.seqs)
            await until("all acknowledged", lambda: recorder.statistics().pending == 0)


async def test_what_the_disk_refused_is_written_once_it_takes_it(lab, monkeypatch):
    monkeypatch.setattr(recording, "RESEND_S", 0.05)
    lab.paths.journal.rmdir()
    async with Recorder(lab.paths, FRONT) as recorder:
        recorder.record(opened(1))
        recorder.record(closed(1))
        lab.paths.journal.mkdir()
        await until("the journal takes it", lambda: recorder.statistics().journal_ok)
    assert sorted(left(lab.paths)) == [1, 2]


async def test_the_end_waits_for_acknowledgements_on_their_way(lab):
    with lab.writer() as writer:
        async with trio.open_nursery() as nursery:

            async def answer():
                await until_heard(writer, 2)
                await trio.sleep(0.1)
                writer.acknowledge(1, 2)

            nursery.start_soon(answer)
            async with Recorder(lab.paths, FRONT) as recorder:
                await until("connected", lambda: recorder.statistics().connected)
                recorder.record(opened(1))
                recorder.record(closed(1))
        assert recorder.statistics().acked == 2
    assert fronts(lab.paths.journal) == []


async def test_a_cancelled_front_still_hands_over_its_last_events(lab):
    with lab.writer() as writer, trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def answer():
                with trio.CancelScope(shield=True):
                    await until_heard(writer, 1)
                    writer.acknowledge(1)

            nursery.start_soon(answer)
            async with Recorder(lab.paths, FRONT) as recorder:
                await until("connected", lambda: recorder.statistics().connected)
                scope.cancel()
                recorder.record(opened(1))
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert recorder.statistics().acked == 1
    assert fronts(lab.paths.journal) == []


async def test_the_end_is_bounded_when_no_acknowledgement_comes(lab, monkeypatch):
    monkeypatch.setattr(recording, "SETTLE_S", 0.1)
    with lab.writer() as writer:
        async with Recorder(lab.paths, FRONT) as recorder:
            recorder.record(opened(1))
            await until_heard(writer, 1)
    assert left(lab.paths) == [1]


async def test_an_error_in_the_body_comes_out_as_it_is(lab):
    with pytest.raises(KeyError, match="mine"):
        async with Recorder(lab.paths, FRONT):
            raise KeyError("mine")


async def test_recording_never_raises(lab):
    recorder = Recorder(lab.paths, FRONT)
    recorder.record(opened(1))
    async with recorder:
        recorder.record(opened(2, path=object()))
        recorder.record(opened(3, path="\ud800" * 10**6))
        assert recorder.statistics().dropped == 1
    recorder.record(opened(4))
    assert recorder.statistics().pending == 3
