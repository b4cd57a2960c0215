"""The writer: takes the events of all fronts and is the only process that writes the store.

A ROUTER socket, one batch at a time, and an acknowledgement for each event once it is committed, never before. Whatever
dies on the way, a front still has what was not acknowledged, in its memory or in its journal. A store that cannot be
written makes the writer go on without acknowledging, so that it can say what is wrong; the events stay where they are.

The work runs in a thread of its own: a stop arrives in the main thread as an exception, at any point, and the middle of a
commit is none for it. The thread looks between two batches whether it is to end.
"""

import math
import os
import threading
import time
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor, wait

import msgspec
import structlog
import zmq

from tokenpak.config.paths import Paths
from tokenpak.config.settings import Settings, read_settings
from tokenpak.ipc import endpoints
from tokenpak.ipc.event_frames import (
    MAX_EVENTS,
    STATISTICS_REQUEST,
    BadEventFrame,
    pack_ack,
    pack_statistics,
    unpack_body,
    unpack_event,
)
from tokenpak.ipc.events import Envelope
from tokenpak.processes.lifecycle import Exit, Stop, stop_by_exception
from tokenpak.processes.logs import write_log_to_stderr
from tokenpak.processes.shelf import Shelf, shelf_for
from tokenpak.telemetry.adoption import Adoption, AdoptionStatistics
from tokenpak.telemetry.book import Book, BookStatistics
from tokenpak.telemetry.response_store import ResponseStoreStatistics
from tokenpak.telemetry.retention import Keep, Retention, RetentionStatistics

BATCH = 200
"""Most events in one transaction. It is committed once another whole message might not fit."""

BATCH_S = 0.05
"""An event waits at most this long for others to be committed with."""

IDLE_S = 0.1
"""Longest sleep: how late a stop can be."""

DRAIN_S = 5.0
"""For what is queued at the end, and for what the fronts left in their journals a moment ago."""

QUIET_MS = 100
"""At the end: nothing more is on its way to the socket once nothing came for so long."""

FLUSH_MS = 500
"""How long the last acknowledgements may take to leave."""

HIGH_WATER = 1000
MAX_FRAME_BYTES = 1 << 17

log = structlog.get_logger(__name__)


class WriterStatistics(msgspec.Struct, frozen=True):
    """What a statistics message holds. Counts since the start.

    queued: events received and not committed yet. garbled: messages, or events in them, that nobody understands.
    withheld: events not acknowledged because the store refused. degraded: why it does at present, else None. responses: of
    stored answers, None where no rule wants any.
    """

    pid: int
    received: int
    queued: int
    garbled: int
    withheld: int
    degraded: str | None
    book: BookStatistics
    adoption: AdoptionStatistics
    retention: RetentionStatistics
    responses: ResponseStoreStatistics | None = None


