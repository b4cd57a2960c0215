"""A zmq DEALER that trio tasks can wait on. The only file where zmq and trio meet.

zmq hands out one file descriptor a socket, and that descriptor is edge-triggered: it becomes readable when commands are
waiting for the socket, not while messages are. Any call on the socket, a send above all, takes those commands and with
them the edge, after which a task that waits on the descriptor would sleep although a message is there. The rule here:

* look at EVENTS before waiting; nothing can happen between that look and the wait, trio switches tasks only in `await`;
* look at EVENTS after every send, and wake the reader when a message is there.

So zmq's own bounded queue is the only queue, and exactly one task reads a socket (a second one gets BusyResourceError).
Task ownership: nothing here starts a task. `recv` belongs to one task of the caller, `wait_links` to one task, possibly
another; `send_nowait`, `links_nowait` and `close` never wait and may be called from any task of the trio thread.

Connections come and go below a DEALER. A socket monitor tells: CONNECTED after the zmq handshake, DISCONNECTED as soon as
the kernel closes the peer's end (milliseconds after a kill -9). With IMMEDIATE set, messages go only to a finished
connection, so `send_nowait` says False at once when nobody is there, and nothing is kept for a peer that restarts. What
was handed over in the instants around a death is lost without a word; DISCONNECTED is the word. IMMEDIATE has a price:
the peer must send messages of one frame (docs/decisions/003-one-frame-answers.md).
"""

from collections.abc import Sequence
from enum import Enum
from types import TracebackType
from typing import Self

import msgspec
import trio
import zmq
from zmq.utils.monitor import parse_monitor_message

HIGH_WATER = 64
"""Messages a socket keeps in each direction; zmq may stop at half of it, as it counts what was read in halves.
Credits (ipc/credit.py) keep jobs far below."""

RECONNECT_MS = 20
"""A restarted worker needs 200 ms to come up; asking for it 50 times a second costs nothing measurable."""

MAX_FRAME_BYTES = 128 << 20
"""Longest frame accepted; a peer that sends more is disconnected. Twice the front's reading cap."""

_WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class Link(Enum):
    """What a monitor tells about the connection below a socket."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


_LINKS = {zmq.Event.HANDSHAKE_SUCCEEDED: Link.CONNECTED, zmq.Event.DISCONNECTED: Link.DISCONNECTED}


class DealerStatistics(msgspec.Struct, frozen=True):
    """Counts since the socket was opened. unsent: sends refused because no peer or no room was there."""

    sent: int
    unsent: int
    received: int
    connects: int
    disconnects: int


class _Reader:
    """Waits until one zmq socket holds a message. One waiting task at a time."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._descriptor = socket.fileno()
        self._nap: trio.CancelScope | None = None

    def ready(self) -> bool:
        if self._socket.closed:
            raise trio.ClosedResourceError
        return bool(_events(self._socket) & zmq.POLLIN)

    async def wait(self) -> None:
        """Return when a message is there. Raises trio.ClosedResourceError once the socket is closed."""
        if self._nap is not None:
            raise trio.BusyResourceError("another task already reads this socket")
        if self.ready():
            await trio.lowlevel.checkpoint()
            return
        while True:  # sleep first: returning on a second look would let a cancelled task take a message
            await self._sleep()
            if self.ready():
                return

    async def _sleep(self) -> None:
        self._nap = trio.CancelScope()
        try:
            with self._nap:
                await trio.lowlevel.wait_readable(self._descriptor)
        finally:
            self._nap = None

    def wake(self) -> None:
        """Wake the waiting task if a call on the socket has swallowed the edge it waits for."""
        if self._nap is not None and self.ready():
            self._nap.cancel()

    def close(self) -> None:
        if not self._socket.closed:
            trio.lowlevel.notify_closing(self._descriptor)
            self._socket.close(linger=0)


class Dealer:
    """One connection of ours to a peer that binds a ROUTER. Use as a context manager, inside trio.

    The context is the process's one zmq context. Closing drops what was not sent and never waits.
    """

    def __init__(self, address: str) -> None:
        self._socket = _socket_for(address)
        self._monitor = self._socket.get_monitor_socket(_WATCHED)
        self._messages = _Reader(self._socket)
        self._links = _Reader(self._monitor)
        self._sent = self._unsent = self._received = self._connects = self._disconnects = 0
        self._socket.connect(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send_nowait(self, frames: Sequence[bytes]) -> bool:
        """Hand a message to zmq. False, and nothing sent, without a finished connection or room in its queue."""
        try:
            if not self._writable():
                self._unsent += 1
                return False
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
        finally:
            self._messages.wake()
        self._sent += 1
        return True

    def _writable(self) -> bool:
        # zmq looks at its commands at most once a millisecond while sending, so a send right after CONNECTED may not see
        # the connection yet. EVENTS always looks.
        if self._socket.closed:
            raise trio.ClosedResourceError
        return bool(_events(self._socket) & zmq.POLLOUT)

    async def recv(self) -> list[bytes]:
        """The next message. One task only. Raises trio.ClosedResourceError once closed."""
        while True:
            await self._messages.wait()
            try:
                frames = self._socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:  # the connection went between the look and the read
                continue
            self._received += 1
            return frames

    def links_nowait(self) -> list[Link]:
        """What happened to the connection since last asked, oldest first. Every change is told once."""
        links: list[Link] = []
        while self._links.ready():
            event = zmq.Event(parse_monitor_message(self._monitor.recv_multipart(flags=zmq.NOBLOCK))["event"])
            if event in _LINKS:
                links.append(_LINKS[event])
        self._connects += links.count(Link.CONNECTED)
        self._disconnects += links.count(Link.DISCONNECTED)
        return links

    async def wait_links(self) -> list[Link]:
        """Like `links_nowait`, once at least one event may be there (possibly none). One task only."""
        await self._links.wait()
        return self.links_nowait()

    def close(self) -> None:
        """Close both sockets; waiting tasks get trio.ClosedResourceError. May be called twice."""
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._links.close()
        self._messages.close()

    def statistics(self) -> DealerStatistics:
        return DealerStatistics(self._sent, self._unsent, self._received, self._connects, self._disconnects)


def _events(socket: zmq.Socket[bytes]) -> int:
    return int(socket.getsockopt(zmq.EVENTS))


def _socket_for(address: str) -> zmq.Socket[bytes]:
    if not address.startswith("ipc://"):
        raise ValueError(f"only ipc:// addresses are spoken here, not {address}")
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    return socket
