"""Which cache marks an Anthropic request gets from us, and the request with them: `decide`, then `marked`.

A client that leaves its tail without a mark pays the full price for its whole history at every turn. A mark on the tail
makes the next turn read it; but writing costs more than plain input, so a mark that nobody comes back to makes the bill
grow. Hence marks are placed on evidence only, priced by the ledger, and the rules are strict: a client's own mark is
never moved or removed, there are never more than four, none goes on thinking, empty text or a deferred tool, and none
of five minutes before one of an hour.

Positions are indices of blocks in the provider's order. The difficulty is a long agent loop: each turn's tail must be
found again by the next, which looks back 20 blocks from its own marks. When a turn adds more than that, the old tail
keeps a mark as well.

In bytes a mark is one inserted member, or one string wrapped as one text block; all else is untouched. It is proved
before it is believed: every element that was changed has the same canonical blocks as before, and those marks.
"""

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from tokenpak.core import ledger
from tokenpak.core.body import Unreadable, canonical, read
from tokenpak.core.body.spans import elements, members
from tokenpak.core.ledger import LOOKBACK, MAX_MARKS, Life
from tokenpak.core.patch import Format
from tokenpak.core.places import Layout, alone, blocks_in
from tokenpak.core.route import ANTHROPIC

HOST = "api.anthropic.com"
MEMBER = b'"cache_control":{"type":"ephemeral"}'
LIFE: Life = "5m"
"""What MEMBER asks for."""
MISS_WEIGHS = 3
"""So many requests that were continued weigh as much as one that was not."""


class NotProved(Exception):  # noqa: N818 - a counted answer: the request goes out without marks
    """The marked request would not be the same request."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known from before. entries: those that should be in the provider's cache, of this request's prefixes.

    seen: position where an earlier request ended. continued, missed: how often a request of this conversation was
    continued by the next one while a mark would have lived, and how often not. credit: what marks have saved since the
    last miss, in uncached tokens; None while nothing was staked since.
    """

    entries: ledger.Cache
    seen: int | None = None
    continued: int = 0
    missed: int = 0
    credit: float | None = None


class Terms(msgspec.Struct, frozen=True):
    """What caching costs and takes for a model: its relative prices, and the smallest prefix that is cached, in tokens."""

    prices: ledger.Prices = ledger.PRICES
    minimum: int = ledger.MINIMUM


class Decision(msgspec.Struct, frozen=True):
    """Positions to mark, ascending. entries: what the request will leave in the provider's cache. gain: what the marks
    save on this request, in uncached tokens; negative for a stake on the next one. why: one word.

    placed: there are marks. covered: the client marks its tail itself. one_shot: the model has said nothing yet. no_slot:
    the client's marks leave no room. not_cheaper: no evidence, too small, or a bill that would not be lower. Else the
    word of `Layout.kept`.
    """

    marks: tuple[int, ...]
    why: str
    entries: ledger.Cache
    gain: float


def supported(provider: str, host: str) -> bool:
    """True for a host known to take cache marks: Anthropic's own, and one on this machine under Anthropic's name.

    A remote gateway that the user calls `anthropic` may be anything, and what an upstream of another name is, nobody knows.
    """
    return provider == ANTHROPIC and (host == HOST or _is_loopback(host))


def decide(layout: Layout, evidence: Evidence, terms: Terms, now: float) -> Decision:
    """Which positions get a mark. now: on the clock of the entries, in seconds."""
    bill = _Bill(layout, evidence, terms, now)
    slots = MAX_MARKS - sum(len(place.marks) for place in layout.places)
    if layout.kept is not None:
        return bill.decision((), layout.kept)
    if layout.covered:
        return bill.decision((), "covered")
    if not layout.answered:
        return bill.decision((), "one_shot")
    if slots <= 0:
        return bill.decision((), "no_slot")
    allowed = _allowed(layout, terms.minimum)
    found = ledger.longest(evidence.entries, layout.prefixes, range(len(layout.places)), 0, now)
    reading = _cut(_reading(layout, allowed, found), slots)
    writing = _cut(_writing(layout, allowed, found, evidence.seen), slots)
    backed = _cut([*_spare(layout, allowed, evidence.seen), *reading], slots)
    options = [(), reading, writing] if bill.is_affordable(writing, backed, reading) else [(), reading]
    best = min(options, key=bill.expected)  # the first of the cheapest: none, if nothing is gained
    return bill.decision(best, "placed" if best else "not_cheaper")


