import socket
import threading

import pytest

from tokenpak.ipc.probe import LONGEST, answer_of


@pytest.fixture
def server():
    """Answers one connection with what is put here, and keeps what it was asked."""
    asked, said = [], [b""]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            peer, _ = listener.accept()
            with peer:
                asked.append(peer.recv(65536))
                peer.sendall(said[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", said, asked
        thread.join(5)


def test_the_status_and_the_beginning_of_an_answer(server):
    root, said, asked = server
    said[0] = b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    assert answer_of(f"{root}/v1", "/readyz", 5) == (503, b"x" * LONGEST)
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")


@pytest.mark.parametrize("words", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n"])
def test_what_does_not_speak_http_does_not_answer(server, words):
    root, said, _ = server
    said[0] = words
    assert answer_of(root, "/livez", 5) is None


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert answer_of(f"http://127.0.0.1:{port}", "/livez", 5) is None
