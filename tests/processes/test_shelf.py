"""Answers taken by the writer: over its socket, beside events, and only where a rule wants them."""

import stat
import threading

import msgspec
import pytest
import zmq
from response_lab import frame, key
from store_lab import FRONT, closed, eventually, opened, states
from worker_lab import instance

from tokenpak.core.recall import Bounds
from tokenpak.core.rules import Rule
from tokenpak.ipc.event_frames import STATISTICS, STATISTICS_REQUEST, pack_body, pack_event, unpack_statistics
from tokenpak.ipc.response_frames import TAKEN
from tokenpak.processes.shelf import shelf_for
from tokenpak.processes.writer import serve
from tokenpak.services import response_file
from tokenpak.services.response_cache import ON_THE_WAY


@pytest.fixture
def settings():
    with instance() as it:
        bounds = Bounds(max_entry_bytes=1024)
        yield msgspec.structs.replace(it, rules=(Rule(response_cache=True),), response_cache=bounds)


@pytest.fixture
def context():
    with zmq.Context() as it:
        yield it


def dealer(context, path):
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(f"ipc://{path}")
    return socket


@pytest.fixture
def shelf(settings, context):
    it = shelf_for(settings, context)
    yield it
    it.close()


def taken(shelf, socket):
    """The next word of the shelf, at work meanwhile."""
    return eventually("a word", lambda: (shelf.step(), socket.poll(20))[1] and socket.recv_multipart())


def test_an_answer_is_stored_and_acknowledged_stored_or_not(settings, context, shelf):
    with dealer(context, settings.paths.responses_sock) as socket:
        socket.send(frame(1, b"x"))
        assert taken(shelf, socket) == [TAKEN]
        socket.send(b"noise")
        assert taken(shelf, socket) == [TAKEN]
    assert response_file.find(settings.paths.responses, key(1))
    assert (shelf.statistics().stored, shelf.statistics().refused) == (1, 1)
    assert stat.S_IMODE(settings.paths.responses_sock.stat().st_mode) == 0o600


def test_where_no_rule_wants_answers_there_is_no_socket_and_what_was_kept_is_gone(settings, context, shelf):
    shelf.close()
    assert settings.paths.responses.exists()
    settings.paths.responses_sock.unlink()
    assert shelf_for(msgspec.structs.replace(settings, rules=()), context) is None
    assert not settings.paths.responses.exists()
    assert not settings.paths.responses_sock.exists()


def test_the_writer_takes_answers_beside_events(settings, context):
    stopping = threading.Event()
    thread = threading.Thread(target=serve, args=[settings, stopping])
    thread.start()
    try:
        events, answers = (
            dealer(context, path) for path in (settings.paths.writer_sock, settings.paths.responses_sock)
        )
        with events, answers:
            for number in range(50):
                if number >= ON_THE_WAY:  # as a front does: beyond that it waits for a word
                    assert answers.poll(10_000)
                    assert answers.recv_multipart() == [TAKEN]
                answers.send(frame(number, b"x" * 500))
                for seq, event in ((2 * number + 1, opened(number)), (2 * number + 2, closed(number))):
                    events.send(pack_event(FRONT, seq, pack_body(event)))
            eventually("all rows", lambda: states(settings.paths.database) == {"done": 50})
            for _ in range(ON_THE_WAY):
                assert answers.poll(10_000)
                assert answers.recv_multipart() == [TAKEN]
            events.send(STATISTICS_REQUEST)
            told = unpack_statistics(eventually("statistics", lambda: _of_statistics(events)))
        assert (told["responses"]["stored"], told["responses"]["held"], told["received"]) == (50, 50, 100)
    finally:
        stopping.set()
        thread.join(20)
    assert not thread.is_alive()


def _of_statistics(socket):
    """The next message, if it is no acknowledgement."""
    frame_of = socket.poll(20) and socket.recv()
    return frame_of if frame_of and frame_of.startswith(STATISTICS) else None
