"""Cache marks as a step of a request: what earlier requests prove about this one, and the request with its marks.

A mark pays only if the conversation goes on within five minutes. What proves that is kept here, in this process alone: the
hash of every request's end, and whether the request after it came in time; and, by the ledger's rules, the entries that
should now lie in the provider's cache. All of it is bounded, and none of it decides anything but marks: lost with a
restart, it costs each conversation one turn without marks, and is learned again.

The plan memory (services/memory.py) does not serve: it says that blocks were sent once, maybe days ago, and only for
conversations long enough to be compressed.

The difficulty is a conversation whose requests are not continued by the next: forks, clients that put a passing
note at the end. A request that leaves the line of the last one starts a line of its own, with that miss on its account.
"""

import time
from collections.abc import Callable

import msgspec

from tokenpak.core.body import Unreadable
from tokenpak.core.breakpoints import LIFE, Decision, Evidence, NotProved, Terms, decide, marked
from tokenpak.core.ledger import LIFE_S, PRICES, Entry, Prices, minimum_of
from tokenpak.core.places import Layout, Place, lay_out, seems_covered
from tokenpak.services.newest import Newest

ENDS = 8192
"""Ends of requests kept, the latest ones; some 200 bytes each."""
ENTRIES = 16_384
"""Entries believed to be in caches; some 200 bytes each."""
ELEMENTS = 16_384
"""Elements of requests known again; some 300 bytes for each of their blocks."""


class Marked(msgspec.Struct, frozen=True):
    """A body to be sent. body: the same object without marks. places: of which of its `blocks` blocks carry one of ours."""

    body: bytes
    places: tuple[int, ...] = ()
    blocks: int = 0

    @property
    def marks(self) -> int:
        """How many of ours it carries."""
        return len(self.places)


class _Line:
    """A conversation. last: the end of its latest request; at: when that came. The rest as in `Evidence`."""

    __slots__ = ("at", "continued", "credit", "last", "missed")

    def __init__(self, last: bytes, at: float, continued: int = 0, missed: int = 0) -> None:
        self.last, self.at = last, at
        self.continued, self.missed = continued, missed
        self.credit: float | None = None

    def go_on(self, last: bytes, now: float) -> None:
        """The next request has come: in time for a mark, or not, and then what was staked before is settled."""
        if now - self.at <= LIFE_S[LIFE]:
            self.continued += 1
        else:
            self.missed += 1
            self.credit = None
        self.last, self.at = last, now

    def account(self, gain: float) -> None:
        """Book what the marks of a request save."""
        if self.credit is not None or gain < 0:
            self.credit = (self.credit or 0.0) + gain


def usual(_model: str) -> Prices:
    """The usual relative prices, for any model."""
    return PRICES


class CacheMarks:
    """Places marks in Anthropic requests. `clock`: seconds, never going back. prices: a model's, relative ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, prices: Callable[[str], Prices] = usual) -> None:
        self._clock, self._prices = clock, prices
        self._ends: Newest[bytes, _Line] = Newest(ENDS)
        self._entries: Newest[bytes, Entry] = Newest(ENTRIES)
        self._elements: Newest[bytes, tuple[Place, ...]] = Newest(ELEMENTS)
        self._counts = {"requests": 0, "marks": 0, "defects": 0, "unread": 0}

    def place(self, body: bytes, model: str) -> Marked:
        """The body as it goes out. For requests that are answered: not for a count, nor for a pre-warm. Never raises for
        a body's sake.
        """
        self._counts["requests"] += 1
        try:
            if seems_covered(body) and b'"assistant"' in body:
                return self._counted("covered", Marked(body))
            layout = lay_out(body, model.encode(), self._elements)
            decision = self._decided(layout, model)
            out = marked(body, layout, decision.marks)
        except Unreadable:  # fails open: it goes as it is
            return self._counted("unread", Marked(body))
        except NotProved:
            return self._counted("defects", Marked(body))
        return self._counted(decision.why, Marked(out, decision.marks, len(layout.places)))

    def statistics(self) -> dict[str, int]:
        """Requests seen, marks placed, and why not; marks that could not be proved; what is held."""
        held = {"ends": len(self._ends), "entries": len(self._entries), "elements": len(self._elements)}
        return {**self._counts, **held}

    def _decided(self, layout: Layout, model: str) -> Decision:
        """The decision, and all it takes for granted remembered: that the request arrives, and is answered."""
        if not layout.places:
            raise Unreadable("empty")
        now, digests = self._clock(), [place.prefix.digest for place in layout.places]
        seen, line = self._line(digests, now)
        entries = {digest: self._entries[digest] for digest in digests if digest in self._entries}
        evidence = Evidence(entries, seen, line.continued, line.missed, line.credit)
        decision = decide(layout, evidence, Terms(self._prices(model), minimum_of(model)), now)
        line.account(decision.gain)
        self._ends[digests[-1]] = line
        for digest, entry in decision.entries.items():
            self._entries[digest] = entry
        return decision

    def _line(self, digests: list[bytes], now: float) -> tuple[int | None, _Line]:
        """Where an earlier request ended, and the conversation it was of, this request taken into account."""
        seen = next((index for index in range(len(digests) - 1, -1, -1) if digests[index] in self._ends), None)
        if seen is None:
            return None, _Line(digests[-1], now)
        line = self._ends[digests[seen]]
        if line.last not in digests[seen:]:
            return seen, _Line(digests[-1], now, line.continued, line.missed + 1)
        line.go_on(digests[-1], now)
        return seen, line

    def _counted(self, why: str, result: Marked) -> Marked:
        self._counts[why] = self._counts.get(why, 0) + 1
        self._counts["marks"] += result.marks
        return result
