"""What an exchange works with, handed in by the process that serves it, and the shapes it expects of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from tokenpak.core.budget import Refused
from tokenpak.core.patch import Format
from tokenpak.core.recall import Asked, Kind, Stored
from tokenpak.core.redact import Verdict
from tokenpak.core.redaction_terms import Terms
from tokenpak.core.usage import Observation
from tokenpak.ipc.events import Event
from tokenpak.services import budgets
from tokenpak.services.accounts import Account, Opened, Told
from tokenpak.services.budgets import Reservation
from tokenpak.services.dispatch import Compressed
from tokenpak.services.marks import Marked
from tokenpak.services.occupancy import Full, Place
from tokenpak.services.response_cache import Ticket
from tokenpak.services.upstream import Base


class Compressing(Protocol):
    """`services.dispatch.Dispatch`, as far as an exchange needs it."""

    async def compress(self, fmt: Format, kind: str, body: bytes, client: str | None, party: str | None) -> Compressed:
        """The body to be sent; the same object where nothing is edited. Never raises for a body's sake."""

    def echoed(self, session: str) -> None:
        """A model repeated a marker in this conversation."""


class Marking(Protocol):
    """`services.marks.CacheMarks`, as far as an exchange needs it."""

    def place(self, body: bytes, model: str) -> Marked:
        """The body with cache marks; the same object without. Never raises for a body's sake."""


class Accounting(Protocol):
    """`services.accounts.Accounts`, as far as an exchange needs it."""

    def open(self, told: Told) -> Opened:
        """The account of a request whose response begins now."""

    def recalled(self, provider: str, model: str, seen: Observation) -> Account:
        """The account of a request that our own response cache answered; `seen`: when the reply came."""

    def settle(self, opened: Opened | None, provider: str, model: str, seen: Observation) -> Account:
        """The account at the end of a request that was sent."""


class Spending(Protocol):
    """`services.budgets.Budgets`, as far as an exchange needs it."""

    def reserve(self, spending: budgets.Spending) -> Reservation | Refused | None:
        """Money for a request, or why there is none; None where no budget is for it."""

    def settle(self, reservation: Reservation, cost: int | None) -> None:
        """The request has ended, for so many nano-dollars; None: nobody said."""


class Searching(Protocol):
    """`services.redaction.Redaction`, as far as an exchange needs it."""

    def terms(self, client: str | None) -> Terms:
        """What is looked for in a client's requests."""

    def search(self, fmt: Format | None, body: bytes, client: str | None) -> Verdict:
        """What becomes of a body."""


class Recalling(Protocol):
    """`services.response_cache.ResponseCache`, as far as an exchange needs it."""

    @property
    def most(self) -> int:
        """Bytes of the largest answer that is kept."""

    def wants(self, client: str | None) -> bool:
        """Whether the body of this client's request is worth a look."""

    def ask(self, kind: Kind, asked: Asked, text: bytes, client: str | None) -> Ticket | None:
        """What a request may have of the cache; None: nothing."""

    async def find(self, ticket: Ticket) -> Stored | None:
        """A stored answer, or that of the same request under way."""

    def settle(self, ticket: Ticket, answer: Stored | None) -> None:
        """The request is over; its answer, if that may be given again."""


class Counting(Protocol):
    """`services.occupancy.Occupancy`, as far as an exchange needs it."""

    def enter(self, client: str | None, session: str | None) -> Place | Full:
        """A place among the requests under way, or whose limit is reached."""

    def leave(self, place: Place) -> None:
        """The request has ended."""


class Recording(Protocol):
    """`services.record.Recorder`, as far as an exchange needs it."""

    def record(self, event: Event) -> None:
        """Take an event. Never blocks, never raises."""


@dataclass(frozen=True, slots=True)
class Room:
    """front: this process in the rows. upstreams: by name, as configured. now_ns: of the epoch. new_id: a UUIDv7.

    read_cap: bytes of the largest body that is read. tokens: the hash of each holder's token (core/admit); empty: none are
    asked for.
    """

    front: str
    upstreams: Mapping[str, Base]
    upstream: httpx.AsyncBaseTransport
    dispatch: Compressing
    marks: Marking
    accounts: Accounting
    budgets: Spending
    redaction: Searching
    responses: Recalling
    occupancy: Counting
    recorder: Recording
    now_ns: Callable[[], int]
    new_id: Callable[[], str]
    read_cap: int
    tokens: Mapping[str, str]
