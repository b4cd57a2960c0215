"""HTTP between processes of one instance, over unix sockets: one request, one JSON answer, one connection each.

h11 on both ends, because the smallest processes of the tree speak it: http.client would cost them twice the memory.
Every exchange has one deadline, so that a peer that hangs costs its caller a known time.
"""

import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import h11
import msgspec

from tokenpak.tip.errors import Reserved, envelope

READ_BYTES = 65536
ANSWER_LIMIT_BYTES = 16 * 1024 * 1024


class NoAnswer(Exception):  # noqa: N818 named by what is the case
    """Nobody answered in time, or not in HTTP."""


class Answer(NamedTuple):
    """Status, and a body that is JSON."""

    status: int
    body: bytes


def get(path: Path, target: str, timeout_s: float) -> Answer:
    """Ask the process behind the socket `path`. Raises NoAnswer."""
    deadline = time.monotonic() + timeout_s
    connection = h11.Connection(h11.CLIENT)
    head = [("Host", "tokenpak"), ("Connection", "close")]
    question = (connection.send(h11.Request(method="GET", target=target, headers=head)) or b"") + (
        connection.send(h11.EndOfMessage()) or b""
    )
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout_s)
            peer.connect(str(path))
            peer.sendall(question)
            return _read_answer(connection, peer, deadline)
    except (OSError, h11.ProtocolError) as error:
        raise NoAnswer(f"no answer from {path.name}: {error or type(error).__name__}") from error


def answer(peer: socket.socket, respond: Callable[[str], Answer], timeout_s: float) -> None:
    """Serve one request on an accepted connection. A peer that is slow, gone or wrong gets nothing, or a 4xx."""
    deadline = time.monotonic() + timeout_s
    connection = h11.Connection(h11.SERVER)
    try:
        request = _next_event(connection, peer, deadline)
        if isinstance(request, h11.Request):
            reply = respond(request.target.decode("ascii")) if request.method == b"GET" else _only_get()
            _send(connection, peer, reply)
    except h11.RemoteProtocolError as error:
        if connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            message = f"This is no HTTP/1.1 that can be read ({error}). Send one well-formed GET."
            _send(connection, peer, refusal(error.error_status_hint, "tip.protocol.malformed-frame", message))
    except OSError:
        return  # the asker has left or hangs; there is nobody to tell


def refusal(status: int, code: Reserved, message: str) -> Answer:
    """An answer that says no, in the envelope of TIP-1.0. message: the cause, and the next step."""
    return Answer(status, msgspec.json.encode(envelope(code, message)))


def _only_get() -> Answer:
    message = "Only questions are answered here, and they come by GET. Send a GET."
    return refusal(HTTPStatus.METHOD_NOT_ALLOWED, "tip.protocol.unknown-method", message)


def _send(connection: h11.Connection, peer: socket.socket, reply: Answer) -> None:
    head = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(reply.body))),
        ("Connection", "close"),
    ]
    events = (
        h11.Response(status_code=reply.status, headers=head),
        h11.Data(data=reply.body),
        h11.EndOfMessage(),
    )
    peer.sendall(b"".join(connection.send(event) or b"" for event in events))


def _read_answer(connection: h11.Connection, peer: socket.socket, deadline: float) -> Answer:
    status, parts, size = 0, [], 0
    while True:
        event = _next_event(connection, peer, deadline)
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > ANSWER_LIMIT_BYTES:
                raise OSError("the answer does not end")
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return Answer(status, b"".join(parts))


def _next_event(connection: h11.Connection, peer: socket.socket, deadline: float) -> object:
    while (event := connection.next_event()) is h11.NEED_DATA:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline")
        peer.settimeout(left)
        connection.receive_data(peer.recv(READ_BYTES))
    return event
