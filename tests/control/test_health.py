"""Processes here are sockets a test opens: what answers and what does not is all that health sees of them."""

import contextlib
import json
import os
import socket
import threading

import pytest
import zmq

from tokenpak.config.paths import prepare
from tokenpak.config.settings import load
from tokenpak.control import health
from tokenpak.control.health import check, collect, front_statistics, hung_workers, respond, writer_statistics
from tokenpak.control.unix_http import Answer, NoAnswer, answer
from tokenpak.ipc.event_frames import STATISTICS, STATISTICS_REQUEST

WELL = [{"up": True, "hung": False, "jobs": 3}, {"up": True, "hung": False, "jobs": 4}]


@pytest.fixture
def settings(tmp_path):
    found = load(None, {}, {"state_dir": str(tmp_path)})
    prepare(found.paths)
    return found


@pytest.fixture
def front(settings):
    """Slot 1 serves and says of its workers what the test puts in."""
    report = {"slot": 1, "pool": {"asked": 7, "workers": WELL}}
    settings.paths.ready_file(1).write_text(str(os.getpid()))
    with serving(settings.paths.front_sock(1), lambda: Answer(200, json.dumps(report).encode())):
        yield report


@contextlib.contextmanager
def serving(path, respond_with):
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0.05)

        def run():
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    peer, _ = listener.accept()
                    with peer:
                        answer(peer, lambda _target: respond_with(), 1)

        thread = threading.Thread(target=run)
        thread.start()
        yield
        over.set()
        thread.join()


@pytest.fixture
def writer(settings):
    """A ROUTER that answers the question for statistics."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.bind(f"ipc://{settings.paths.writer_sock}")

    def run():
        while True:
            try:
                peer, asked = router.recv_multipart()
            except zmq.ContextTerminated:
                return
            assert asked == STATISTICS_REQUEST
            router.send_multipart([peer, STATISTICS + b'{"committed":5}'])

    def run_and_close():
        run()
        router.close(0)

    thread = threading.Thread(target=run_and_close)
    thread.start()
    yield
    context.term()
    thread.join()


def test_all_is_well(settings, front, writer):
    assert check(settings) == health.Health(ready=True, degraded=())
    assert hung_workers(settings) == ()


def test_nothing_is_there(settings):
    found = check(settings)
    assert not found.ready
    assert [reason.split(";")[0] for reason in found.degraded] == [
        "no front slot is ready",
        "the writer does not answer",
    ]
    assert hung_workers(settings) == ()


def test_a_front_without_some_of_its_workers_is_ready_but_degraded(settings, front, writer):
    front["pool"]["workers"] = [{"up": False, "hung": False}, {"up": True, "hung": True}]
    found = check(settings)
    assert found.ready
    assert [reason.split(";")[0] for reason in found.degraded] == ["worker_01 hangs", "1 of 2 workers are up"]
    assert hung_workers(settings) == (1,)


def test_a_front_that_says_something_else_is_ready_but_degraded(settings, front, writer):
    front["pool"] = "?"
    found = check(settings)
    assert found.ready
    assert "does not speak of itself" in found.degraded[0]
    assert hung_workers(settings) == ()


def test_everything_in_one_place(settings, front, writer):
    (settings.paths.journal / "a").write_bytes(b"x" * 10)
    settings.paths.database.write_bytes(b"y" * 20)
    settings.paths.database.with_name("tokenpak.db-wal").write_bytes(b"z" * 5)  # the newest rows
    found = collect(settings)
    assert found.ready
    assert found.front["pool"]["asked"] == 7
    assert found.writer == {"committed": 5}
    assert (found.journal.segments, found.journal.size_bytes, found.store_bytes) == (1, 10, 25)
    assert found.processes is None
    assert [reason.split(":")[0] for reason in found.degraded] == ["no numbers from supervisord"]


def test_what_does_not_answer_is_named_and_the_rest_is_shown(settings, monkeypatch):
    monkeypatch.setattr(health, "PROBE_S", 0.2)
    found = collect(settings)
    assert (found.ready, found.front, found.writer, found.processes) == (False, None, None, None)
    for who in ("supervisord", "the front", "the writer"):
        assert any(reason.startswith(f"no numbers from {who}") for reason in found.degraded)


def test_a_front_that_is_in_trouble_gives_no_numbers(settings):
    with serving(settings.paths.front_sock(1), lambda: Answer(500, b"{}")), pytest.raises(NoAnswer, match="500"):
        front_statistics(settings.paths, 1)


def test_a_writer_that_babbles_gives_no_numbers(settings):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.bind(f"ipc://{settings.paths.writer_sock}")

        def babble():
            peer, _ = router.recv_multipart()
            router.send_multipart([peer, b"what?"])

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(NoAnswer):
            writer_statistics(settings.paths)
        thread.join()


@pytest.mark.parametrize(
    ("target", "status"),
    [("/livez", 200), ("/readyz", 503), ("/readyz?verbose", 503), ("/statistics", 200), ("/x", 404)],
)
def test_the_answers_of_the_control_process(settings, monkeypatch, target, status):
    monkeypatch.setattr(health, "PROBE_S", 0.1)
    reply = respond(settings, target)
    assert reply.status == status
    assert isinstance(json.loads(reply.body), dict)


def test_ready_is_200(settings, front):
    reply = respond(settings, "/readyz")
    assert reply.status == 200
    assert json.loads(reply.body)["ready"] is True
