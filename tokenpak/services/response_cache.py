"""Answers given again: the front's side of the response cache. Off, and without any cost, where no rule asks for it.

An answer is looked for in this process's memory, then in the file that the writer keeps; a new one goes into memory and to
the writer. It goes there by a connection of its own, into no journal, and only while the writer keeps up: an answer that
is lost is asked of the provider again, but rows may not wait for one, nor be dropped for one.

The difficulty is identical requests at the same time (`single_flight`). The first of them flies; the others wait for it,
within a bound, and get what it got. Whatever keeps it from an answer that may be given again, be it only that its client
left, lets every one of them go on by itself.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import trio

from tokenpak.config.paths import Paths
from tokenpak.core import recall
from tokenpak.core.recall import Asked, Bounds, Kind, Stored
from tokenpak.core.rules import Rule, Terms, matches, resolved
from tokenpak.ipc import endpoints
from tokenpak.ipc.response_frames import ROOM, TAKEN, pack_answer
from tokenpak.ipc.zmq_trio import Dealer, Link
from tokenpak.services import response_file
from tokenpak.services.own_key import own_key

MEMORY_BYTES = 16 * recall.MIB
"""Most that this process holds of what is in the file as well."""
ON_THE_WAY = 32
ON_THE_WAY_BYTES = 8 * recall.MIB
"""Answers that may be on their way to the writer, not acknowledged: one beyond either bound is not sent, and counted."""
FLIGHT_S = 120.0
"""Longest wait for the same request of somebody else."""

_A_PIECE, _AN_ANSWER = 64, 2048
"""Bytes that Python adds."""


class Flight:
    """A request under way whose answer others wait for."""

    def __init__(self) -> None:
        self._landed = trio.Event()
        self._answer: Stored | None = None

    def land(self, answer: Stored | None) -> None:
        """It is over. None: without an answer for anybody else."""
        self._answer = answer
        self._landed.set()

    async def wait(self) -> Stored | None:
        """What it brought; None where it brought nothing, or not in time."""
        with trio.move_on_after(FLIGHT_S):
            await self._landed.wait()
        return self._answer


class Ticket:
    """What one request may have of the cache, by its rule and its client's word. flight: the one it leads, if it does."""

    __slots__ = ("age_s", "flight", "key", "reads", "single")

    def __init__(self, key: bytes, age_s: int, *, reads: bool, single: bool) -> None:
        self.key, self.age_s, self.reads, self.single = key, age_s, reads, single
        self.flight: Flight | None = None


