"""The front's side of recording: every event goes to the journal, to the writer, and is kept until the writer has it.

`record` is called in the middle of requests: it never waits and never raises. What the writer has not acknowledged is held
in a bounded window in memory and sent again when the connection is new or a second has passed; what does not fit waits in
the journal alone and is read back as the window drains. Only when the disk refuses as well is an event dropped, and counted.
The difficulty is to have each event in exactly one of these places: an event that is spilled to the journal makes every
later journalled one spill too, so that reading the journal from the first spilled event on finds all of them.

Acknowledgements come per event, never "up to here": messages in flight are lost when a writer dies, whatever came after them.
"""

from collections import deque
from itertools import islice
from types import TracebackType
from typing import Self

import msgspec
import trio

from tokenpak.config.paths import Paths
from tokenpak.ipc.event_frames import MAX_EVENTS, BadEventFrame, pack_body, pack_event, unpack_ack, unpack_event
from tokenpak.ipc.events import Event
from tokenpak.ipc.zmq_trio import Dealer, Link
from tokenpak.services.journal import Journal, Place

WINDOW_BYTES = 1 << 20
"""Journalled events kept in memory for sending, a few thousand. Beyond this they wait on disk."""
MEMORY_BYTES = 8 << 20
"""The window's bound for events the disk refused. Beyond this they are dropped, and counted."""
RESEND_S = 1.0
"""An event not acknowledged for this long is sent again."""
PROBE = 16
"""Most events sent again while nothing comes back at all: a writer that cannot commit is asked, not flooded."""
GATHER_S = 0.01
"""Events are sent in bursts this far apart. Waking zmq for each one costs more than all the rest of recording it."""
BURST = 4
"""Most messages in a burst: no request waits longer than about a millisecond for it."""
SETTLE_S = 2.0
"""Longest wait for the last acknowledgements at the end. What is left then is on disk."""


class RecorderStatistics(msgspec.Struct, frozen=True):
    """Counts since the start, but for pending and spilled.

    recorded: events taken. sent: events handed to the connection, resent among them. acked: events the writer has.
    pending: not acknowledged yet; spilled: those of them that wait in the journal alone. dropped: lost, nowhere left to put
    them. garbled: messages from the writer that made no sense. journal_trouble: why the disk refuses, None if it does not.
    """

    recorded: int
    sent: int
    resent: int
    acked: int
    pending: int
    spilled: int
    dropped: int
    garbled: int
    connected: bool
    journal_ok: bool
    journal_trouble: str | None


class _Pending:
    """An event in the window. segment: where the journal has it, None if it has not. sent: when, None if it must be."""

    __slots__ = ("frame", "segment", "sent")

    def __init__(self, frame: bytes, segment: int | None) -> None:
        self.frame, self.segment = frame, segment
        self.sent: float | None = None


