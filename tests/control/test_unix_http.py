import socket
import threading
import time

import pytest

from tokenpak.control.unix_http import Answer, NoAnswer, answer, get


@pytest.fixture
def server(tmp_path):
    """Serves one connection after the other with whatever the test gives it."""
    path = tmp_path / "sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threads = []

    def begin(serve):
        def run():
            peer, _ = listener.accept()
            with peer:
                serve(peer)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return path

    yield begin
    for thread in threads:
        thread.join(10)
    listener.close()


def respond(target):
    return Answer(200, b'{"target":"%s"}' % target.encode()) if target != "/none" else Answer(404, b"{}")


def test_both_ends_agree(server):
    assert get(server(lambda peer: answer(peer, respond, 5)), "/statistics?x=1", 5) == Answer(
        200, b'{"target":"/statistics?x=1"}'
    )
    assert get(server(lambda peer: answer(peer, respond, 5)), "/none", 5).status == 404


def test_a_large_chunked_answer_is_read_whole(server):
    body = b"x" * 300_000

    def chunked(peer):
        peer.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head + b"%x\r\n%s\r\n" % (len(body), body) + b"0\r\n\r\n")

    assert get(server(chunked), "/", 5).body == body


def test_nobody_there(tmp_path):
    with pytest.raises(NoAnswer, match="sock"):
        get(tmp_path / "sock", "/", 1)


@pytest.mark.parametrize("said", [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
def test_a_wrong_or_short_answer_is_none(server, said):
    def say(peer):
        peer.recv(65536)
        peer.sendall(said)

    with pytest.raises(NoAnswer):
        get(server(say), "/", 5)


def test_a_peer_that_drips_costs_the_deadline_and_no_more(server):
    def drip(peer):
        peer.recv(65536)
        try:
            for byte in b"HTTP/1.1 200 OK\r\n" * 20:
                peer.sendall(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass

    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        get(server(drip), "/", 0.3)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"GET / HTTP/9\r\n\r\n", b"400"),
        (b"\x00\x01\x02\r\n\r\n", b"400"),
    ],
)
def test_a_wrong_question_is_refused(server, asked, status):
    path = server(lambda peer: answer(peer, respond, 5))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(asked)
        assert client.recv(65536).split()[1] == status


def test_an_asker_that_says_nothing_is_left(server):
    path = server(lambda peer: answer(peer, respond, 0.2))
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        assert client.recv(1) == b""


def test_an_asker_that_leaves_is_no_error(server):
    path = server(lambda peer: answer(peer, respond, 5))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
