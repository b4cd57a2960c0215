import socket

from tokenpak.control.supervisor_socket import nudge


def test_nudge_connects_to_whoever_listens(tmp_path):
    path = tmp_path / "sock"
    assert not nudge(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert not nudge(path)
        listener.listen()
        assert nudge(path)
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(1) == b""
    assert not nudge(path)
