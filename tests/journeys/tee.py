"""A wire tap between a client and the service: passes every byte both ways and keeps what the client sent."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import h11


@dataclass
class Sent:
    """A request as the client sent it."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def upgrades(self) -> bool:
        return any(name.lower() == b"upgrade" for name, _ in self.headers)


@dataclass
class Tee:
    """Listens on a port of its own; `requests` parses what came in on all connections."""

    port: int
    _streams: list[bytearray] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[Sent]:
        return [request for stream in self._streams for request in _parsed(bytes(stream))]

    def _carry(self, client: socket.socket, target: int) -> None:
        kept = bytearray()
        self._streams.append(kept)
        with client, socket.create_connection(("127.0.0.1", target)) as server:
            back = threading.Thread(target=_pump, args=(server, client, None), daemon=True)
            back.start()
            _pump(client, server, kept)
            back.join()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            if kept is not None:
                kept += data
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _parsed(data: bytes) -> Iterator[Sent]:
    """The requests of one connection; the other side's answers are made up so that the parser goes on."""
    state = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    state.receive_data(data)
    request, body = None, bytearray()
    while True:
        event = state.next_event()
        if isinstance(event, h11.Request):
            request, body = event, bytearray()
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            headers = list(request.headers.raw_items())
            sent = Sent(request.method.decode(), request.target.decode(), headers, bytes(body))
            yield sent
            if sent.upgrades:
                return
            state.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            state.send(h11.EndOfMessage())
            if state.our_state is not h11.DONE:
                return
            state.start_next_cycle()
        elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
            return


@contextlib.contextmanager
def tapped(target: int) -> Iterator[Tee]:
    """A tee before a port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        tee = Tee(listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=tee._carry, args=(client, target), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield tee
        listener.shutdown(socket.SHUT_RDWR)