class ResponseCache:
    """Finds and keeps answers. An async context manager: outside of it nothing reaches the writer.

    now_ns: of the epoch.
    """

    def __init__(self, rules: Sequence[Rule], bounds: Bounds, paths: Paths, now_ns: Callable[[], int]) -> None:
        self._rules = tuple(rules)
        self._bounds, self._paths, self._now_ns = bounds, paths, now_ns
        self._on = is_wanted(rules)
        self._secret, self._key_kept = own_key(paths.responses_key) if self._on else (b"", True)
        self._held: OrderedDict[bytes, Stored] = OrderedDict()
        self._held_bytes = 0
        self._flights: dict[bytes, Flight] = {}
        self._dealer: Dealer | None = None
        self._owed: deque[int] = deque()
        names = ("hits", "misses", "waited", "kept", "sent", "unsent", "damaged")
        self._counts = Counter(dict.fromkeys(names, 0))
        self._barred: Counter[str] = Counter()

    @property
    def most(self) -> int:
        """Bytes of the largest answer that is kept."""
        return self._bounds.max_entry_bytes

    def wants(self, client: str | None) -> bool:
        """Whether the body of this client's request is worth a look: some rule may want its answer kept."""
        return any(rule.response_cache and matches(rule.client, client or "") for rule in self._rules)

    def ask(self, kind: Kind, asked: Asked, text: bytes, client: str | None) -> Ticket | None:
        """What a request may have of the cache; None: nothing, and its answer is not kept. text: its body, uncoded."""
        told = recall.read(text)
        terms = resolved(self._rules, Terms(), client, told.model if told else None)
        wish = recall.wish_of(asked.lines)
        if not terms.response_cache or not wish.store:
            return None
        bar = recall.bar(kind, told)
        if bar is not None:
            self._barred[bar] += 1
            return None
        ages = (self._bounds.max_age_s, terms.response_cache_s, wish.max_age_s)
        age_s = min(age for age in ages if age is not None)
        key = recall.key_of(asked, recall.scope_of(asked.lines, self._secret))
        return Ticket(key, age_s, reads=wish.read, single=terms.single_flight)

    async def find(self, ticket: Ticket) -> Stored | None:
        """A stored answer, or that of the same request under way. Whoever gets none asks the provider and `settle`s."""
        if not ticket.reads:
            return None
        found = self._in_memory(ticket)
        if found is None and ticket.single and ticket.key in self._flights:
            self._counts["waited"] += 1
            found = await self._flights[ticket.key].wait()
        elif found is None:
            if ticket.single:
                ticket.flight = self._flights[ticket.key] = Flight()
            found = await self._in_file(ticket)
            if found is not None:
                self._land(ticket, found)
        self._counts["misses" if found is None else "hits"] += 1
        return found

    def settle(self, ticket: Ticket, answer: Stored | None) -> None:
        """The request is over. answer: what the provider said to it, if that may be given again."""
        self._land(ticket, answer)
        if answer is not None:
            self._counts["kept"] += 1
            self._hold(answer)
            self._send(answer)

    def statistics(self) -> dict[str, object]:
        """Requests answered and not; how many waited for another; answers kept, sent to the writer, not sent for want of
        room or of a writer, found damaged; requests barred, by reason; what is held; whether the key outlives this process.
        """
        held = {"held": len(self._held), "held_bytes": self._held_bytes, "flights": len(self._flights)}
        return {"on": self._on, **self._counts, "barred": dict(self._barred), **held, "key_kept": self._key_kept}

    async def __aenter__(self) -> Self:
        self._manager = trio.open_nursery()
        self._nursery = await self._manager.__aenter__()
        if self._on:
            self._dealer = Dealer(endpoints.address(self._paths.responses_sock))
            self._nursery.start_soon(self._hear, self._dealer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._nursery.cancel_scope.cancel()
        try:
            # without the error of the body, which then comes out as it is and not as a group
            await self._manager.__aexit__(None, None, None)
        finally:
            if self._dealer is not None:
                self._dealer.close()
                self._dealer = None

    def _land(self, ticket: Ticket, answer: Stored | None) -> None:
        if ticket.flight is not None:
            ticket.flight.land(answer)
            ticket.flight = None
            del self._flights[ticket.key]

    async def _hear(self, dealer: Dealer) -> None:
        while True:
            frames = await dealer.recv()
            if frames == [TAKEN] and self._owed:
                self._owed.popleft()

    def _send(self, answer: Stored) -> None:
        """Hand an answer to the writer, or count it. A connection that was lost took what was on the way with it."""
        if self._dealer is None:
            return
        if Link.DISCONNECTED in self._dealer.links_nowait():
            self._owed.clear()
        frame = pack_answer(answer)
        room = len(self._owed) < ON_THE_WAY and sum(self._owed) + len(frame) <= ON_THE_WAY_BYTES
        fits = (room or not self._owed) and len(frame) <= self._bounds.max_entry_bytes + ROOM
        sent = fits and self._dealer.send_nowait([frame])
        self._counts["sent" if sent else "unsent"] += 1
        if sent:
            self._owed.append(len(frame))

    def _in_memory(self, ticket: Ticket) -> Stored | None:
        found = self._held.get(ticket.key)
        if found is None or not recall.is_fresh(found, ticket.age_s, self._now_ns()):
            return None
        self._held.move_to_end(ticket.key)
        return found

    async def _in_file(self, ticket: Ticket) -> Stored | None:
        """What the file holds; what is damaged is as good as not there."""
        try:
            found = await trio.to_thread.run_sync(
                response_file.find, self._paths.responses, ticket.key, abandon_on_cancel=True
            )
        except response_file.Unreadable:
            self._counts["damaged"] += 1
            return None
        if found is None or not recall.is_fresh(found, ticket.age_s, self._now_ns()):
            return None
        self._hold(found)
        return found

    def _hold(self, answer: Stored) -> None:
        self._drop(answer.key)
        self._held[answer.key] = answer
        self._held_bytes += _weight(answer)
        while self._held_bytes > min(MEMORY_BYTES, self._bounds.max_bytes):
            self._drop(next(iter(self._held)))

    def _drop(self, key: bytes) -> None:
        old = self._held.pop(key, None)
        self._held_bytes -= _weight(old) if old is not None else 0


def is_wanted(rules: Sequence[Rule]) -> bool:
    """Whether any rule turns the cache on."""
    return any(rule.response_cache for rule in rules)


def _weight(answer: Stored) -> int:
    return answer.size + _A_PIECE * len(answer.pieces) + _AN_ANSWER
