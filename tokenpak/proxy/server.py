"""The listening side of a front: accepts connections, knows which are open, and winds them down.

Hypercorn's own `serve` is not used, because it cannot wind down the way a relay must: it closes connections on requests
that are just arriving, may wait out its whole grace period (see `protocol`), and has no way to break an answer off.
"""

import socket
from collections.abc import Sequence
from functools import partial

import msgspec
import trio
from hypercorn.config import Config

from tokenpak.proxy.connection import App, Connection

BACKLOG = 4096
"""Connections the kernel may hold while no slot accepts; the kernel's own limit may be lower."""


class ServerStatistics(msgspec.Struct, frozen=True):
    """connections: open now. accepted: since the start."""

    connections: int
    accepted: int
    draining: bool


def configuration(bind: str, keep_alive_s: float, header_limit_bytes: int) -> Config:
    """Hypercorn's settings for a relay: nothing of its own in any message, long keep-alive, room for large heads.

    bind: "host:port", "unix:PATH" or "fd://N".
    """
    config = Config()
    config.bind = [bind]
    config.umask = 0o177  # a unix socket is for its user alone
    config.backlog = BACKLOG
    config.include_date_header = False
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = None
    config.keep_alive_timeout = keep_alive_s
    config.h11_max_incomplete_size = header_limit_bytes
    config.h11_pass_raw_headers = True
    return config


class Server:
    """Serves one application on one socket. `run` returns when a drain, once begun, has nothing left to wait for."""

    def __init__(self, app: App, config: Config) -> None:
        self._app = app
        self._config = config
        self._open: set[Connection] = set()
        self._accepted = 0
        self._draining = False
        self._accepting = trio.CancelScope()

    async def run(self, *, task_status: trio.TaskStatus[Sequence[socket.socket]] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept until told to drain, then wait for the open connections. Reports the sockets once they listen."""
        sockets = self._config.create_sockets().insecure_sockets
        listeners = []
        for each in sockets:
            each.listen(self._config.backlog)
            listeners.append(trio.SocketListener(trio.socket.from_stdlib_socket(each)))
        async with trio.open_nursery() as nursery:
            with self._accepting:
                accept = partial(trio.serve_listeners, self._serve, listeners, handler_nursery=nursery)
                async with trio.open_nursery() as accepting:
                    await accepting.start(accept)
                    task_status.started(sockets)

    def drain(self) -> None:
        """Stop accepting; end every connection as soon as it has nothing under way."""
        self._draining = True
        self._accepting.cancel()
        for connection in list(self._open):
            connection.drain()

    def abort(self) -> None:
        """End every connection now."""
        for connection in list(self._open):
            connection.abort()

    def is_draining(self) -> bool:
        return self._draining

    def statistics(self) -> ServerStatistics:
        return ServerStatistics(len(self._open), self._accepted, self._draining)

    async def _serve(self, stream: trio.SocketStream) -> None:
        connection = Connection(self._app, self._config, stream, self.is_draining)
        self._accepted += 1
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