class Recorder:
    """Use as an async context manager; `record` in between. `front`: 16 bytes, new at every start of the process."""

    def __init__(self, paths: Paths, front: bytes) -> None:
        self._address = f"ipc://{paths.writer_sock}"
        self._front = front
        self._journal = Journal(paths.journal, front)
        self._window: dict[int, _Pending] = {}
        self._window_bytes = 0
        self._unsent: deque[int] = deque()
        self._spilled = 0
        self._spilled_from = Place(0, 0)
        self._seq = self._sent = self._resent = self._acked = self._dropped = self._garbled = 0
        self._acked_at_resend = 0
        self._connected = False
        self._more = trio.Event()
        self._settled = trio.Event()

    def record(self, event: Event) -> None:
        """Take one event. Never waits, never raises."""
        self._seq += 1
        try:
            body = pack_body(event)
        except (TypeError, ValueError):  # an event of the wrong shape is our fault, and no request's
            self._dropped += 1
            return
        place = self._journal.append(self._seq, body)
        if place is None:
            if self._window_bytes >= MEMORY_BYTES:
                self._dropped += 1
                return
        elif self._spilled or self._window_bytes >= WINDOW_BYTES:
            self._spill(place)
            return
        self._hold(self._seq, body, place.segment if place else None)
        self._wake()

    def statistics(self) -> RecorderStatistics:
        return RecorderStatistics(
            recorded=self._seq,
            sent=self._sent,
            resent=self._resent,
            acked=self._acked,
            pending=len(self._window) + self._spilled,
            spilled=self._spilled,
            dropped=self._dropped,
            garbled=self._garbled,
            connected=self._connected,
            journal_ok=self._journal.trouble is None,
            journal_trouble=self._journal.trouble,
        )

    async def __aenter__(self) -> Self:
        self._dealer = Dealer(self._address)
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        self._start(self._nursery)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nursery.cancel_scope.cancel()
        try:
            # Without the error of the body, which then comes out as it is and not as a group.
            await self._manager.__aexit__(None, None, None)
        finally:
            try:
                await self._settle()
            finally:
                self._connected = False
                self._dealer.close()
                self._journal.close()

    def _start(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._hear)
        nursery.start_soon(self._tend)
        nursery.start_soon(self._send)

    async def _settle(self) -> None:
        # Whoever ends us may be cancelled already; the last events are worth a bounded wait if a writer is there.
        with trio.move_on_after(SETTLE_S, shield=True):
            async with trio.open_nursery() as nursery:
                self._start(nursery)
                while self._connected and (self._window or self._spilled):
                    self._settled = trio.Event()
                    await self._settled.wait()
                nursery.cancel_scope.cancel()

    # Places an event can be in

    def _hold(self, seq: int, body: bytes, segment: int | None) -> None:
        pending = _Pending(pack_event(self._front, seq, body), segment)
        self._window[seq] = pending
        self._window_bytes += len(pending.frame)
        self._unsent.append(seq)

    def _spill(self, place: Place) -> None:
        if not self._spilled:
            self._spilled_from = place
        self._spilled += 1

    def _unspill(self) -> None:
        """Read spilled events back while the window has room. A journal that cannot be read is left to the writer."""
        if not self._can_unspill():
            return
        try:
            records, self._spilled_from = self._journal.read(self._spilled_from, BURST * MAX_EVENTS)
        except OSError:  # asked again later; the writer finds the events when this process ends
            return
        self._spilled = self._spilled - len(records) if records else 0
        for record in records:
            self._hold(record.seq, record.body, record.segment)

    def _can_unspill(self) -> bool:
        return self._spilled > 0 and self._window_bytes <= WINDOW_BYTES // 2

    def _journal_again(self) -> None:
        """Put on disk what the disk refused before. Not while events are spilled: they would be read back twice."""
        if self._spilled:
            return
        for seq, pending in self._window.items():
            if pending.segment is None:
                place = self._journal.append(seq, unpack_event(pending.frame)[2])
                if place is None:
                    break
                pending.segment = place.segment

    def _let_go(self, seq: int) -> None:
        pending = self._window.pop(seq, None)
        if pending is None:  # acknowledged before, and sent twice
            return
        self._acked += 1
        self._window_bytes -= len(pending.frame)
        if pending.segment is not None:
            self._journal.acknowledge(pending.segment)

    # Sending and hearing

    async def _send(self) -> None:
        while True:
            await self._more.wait()
            await trio.sleep(GATHER_S)
            self._unspill()
            for _ in range(BURST):
                if not self._send_some():
                    break
            if not (self._connected and (self._unsent or self._can_unspill())):
                self._more = trio.Event()

    def _wake(self) -> None:
        if self._connected:
            self._more.set()

    def _send_some(self) -> bool:
        """Send one message. False when there is nothing to send, or nobody to take it."""
        seqs = list(islice(self._unsent, MAX_EVENTS))
        burst = [pending for pending in map(self._window.get, seqs) if pending is not None]
        if not self._connected or not seqs or (burst and not self._dealer.send_nowait([p.frame for p in burst])):
            return False
        now = trio.current_time()
        for pending in burst:
            pending.sent = now
        for _ in seqs:
            self._unsent.popleft()
        self._sent += len(burst)
        return True

    def _resend(self, older_than: float, limit: int) -> None:
        due = (seq for seq, pending in self._window.items() if pending.sent is not None and pending.sent <= older_than)
        for seq in islice(due, limit):
            self._window[seq].sent = None
            self._unsent.append(seq)
            self._resent += 1

    async def _hear(self) -> None:
        while True:
            frames = await self._dealer.recv()
            try:
                front, seqs = unpack_ack(frames[0]) if len(frames) == 1 else (b"", ())
            except BadEventFrame:
                front, seqs = b"", ()
            if front != self._front:
                self._garbled += 1
                continue
            for seq in seqs:
                self._let_go(seq)
            if self._can_unspill():
                self._wake()
            if not self._window:
                self._settled.set()

    async def _tend(self) -> None:
        last = trio.current_time()
        while True:
            links: list[Link] = []
            with trio.move_on_after(RESEND_S):
                links = await self._dealer.wait_links()
            now = trio.current_time()
            if links:
                self._connected = links[-1] is Link.CONNECTED
            if Link.CONNECTED in links:
                self._resend(now, len(self._window))
            elif now - last >= RESEND_S:
                last = now
                self._resend(now - RESEND_S, PROBE if self._acked == self._acked_at_resend else len(self._window))
                self._acked_at_resend = self._acked
                self._journal_again()
            self._wake()
