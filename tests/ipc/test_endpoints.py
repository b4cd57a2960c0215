"""Addresses, and sockets nobody else may open."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tokenpak.ipc.endpoints import LONGEST_PATH, address, bind


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tp-") as name:
        yield Path(name)


def test_an_address():
    assert address(Path("/run/tp/w00.sock")) == "ipc:///run/tp/w00.sock"


def test_a_path_too_long_is_refused_with_both_numbers():
    fits = Path("/" + "x" * (LONGEST_PATH - 1))
    assert address(fits) == f"ipc://{fits}"
    with pytest.raises(ValueError, match=f"{LONGEST_PATH + 1} bytes.*{LONGEST_PATH}"):
        address(Path(f"{fits}x"))


def test_the_bound_counts_bytes():
    with pytest.raises(ValueError, match="bytes"):
        address(Path("/" + "ü" * 60))


def test_a_relative_path_is_refused():
    with pytest.raises(ValueError, match="absolute"):
        address(Path("w00.sock"))


def test_the_longest_path_can_be_bound(directory):
    path = directory / ("x" * (LONGEST_PATH - len(str(directory)) - 1))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        bind(socket, path)
        assert path.is_socket()


def test_a_bound_socket_is_the_users_alone_and_the_umask_is_as_before(directory):
    before = os.umask(0)
    try:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
            bind(socket, directory / "a.sock")
            assert stat.S_IMODE((directory / "a.sock").stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_the_umask_is_as_before_when_binding_fails(directory):
    before = os.umask(0o022)
    try:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as socket, pytest.raises(zmq.ZMQError):
            bind(socket, directory / "nowhere" / "a.sock")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_what_a_dead_process_left_is_replaced(directory):
    path = directory / "a.sock"
    with zmq.Context() as context, context.socket(zmq.ROUTER) as first:
        bind(first, path)
        os.link(path, directory / "kept")
    os.rename(directory / "kept", path)  # noqa: PTH104 the socket file outlives its socket
    with zmq.Context() as context, context.socket(zmq.ROUTER) as second:
        bind(second, path)
