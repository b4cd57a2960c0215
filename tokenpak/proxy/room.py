"""What an exchange works with, handed in by the process that serves it, and the shapes it expects of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from tokenpak.core.patch import Format
from tokenpak.ipc.events import Event
from tokenpak.services.dispatch import Compressed
from tokenpak.services.marks import Marked
from tokenpak.services.upstream import Base


class Compressing(Protocol):
    """`services.dispatch.Dispatch`, as far as an exchange needs it."""

    async def compress(self, fmt: Format, kind: str, body: bytes, client: str | None) -> Compressed:
        """The body to be sent; the same object where nothing is edited. Never raises for a body's sake."""

    def echoed(self, session: str) -> None:
        """A model repeated a marker in this conversation."""


class Marking(Protocol):
    """`services.marks.CacheMarks`, as far as an exchange needs it."""

    def place(self, body: bytes, model: str) -> Marked:
        """The body with cache marks; the same object without. Never raises for a body's sake."""


class Recording(Protocol):
    """`services.record.Recorder`, as far as an exchange needs it."""

    def record(self, event: Event) -> None:
        """Take an event. Never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class Room:
    """front: this process in the rows. upstreams: by name, as configured. now_ns: of the epoch. new_id: a UUIDv7.

    read_cap: bytes of the largest body that is read.
    """

    front: str
    upstreams: Mapping[str, Base]
    upstream: httpx.AsyncBaseTransport
    dispatch: Compressing
    marks: Marking
    recorder: Recording
    now_ns: Callable[[], int]
    new_id: Callable[[], str]
    read_cap: int
