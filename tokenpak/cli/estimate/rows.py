"""What is added up: a row a session, and what all rows come to.

Tokens are the model's, money is nano-dollars; what has no price adds to no sum and is counted. The bill of a request is the
provider's own where its usage stands in the log, else the ledger's. Lines keep their cause and mechanism apart for good:
there is no field for what they come to together.
"""

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from tokenpak.core.savings import SavingLine

Key = tuple[str, str, str]
"""Cause, mechanism, basis."""


class Line(msgspec.Struct):
    """A saving, over requests. unpriced: requests for which money could not be told."""

    cause: str
    mechanism: str
    basis: str
    requests: int = 0
    tokens: int = 0
    nanos: int = 0
    spread_nanos: int = 0
    unpriced: int = 0


class Worst(msgspec.Struct, frozen=True):
    """The moment at which a session stood worst by compression alone. nanos: saved by then, below zero: dearer by then."""

    request: int = 0
    nanos: int = 0
    share: float | None = None


class Row(msgspec.Struct):
    """A session.

    requests: booked ones; with_usage: with the provider's usage by class, with_total: with its total alone. tokens: input of
    all requests as the client sent them. removed: by compression. largest, largest_removed: of its largest request.
    bill_nanos: of the input as it was sent, of priced requests; saved_nanos, spread_nanos: compression's, of the same.
    """

    session: str
    agent: str
    began: float | None = None
    ended: float | None = None
    models: dict[str, int] = {}
    conversations: set[str] = set()
    requests: int = 0
    edited: int = 0
    with_usage: int = 0
    with_total: int = 0
    tokens: int = 0
    removed: int = 0
    missing: int = 0
    largest: int = 0
    largest_removed: int = 0
    unpriced_models: dict[str, int] = {}
    bill_nanos: int = 0
    saved_nanos: int = 0
    spread_nanos: int = 0
    worst: Worst = Worst()
    lines: dict[Key, Line] = {}

    @property
    def unpriced(self) -> int:
        """Requests without a price."""
        return sum(self.unpriced_models.values())

    @property
    def priced(self) -> bool:
        return self.requests > self.unpriced

    @property
    def token_share(self) -> float:
        """Of all input tokens that were sent."""
        return self.removed / self.tokens if self.tokens else 0.0

    @property
    def bill_share(self) -> float | None:
        """Of the input bill; None without a priced request."""
        return self.saved_nanos / self.bill_nanos if self.priced and self.bill_nanos else None


class Counts(msgspec.Struct):
    """What was read besides, and how far the ledger was from what providers reported.

    copied: answers that stand in an earlier file too. expected_read, reported_read: input tokens read from a cache, of
    reported_input, over requests whose usage is known.
    """

    files: int = 0
    broken: dict[str, int] = {}
    compactions: int = 0
    copied: int = 0
    unread: int = 0
    untimed: int = 0
    expected_read: int = 0
    reported_read: int = 0
    reported_input: int = 0


class Booked(msgspec.Struct):
    """A request's part of a row. original: input tokens as the client sent it. bill: of those. basis: of the bill."""

    model: str
    conversation: str
    at: float | None
    original: int
    missing: int
    with_usage: bool
    with_total: bool
    bill: int | None
    lines: tuple[SavingLine, ...]


def book(row: Row, booked: Booked) -> None:
    """Add a request to its session."""
    row.requests += 1
    _count(row.models, booked.model, 1)
    row.conversations.add(booked.conversation)
    row.with_usage += booked.with_usage
    row.with_total += booked.with_total
    row.tokens += booked.original
    row.missing = max(row.missing, booked.missing)
    if booked.at is not None:
        row.began = booked.at if row.began is None else min(row.began, booked.at)
        row.ended = booked.at if row.ended is None else max(row.ended, booked.at)
    cut = next((line for line in booked.lines if line.mechanism == "compression"), None)
    _compressed(row, booked, cut)
    for line in booked.lines:
        _add(row.lines, line)


def _compressed(row: Row, booked: Booked, cut: SavingLine | None) -> None:
    removed = cut.tokens or 0 if cut else 0
    row.edited += removed > 0
    row.removed += removed
    if booked.original > row.largest:
        row.largest, row.largest_removed = booked.original, removed
    if booked.bill is None or (cut is not None and cut.nanos is None):
        _count(row.unpriced_models, booked.model, 1)
        return
    row.bill_nanos += booked.bill
    row.saved_nanos += (cut.nanos or 0) if cut else 0
    row.spread_nanos += (cut.spread_nanos or 0) if cut else 0
    if row.worst.request == 0 or row.saved_nanos < row.worst.nanos:
        row.worst = Worst(row.requests, row.saved_nanos, row.bill_share)