class _Bill:
    """What a choice of marks costs: this request, and the next one as far as it is to be expected."""

    def __init__(self, layout: Layout, evidence: Evidence, terms: Terms, now: float) -> None:
        self._prefixes, self._client = layout.prefixes, layout.client_marks
        self._entries, self._credit, self._now = evidence.entries, evidence.credit, now
        self._rules = msgspec.structs.replace(ledger.ANTHROPIC, minimum=terms.minimum)
        self._prices = terms.prices
        weight = evidence.continued + MISS_WEIGHS * evidence.missed
        self._hope = evidence.continued / weight if weight else 0.0

    def decision(self, marks: tuple[int, ...], why: str) -> Decision:
        """The decision for these marks."""
        return Decision(marks, why, self._ask(self._entries, marks).entries, self._gain(marks))

    def is_affordable(self, writing: tuple[int, ...], backed: tuple[int, ...], reading: tuple[int, ...]) -> bool:
        """A conversation stakes once, on its first marks; after that, what no earlier request has carried is written out
        of what was saved, or waits for the next request to carry it again.

        So from its third request on no conversation ends dearer than without marks, unless it ends right after it has
        come to several times the size its savings cover. backed: marks that write what has been carried before.
        """
        stake = min(0.0, self._gain(backed) - self._gain(reading))
        return self._credit is None or self._credit + self._gain(writing) - stake >= 0

    def expected(self, marks: tuple[int, ...]) -> float:
        """In units of one uncached token. The next request is taken to be this one again."""
        first = self._ask(self._entries, marks)
        again = self._ask(ledger.begun(self._entries, first, self._now), marks)
        return ledger.bill(first.used, self._prices) + self._hope * ledger.bill(again.used, self._prices)

    def _gain(self, marks: tuple[int, ...]) -> float:
        used = [self._ask(self._entries, each).used for each in ((), marks)]
        return ledger.bill(used[0], self._prices) - ledger.bill(used[1], self._prices)

    def _ask(self, entries: ledger.Cache, marks: Iterable[int]) -> ledger.Reading:
        lives = {**self._client, **dict.fromkeys(marks, LIFE)}
        return ledger.ask(entries, self._prefixes, lives, self._rules, self._now)


def _reading(layout: Layout, allowed: Sequence[bool], found: int | None) -> list[int]:
    """Marks that make the request read what is there, and write nothing."""
    if found is None:
        return []
    old = _first(allowed, range(found, min(len(allowed), found + LOOKBACK + 1)))
    return [*old, *(index for index in _head(layout, allowed) if index <= found)]


def _writing(layout: Layout, allowed: Sequence[bool], found: int | None, seen: int | None) -> list[int]:
    """Marks that write the tail, read what is there, and leave the head and the last request's end to be read later."""
    tail = _first(allowed, range(len(allowed) - 1, layout.head - 1, -1))
    if not tail:
        return []
    bridge = []
    if found is not None and tail[0] - found > LOOKBACK:
        bridge = _first(allowed, range(found, found + LOOKBACK + 1))
    return [*tail, *bridge, *_head(layout, allowed), *_spare(layout, allowed, seen)]


def _spare(layout: Layout, allowed: Sequence[bool], seen: int | None) -> list[int]:
    """The end of the request before, or the last block before it that may be marked."""
    return [] if seen is None else _first(allowed, range(seen, layout.head - 1, -1))


def _head(layout: Layout, allowed: Sequence[bool]) -> list[int]:
    """The last block of tools and system that may be marked, unless the client has a mark there."""
    if any(place.marks for place in layout.places[: layout.head]):
        return []
    return _first(allowed, range(layout.head - 1, -1, -1))


def _allowed(layout: Layout, minimum: int) -> list[bool]:
    """Which blocks may be marked: fit ones, long enough for the model's cache, behind every mark of an hour."""
    hours = [index for index, life in layout.client_marks.items() if life == "1h"]
    since = hours[-1] if hours else -1
    return [p.fit and p.prefix.tokens >= minimum and index > since for index, p in enumerate(layout.places)]


def _first(allowed: Sequence[bool], indices: Iterable[int]) -> list[int]:
    """The first allowed one of the indices, if there is one."""
    return next(([index] for index in indices if allowed[index]), [])


def _cut(marks: Iterable[int], slots: int) -> tuple[int, ...]:
    """As many as there is room for, the most important first; then in order of position."""
    return tuple(sorted(list(dict.fromkeys(marks))[:slots]))


def marked(body: bytes, layout: Layout, marks: Iterable[int]) -> bytes:
    """The body with a mark on each of these positions; the same object without any. Raises NotProved."""
    pieces, at, position, wanted = [], 0, 0, frozenset(marks)
    for section, (start, end), count in layout.elements:
        ours = [index for index in range(count) if position + index in wanted]
        position += count
        if ours:
            pieces += [body[at:start], _proved(section, body[start:end], ours)]
            at = end
    return b"".join([*pieces, body[at:]]) if pieces else body


def _proved(section: str, piece: bytes, indices: Sequence[int]) -> bytes:
    """An element with marks on some of its blocks: the same canonical blocks, the marks there were, and ours."""
    try:
        out = _with_marks(section, piece, indices)
        same = _canonical(section, piece) == _canonical(section, out)
        before = [block.marks for block in blocks_in(section, piece)]
        after = [block.marks for block in blocks_in(section, out)]
    except Unreadable as unreadable:
        raise NotProved(str(unreadable)) from unreadable
    if not same or after != [(LIFE,) if index in indices else marks for index, marks in enumerate(before)]:
        raise NotProved(section)
    return out


def _canonical(section: str, element: bytes) -> tuple[bytes, ...]:
    value = b"[" + element + b"]" if element[:1] == b"{" else element
    return canonical(read(Format.ANTHROPIC, alone({section: value})))


def _with_marks(section: str, piece: bytes, indices: Sequence[int]) -> bytes:
    whole = (0, len(piece))
    content = members(piece, whole)["content"] if section == "messages" else whole
    listed = section == "messages" and piece[content[0] : content[0] + 1] == b"["
    spans = elements(piece, content) if listed else [content]
    out, at = [], 0
    for start, end in (spans[index] for index in indices):
        out += [piece[at:start], _with_mark(piece[start:end])]
        at = end
    return b"".join([*out, piece[at:]])


def _with_mark(value: bytes) -> bytes:
    """A block with the member at its end; a string as the one text block that it equals."""
    if value[:1] == b'"':
        return b'[{"type":"text","text":' + value + b"," + MEMBER + b"}]"
    return value[:-1] + b"," + MEMBER + b"}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