class Writer:
    """Between the socket and the store. One thread only."""

    def __init__(self, paths: Paths, keep: Keep, socket: zmq.Socket[bytes], shelf: Shelf | None = None) -> None:
        self._socket, self._shelf = socket, shelf
        self._poller = zmq.Poller()
        for each in (socket, *([shelf.socket] if shelf else [])):
            self._poller.register(each, zmq.POLLIN)
        self._book = Book(paths.database)
        self._adoption = Adoption(paths.journal, self._book)
        self._retention = Retention(keep)
        self._queue: list[Envelope] = []
        self._owed: list[tuple[bytes, bytes, int]] = []
        self._flush_at = 0.0
        self._received = self._garbled = self._withheld = 0
        self._told: str | None = None

    def run(self, stopping: threading.Event) -> None:
        """Take events until told to stop, then finish what is there, within DRAIN_S."""
        more = True
        while not stopping.is_set():
            self._wait(0 if more else IDLE_S)
            self._receive()
            if self._full() or time.monotonic() >= self._flush_at:
                self._flush()
            more = self._adoption.step()
            if not self._queue:
                self._book.trim(self._retention)
                self._take_answers()
            self._tell()
        self._drain(time.monotonic() + DRAIN_S)

    def statistics(self) -> WriterStatistics:
        return WriterStatistics(
            pid=os.getpid(),
            received=self._received,
            queued=len(self._queue),
            garbled=self._garbled,
            withheld=self._withheld,
            degraded=self._degraded(),
            book=self._book.statistics(),
            adoption=self._adoption.statistics(),
            retention=self._retention.statistics(),
            responses=self._shelf.statistics() if self._shelf else None,
        )

    def _wait(self, longest: float) -> None:
        until_flush = self._flush_at - time.monotonic() if self._owed else longest
        self._poller.poll(max(0, math.ceil(min(longest, until_flush) * 1000)))

    def _take_answers(self) -> None:
        if self._shelf is not None:
            self._shelf.step()

    def _receive(self) -> None:
        while not self._full():
            try:
                peer, *frames = self._socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return
            if frames == [STATISTICS_REQUEST]:
                self._socket.send_multipart([peer, pack_statistics(self.statistics())], flags=zmq.NOBLOCK)
                continue
            self._garbled += not frames or len(frames) > MAX_EVENTS
            for frame in frames[:MAX_EVENTS]:
                self._take(peer, frame)

    def _full(self) -> bool:
        return len(self._owed) > BATCH - MAX_EVENTS

    def _take(self, peer: bytes, frame: bytes) -> None:
        self._received += 1
        try:
            front, seq, body = unpack_event(frame)
        except BadEventFrame:
            self._garbled += 1
            return
        if not self._owed:
            self._flush_at = time.monotonic() + BATCH_S
        self._owed.append((peer, front, seq))
        try:
            self._queue.append(Envelope(front, seq, unpack_body(body)))
        except BadEventFrame:  # acknowledged nevertheless: it would come again for ever
            self._garbled += 1

    def _flush(self) -> None:
        if not self._queue or self._book.commit(self._queue):
            self._acknowledge()
        else:
            self._withheld += len(self._queue)
        self._queue.clear()
        self._owed.clear()

    def _acknowledge(self) -> None:
        seqs: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
        for peer, front, seq in self._owed:
            seqs[peer, front].append(seq)
        for (peer, front), numbers in seqs.items():
            # A peer that is gone or does not read loses it, and asks again by sending again.
            self._socket.send_multipart([peer, pack_ack(front, numbers)], flags=zmq.NOBLOCK)

    def _tell(self) -> None:
        degraded = self._degraded()
        if degraded != self._told:
            self._told = degraded
            log.warning("events are not stored and wait", why=degraded) if degraded else log.info(
                "events are stored again"
            )

    def _degraded(self) -> str | None:
        return self._book.trouble or self._adoption.trouble

    def _drain(self, deadline: float) -> None:
        while time.monotonic() < deadline and (self._socket.poll(QUIET_MS) or self._owed):
            self._receive()
            self._flush()
        self._adoption.finish(deadline)
        self._book.close()


def main() -> int:
    """Write the store of the state directory that the environment names, until told to stop."""
    stopping = threading.Event()
    work: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as thread:
        try:
            stop_by_exception()
            write_log_to_stderr()
            work = thread.submit(serve, read_settings(os.environ), stopping)
            while not work.done():
                # A signal may be taken by another thread; the handler then runs when this one wakes up by itself.
                wait([work], timeout=IDLE_S)
        except Stop:
            log.info("writer stops")
        finally:
            stopping.set()
    if work is not None:
        work.result()
    return Exit.DONE


def serve(settings: Settings, stopping: threading.Event) -> None:
    """Migrate the store, then bind the socket, then write until `stopping`."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    shelf: Shelf | None = None
    try:
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        shelf = shelf_for(settings, context)
        writer = Writer(settings.paths, Keep(settings.keep_days, settings.keep_bytes), socket, shelf)
        endpoints.bind(socket, settings.paths.writer_sock)
        writer.run(stopping)
    finally:
        if shelf is not None:
            shelf.close()
        socket.close(linger=FLUSH_MS)
        context.term()
