"""Addresses of the local sockets, and binding one that only its user may open.

Request bodies cross these sockets. The directory is private (config/paths.py), and the socket itself is so too from the
moment it exists: the file is made under a umask, not changed afterwards.
"""

import os
from pathlib import Path
from typing import Protocol

LONGEST_PATH = 107
"""Bytes in a unix socket path on Linux; libzmq refuses more with a message that names neither path nor bound."""

_PRIVATE = 0o177


class Bindable(Protocol):
    """What binding needs of a zmq socket."""

    def bind(self, addr: str, /) -> object:
        """Bind to an address."""


def address(path: Path) -> str:
    """The zmq address of a socket path. Raises ValueError for a path too long or relative."""
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise ValueError(f"socket path of {length} bytes, at most {LONGEST_PATH} fit: {path}")
    if not path.is_absolute():
        raise ValueError(f"socket path must be absolute: {path}")
    return f"ipc://{path}"


def bind(socket: Bindable, path: Path) -> None:
    """Bind a socket at `path`, mode 0600. Call it before the process has threads that create files.

    Replaces a socket that a dead process left; the caller holds the name (processes/claims.py), so none is alive.
    """
    before = os.umask(_PRIVATE)
    try:
        socket.bind(address(path))
    finally:
        os.umask(before)
