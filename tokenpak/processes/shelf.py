"""Where the writer takes answers to be stored: a socket of its own, so that none of them stands before an event.

An answer is up to megabytes and may be lost; an event is small and may not. So answers have their own socket, whose queue
is short, and are taken between two batches of events, a few milliseconds at a time. A front that hears nothing back sends
no more.
"""

import contextlib
import time

import zmq

from tokenpak.config.settings import Settings
from tokenpak.ipc import endpoints
from tokenpak.ipc.response_frames import ROOM, TAKEN
from tokenpak.services.response_cache import ON_THE_WAY, is_wanted
from tokenpak.services.response_file import delete
from tokenpak.telemetry.response_store import ResponseStore, ResponseStoreStatistics

STEP_S = 0.02
"""How long events may wait for answers, but for the last one."""
HIGH_WATER = 2 * ON_THE_WAY
"""Messages kept in each direction. zmq counts what was read in halves, and may stop at half of it; a word that found no room
would be lost, and the front would wait for it.
"""


class Shelf:
    """Answers on their way into their file. One thread only."""

    def __init__(self, store: ResponseStore, socket: zmq.Socket[bytes]) -> None:
        self._store, self._socket = store, socket

    @property
    def socket(self) -> "zmq.Socket[bytes]":
        """To be waited for along with others."""
        return self._socket

    def step(self) -> None:
        """Take what is there, for STEP_S."""
        until = time.monotonic() + STEP_S
        while time.monotonic() < until:
            try:
                peer, *frames = self._socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                break
            for frame in frames[:1]:
                self._store.put(frame)
            self._socket.send_multipart([peer, TAKEN], flags=zmq.NOBLOCK)
        self._store.sweep()

    def statistics(self) -> ResponseStoreStatistics:
        return self._store.statistics()

    def close(self) -> None:
        self._store.close()
        self._socket.close(linger=0)


def shelf_for(settings: Settings, context: "zmq.Context[zmq.Socket[bytes]]") -> Shelf | None:
    """The shelf, where a rule wants answers kept; else None, and what was kept under an earlier configuration is gone."""
    if not is_wanted(settings.rules):
        with contextlib.suppress(OSError):  # then it stays, and nobody reads it
            delete(settings.paths.responses)
        return None
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.setsockopt(zmq.MAXMSGSIZE, settings.response_cache.max_entry_bytes + ROOM)
    endpoints.bind(socket, settings.paths.responses_sock)
    return Shelf(ResponseStore(settings.paths.responses, settings.response_cache), socket)