def _add(lines: dict[Key, Line], line: SavingLine) -> None:
    key = (line.cause, line.mechanism, line.basis)
    kept = lines.setdefault(key, Line(*key))
    kept.requests += 1
    kept.tokens += line.tokens or 0
    kept.nanos += line.nanos or 0
    kept.spread_nanos += line.spread_nanos or 0
    kept.unpriced += line.nanos is None


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row a session: a sub-agent's file names the session it belongs to. The newest sessions last."""
    out: dict[str, Row] = {}
    for row in rows:
        if row.session in out:
            _merge(out[row.session], row)
        else:
            out[row.session] = row
    return sorted(out.values(), key=lambda row: (row.began or 0.0, row.session))


def _merge(into: Row, other: Row) -> None:
    for name in ("requests", "edited", "with_usage", "with_total", "tokens", "removed"):
        setattr(into, name, getattr(into, name) + getattr(other, name))
    for name in ("bill_nanos", "saved_nanos", "spread_nanos"):
        setattr(into, name, getattr(into, name) + getattr(other, name))
    into.began = min((each for each in (into.began, other.began) if each is not None), default=None)
    into.ended = max((each for each in (into.ended, other.ended) if each is not None), default=None)
    into.missing = max(into.missing, other.missing)
    if other.largest > into.largest:
        into.largest, into.largest_removed = other.largest, other.largest_removed
    if other.worst.nanos < into.worst.nanos:
        into.worst = other.worst
    into.conversations |= other.conversations
    for name in ("models", "unpriced_models"):
        for model, count in getattr(other, name).items():
            _count(getattr(into, name), model, count)
    for key, line in other.lines.items():
        _sum(into.lines.setdefault(key, Line(*key)), line)


def _count(counts: dict[str, int], name: str, more: int) -> None:
    counts[name] = counts.get(name, 0) + more


def _sum(into: Line, other: Line) -> None:
    for name in ("requests", "tokens", "nanos", "spread_nanos", "unpriced"):
        setattr(into, name, getattr(into, name) + getattr(other, name))


def counted(parts: Iterable[Counts]) -> Counts:
    """All counts together."""
    total = Counts()
    for part in parts:
        for name in Counts.__struct_fields__:
            if name != "broken":
                setattr(total, name, getattr(total, name) + getattr(part, name))
        for why, count in part.broken.items():
            _count(total.broken, why, count)
    return total


class Summary(msgspec.Struct, frozen=True):
    """All sessions. median_*, worst: over sessions; bill figures over priced ones. without: sessions that save nothing."""

    sessions: int
    requests: int
    tokens: int
    removed: int
    token_share: float
    bill_nanos: int | None
    saved_nanos: int | None
    spread_nanos: int | None
    bill_share: float | None
    median_token_share: float | None
    median_bill_share: float | None
    worst_session: str | None
    worst_share: float | None
    without: int
    dearer: int
    unpriced: dict[str, int]
    lines: tuple[Line, ...]


def summed(rows: Sequence[Row]) -> Summary:
    """What all sessions come to."""
    priced = [row for row in rows if row.bill_share is not None]
    bill, saved = sum(row.bill_nanos for row in priced), sum(row.saved_nanos for row in priced)
    tokens, removed = sum(row.tokens for row in rows), sum(row.removed for row in rows)
    worst = min(priced, key=lambda row: row.bill_share or 0.0, default=None)
    lines: dict[Key, Line] = {}
    for row in rows:
        for key, line in row.lines.items():
            _sum(lines.setdefault(key, Line(*key)), line)
    return Summary(
        sessions=len(rows),
        requests=sum(row.requests for row in rows),
        tokens=tokens,
        removed=removed,
        token_share=removed / tokens if tokens else 0.0,
        bill_nanos=bill if priced else None,
        saved_nanos=saved if priced else None,
        spread_nanos=sum(row.spread_nanos for row in priced) if priced else None,
        bill_share=saved / bill if bill else None,
        median_token_share=median(row.token_share for row in rows) if rows else None,
        median_bill_share=median(row.bill_share or 0.0 for row in priced) if priced else None,
        worst_session=worst.session if worst else None,
        worst_share=worst.bill_share if worst else None,
        without=sum(row.removed == 0 for row in rows),
        dearer=sum(row.worst.nanos < 0 for row in rows),
        unpriced=_unpriced(rows),
        lines=tuple(lines[key] for key in sorted(lines)),
    )


def _unpriced(rows: Iterable[Row]) -> dict[str, int]:
    """Requests without a price, by model."""
    out: dict[str, int] = {}
    for row in rows:
        for model, count in row.unpriced_models.items():
            _count(out, model, count)
    return out
