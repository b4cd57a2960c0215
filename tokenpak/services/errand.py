"""One question to the workers, from asking to its only outcome.

Whoever asks waits for `settled` alone, while the errand may be in the line, in flight with a worker that dies, or answered
too late; the first outcome counts and every later one is told that it came too late.
"""

import time
from typing import Literal

import msgspec
import trio

from tokenpak.core.patch import Job, Patch

Reason = Literal["no_worker", "busy", "deadline", "died", "garbled", "refused"]
"""no_worker: none is connected that answers. busy: the line is full. deadline: no answer in time. died: the worker's
connection went, and no second worker answered for it. garbled: an answer no one can read, or none where one was due.
refused: the worker said no."""


class Answer(msgspec.Struct, frozen=True):
    """A patch. worker_ms: the work itself. queue_ms: all the rest between asking and having it."""

    patch: Patch
    queue_ms: float
    worker_ms: float


class Missed(msgspec.Struct, frozen=True):
    """No patch, and why."""

    reason: Reason


class Errand:
    """outcome is set exactly once, and `settled` with it. party: who shares the workers with others, as one. size: bytes
    of the body. avoid: the worker that died of it. due: trio's clock; expiry_ns: the machine's.
    """

    def __init__(self, job: Job, body: bytes, session: bytes, party: bytes, seconds: float) -> None:
        self.job, self.body, self.session, self.party = job, body, session, party
        self.size = len(body)
        self.started = trio.current_time()
        self.due = self.started + seconds
        self.expiry_ns = time.monotonic_ns() + int(seconds * 1e9)
        self.avoid: frozenset[int] = frozenset()
        self.outcome: Answer | Missed | None = None
        self.settled = trio.Event()

    def settle(self, outcome: Answer | Missed) -> bool:
        """False when it was settled before."""
        if self.outcome is not None:
            return False
        self.outcome = outcome
        self.body = b""  # a flight may outlast its errand by long
        self.settled.set()
        return True
