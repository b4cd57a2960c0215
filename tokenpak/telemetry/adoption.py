"""Fronts that are gone: their journals are replayed, their open requests closed as interrupted, their files deleted.

The lock of a journal is the only witness: it is held as long as the front lives, however long it is stopped or silent. One
`step` replays one batch, so that the living are served in between. Killed anywhere, the next writer finds the journal again
and repeats what changes nothing; files go last, after everything in them is committed.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from tokenpak.ipc.event_frames import BadEventFrame, unpack_body
from tokenpak.ipc.events import Envelope
from tokenpak.services.journal import Abandoned, adopt, fronts
from tokenpak.telemetry.book import Book

SCAN_S = 1.0
BATCH = 200


class AdoptionStatistics(msgspec.Struct, frozen=True):
    """adopted: journals replayed to the end. replayed: events in them. garbled: events nobody understands, and lost.

    torn: segments that ended in bytes that were no record. trouble: why the journals cannot be read or deleted.
    """

    adopted: int
    replayed: int
    garbled: int
    torn: int
    trouble: str | None


class Adoption:
    """Looks after the journals in `directory`; call `step` often. One thread only."""

    def __init__(self, directory: Path, book: Book, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._book, self._clock = directory, book, clock
        self._scan_at = float("-inf")
        self._queue: list[bytes] = []
        self._journal: Abandoned | None = None
        self._events: Iterator[tuple[int, bytes]] = iter(())
        self._adopted = self._replayed = self._garbled = self._torn = 0
        self.trouble: str | None = None
        """Why journals cannot be read or deleted now, None if they can."""

    def step(self) -> bool:
        """Replay one batch, or look for the next journal. True if there is more to do at once."""
        try:
            if self._journal is not None:
                self._replay(self._journal)
            elif self._queue:
                self._take_up(self._queue.pop())
            elif self._clock() >= self._scan_at:
                self._scan_at = self._clock() + SCAN_S
                self._scan()
        except OSError as error:  # unreadable or undeletable; nothing is lost, and the next scan tries again
            self.trouble = error.strerror or type(error).__name__
            self.release()
        return self._journal is not None or bool(self._queue)

    def finish(self, deadline: float) -> None:
        """Adopt what can be adopted now, up to a time by the clock."""
        self._scan_at = float("-inf")
        while self._clock() < deadline and (self.step() or self._scan_at <= self._clock()):
            pass
        self.release()

    def release(self) -> None:
        """Let go of the journal at hand."""
        if self._journal is not None:
            self._journal.release()
            self._journal = None

    def statistics(self) -> AdoptionStatistics:
        return AdoptionStatistics(self._adopted, self._replayed, self._garbled, self._torn, self.trouble)

    def _scan(self) -> None:
        self._book.refresh()
        if self._book.trouble is None:
            self._queue = sorted({*fronts(self._directory), *self._book.fronts_with_open_rows()})

    def _take_up(self, front: bytes) -> None:
        self._journal = adopt(self._directory, front)
        if self._journal is not None:
            self._events = self._journal.events()

    def _replay(self, journal: Abandoned) -> None:
        batch = list(islice(self._events, BATCH))
        if batch and self._book.commit(list(self._understood(journal.front, batch))):
            self._replayed += len(batch)
        elif not batch and self._book.interrupt(journal.front):
            journal.delete()
            self.trouble = None
            self._torn += journal.torn
            self._adopted += 1
            self.release()
        else:  # the store refuses: leave the journal until it does not
            self.release()

    def _understood(self, front: bytes, batch: list[tuple[int, bytes]]) -> Iterator[Envelope]:
        for seq, body in batch:
            try:
                yield Envelope(front, seq, unpack_body(body))
            except BadEventFrame:
                self._garbled += 1
