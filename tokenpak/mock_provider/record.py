"""What the mock received: method, target, headers and body of the last requests, as they came off the wire.

Bounded twice, by requests and by bytes of their bodies; what had to go is counted. Tests compare these records with
what a client sent, so nothing in them is normalised: header names keep their case, bodies their content coding.
"""

import base64
import hashlib
from collections import deque
from typing import Any

import msgspec

REQUESTS_KEPT = 2000
BYTES_KEPT = 256 * 2**20


class Received(msgspec.Struct):
    """One request. ended: how its answer ended: "done", "cut" (by a fault), "client_gone"; None while it goes on."""

    seq: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    status: int | None = None
    ended: str | None = None


class Statistics(msgspec.Struct, frozen=True):
    """Requests received; those still in the record, and the bytes of their bodies; those dropped from it for room."""

    received: int
    kept: int
    bytes_kept: int
    dropped: int


class Record:
    """The last requests, oldest first."""

    def __init__(self, requests: int = REQUESTS_KEPT, size: int = BYTES_KEPT) -> None:
        self._kept: deque[Received] = deque()
        self._requests, self._size = requests, size
        self._bytes = self._seq = self._dropped = 0

    def add(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Received:
        """Keep a request; the oldest ones make room for it. A body larger than the bound is dropped with its request."""
        self._seq += 1
        received = Received(self._seq, method, target, headers, body)
        self._kept.append(received)
        self._bytes += len(body)
        while self._kept and (len(self._kept) > self._requests or self._bytes > self._size):
            self._bytes -= len(self._kept.popleft().body)
            self._dropped += 1
        return received

    def since(self, seq: int) -> list[Received]:
        """The requests after number `seq`, oldest first."""
        return [received for received in self._kept if received.seq > seq]

    def one(self, seq: int) -> Received | None:
        """Request number `seq`, if it is still kept."""
        return next((received for received in self._kept if received.seq == seq), None)

    def clear(self) -> None:
        """Forget the requests; numbers go on."""
        self._kept.clear()
        self._bytes = 0

    def statistics(self) -> Statistics:
        """Counts for the admin path."""
        return Statistics(self._seq, len(self._kept), self._bytes, self._dropped)


def summary(received: Received) -> dict[str, Any]:
    """A request without its body."""
    return {
        "seq": received.seq,
        "method": received.method,
        "target": received.target,
        "headers": received.headers,
        "size": len(received.body),
        "sha256": hashlib.sha256(received.body).hexdigest(),
        "status": received.status,
        "ended": received.ended,
    }


def entry(received: Received) -> dict[str, Any]:
    """A request with its body in base64."""
    return {**summary(received), "body": base64.b64encode(received.body).decode()}
