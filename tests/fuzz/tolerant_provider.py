"""The embedded provider for hostile bodies: what it cannot read it refuses, as a real one does, where it would fail itself.

Run as a program: it prints its address in one JSON line.
"""

import contextlib
import json
import sys
import time

import trio

from tokenpak.mock_provider import server
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.record import Received
from tokenpak.mock_provider.reply import Reply, Request, plain

UNREAD = b'{"type":"error","error":{"type":"invalid_request_error","message":"this cannot be read"}}'


class Tolerant(Provider):
    def receive(self, request: Request) -> tuple[Reply, Received]:
        try:
            return super().receive(request)
        except Exception:  # noqa: BLE001 whatever a hostile body led to
            return plain(400, UNREAD), self.record.add(request.method, request.target, request.headers, b"")


async def main() -> None:
    serving = server.Server(Tolerant(time.monotonic))

    async def connection(stream: trio.SocketStream) -> None:
        with contextlib.suppress(Exception):  # an answer that fails on its way ends its connection alone
            await serving.connection(stream)

    listeners = await server.listen(0)
    port = listeners[0].socket.getsockname()[1]
    sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    await trio.serve_listeners(connection, listeners)


if __name__ == "__main__":
    trio.run(main)
