"""From events to rows: which of them count, and the few statements that write them.

Events may come twice, and a close before its opening; after a crash they come again from a journal while newer ones come
from the socket. So nothing here depends on order: the opening columns of a row belong to the opening with the lowest
sequence number, the closing columns to the close that ranks highest (`_standing`), and what is there already is not written
again. `merge` decides, purely; `write` acts. Nobody writes between its look at the rows and its own writing, because one
process writes, in one transaction.

A request belongs to one front, which made its id. An event that uses another front's id is counted and left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from tokenpak.core.ledger import Used
from tokenpak.ipc.events import NOTES, Envelope, RequestClosed, RequestOpened
from tokenpak.telemetry.tables import INTERRUPTED, OPEN, PASS_LINES, REQUESTS, SAVINGS

Columns = dict[str, Any]
"""Values of a row by column name."""

EXPECTED = {
    "uncached": "expected_uncached",
    "read": "expected_cache_read",
    "write_5m": "expected_cache_write_5m",
    "write_1h": "expected_cache_write_1h",
    "write_other": "expected_cache_write_other",
}
"""The columns of what the cache model expected, by class of ledger.Used."""


class Known(NamedTuple):
    """What is stored of a request, as far as it decides what to write."""

    front: str
    state: str
    opened_seq: int | None
    closed_seq: int | None


class Writes(msgspec.Struct, frozen=True):
    """What a batch comes to: new rows, halves of known rows (with their `id`), lines of passes, lines of
    savings.

    unlined: requests whose lines are replaced. repeated: events that change nothing. foreign: see the head of this file.
    """

    rows: list[Columns]
    openings: list[Columns]
    closings: list[Columns]
    lines: list[Columns]
    savings: list[Columns]
    unlined: list[str]
    repeated: int
    foreign: int


def merge(events: Iterable[Envelope], known: Mapping[str, Known]) -> Writes:
    """What to write so that the known rows, and new ones, say what these events say."""
    drafts: dict[str, _Draft] = {}
    for envelope in events:
        request = envelope.event.id
        if request not in drafts:
            drafts[request] = _Draft(known.get(request), envelope.front.hex())
        drafts[request].take(envelope)
    writes = Writes(
        [], [], [], [], [], [], sum(d.repeated for d in drafts.values()), sum(d.foreign for d in drafts.values())
    )
    for request, draft in drafts.items():
        _add(writes, request, draft)
    return writes


def write(connection: Connection, events: Sequence[Envelope]) -> Writes:
    """Bring the store up to date with a batch, inside the caller's transaction; says what it came to."""
    found = connection.execute(_KNOWN, {"ids": list({envelope.event.id for envelope in events})})
    writes = merge(events, {row[0]: Known(*row[1:]) for row in found})
    for statement, rows in (
        (_INSERT_ROW, writes.rows),
        (_UPDATE_OPENING, writes.openings),
        (_UPDATE_CLOSING, writes.closings),
        (_DELETE_LINES, [{"request": request} for request in writes.unlined]),
        (_DELETE_SAVINGS, [{"request": request} for request in writes.unlined]),
        (_INSERT_LINE, writes.lines),
        (_INSERT_SAVING, writes.savings),
    ):
        if rows:
            connection.execute(statement, rows)
    return writes


def fronts_with_open_rows(connection: Connection) -> list[bytes]:
    """The fronts that requests are open of."""
    found = connection.execute(select(REQUESTS.c.front).where(REQUESTS.c.state == OPEN).distinct())
    return [bytes.fromhex(front) for (front,) in found]


def interrupt(connection: Connection, front: bytes) -> int:
    """Close the open rows of a front that is gone; returns how many. A close it sent, should one still arrive, wins."""
    rows = update(REQUESTS).where(REQUESTS.c.front == front.hex(), REQUESTS.c.state == OPEN)
    return connection.execute(rows.values(state=INTERRUPTED)).rowcount


class _Draft:
    """The halves of one request that beat what is stored of it."""

    __slots__ = ("_best_close", "_best_opening", "closing", "foreign", "front", "known", "opening", "repeated")

    def __init__(self, known: Known | None, front: str) -> None:
        self.known = known
        self.front = known.front if known else front
        self._best_opening = known.opened_seq if known else None
        self._best_close = _standing(known.state, known.closed_seq) if known else _NOT_CLOSED
        self.opening: Columns | None = None
        self.closing: Columns | None = None
        self.repeated = self.foreign = 0

    def take(self, envelope: Envelope) -> None:
        event, seq = envelope.event, envelope.seq
        if envelope.front.hex() != self.front:
            self.foreign += 1
        elif isinstance(event, RequestOpened):
            if self._best_opening is not None and self._best_opening <= seq:
                self.repeated += 1
                return
            self._best_opening, self.opening = seq, _opening_columns(event, seq)
        elif (standing := _standing(event.state, seq)) > self._best_close:
            self._best_close, self.closing = standing, _closing_columns(event, seq)
        else:
            self.repeated += 1


_NOT_CLOSED = (0, 0)


def _standing(state: str, seq: int | None) -> tuple[int, int]:
    """Greater wins: a true close, an interruption told by the front, one found by the writer, none; then the earlier one."""
    if state == OPEN:
        return _NOT_CLOSED
    if seq is None:
        return (1, 0)
    return (2 if state == INTERRUPTED else 3, -seq)


def _add(writes: Writes, request: str, draft: _Draft) -> None:
    opening, closing, known = draft.opening, draft.closing, draft.known
    if closing is not None:
        passes = closing.pop("passes")
        writes.lines.extend(
            {"request_id": request, "name": name, "edits": tally.edits, "saved": tally.saved}
            for name, tally in passes.items()
        )
        savings = closing.pop("savings")
        writes.savings.extend({"request_id": request, **msgspec.structs.asdict(line)} for line in savings)
        if known and known.closed_seq is not None:
            writes.unlined.append(request)
    if known is None:
        new = {"id": request, "front": draft.front, "state": OPEN}
        writes.rows.append(_EMPTY | new | (opening or {}) | (closing or {}))
        return
    if opening is not None:
        writes.openings.append({"request": request, **opening})
    if closing is not None:
        writes.closings.append({"request": request, **closing})


def _opening_columns(event: RequestOpened, seq: int) -> Columns:
    columns = msgspec.structs.asdict(event)
    del columns["id"], columns["front"]  # the envelope's front is the same, and there with both events
    columns["opened_seq"] = seq
    return columns


def _closing_columns(event: RequestClosed, seq: int) -> Columns:
    columns = msgspec.structs.asdict(event)
    del columns["id"], columns["usage"], columns["expected"]
    expected = msgspec.structs.asdict(event.expected) if event.expected else dict.fromkeys(Used.__struct_fields__)
    for name, tokens in expected.items():
        columns[EXPECTED[name]] = tokens
    for name, count in msgspec.structs.asdict(event.usage).items():
        columns[f"tokens_{name}"] = count
    # Without a counter nobody counted, and the sums of nothing are not zero but unknown.
    counted = event.counter is not None
    made = [tally for name, tally in event.passes.items() if name not in NOTES]
    columns["edits"] = sum(tally.edits for tally in made) if counted else None
    columns["saved_tokens"] = sum(tally.saved for tally in made) if counted else None
    columns["closed_seq"] = seq
    return columns


def _updating(columns: Iterable[str]) -> Any:
    return update(REQUESTS).where(REQUESTS.c.id == bindparam("request")).values({n: bindparam(n) for n in columns})


_EMPTY: Columns = dict.fromkeys(REQUESTS.c.keys())
_OPENING = _opening_columns(RequestOpened("", 0, "", "", ""), 0)
_CLOSING = _closing_columns(RequestClosed("", 0, "done"), 0)
del _CLOSING["passes"], _CLOSING["savings"]

_KNOWN = select(REQUESTS.c.id, REQUESTS.c.front, REQUESTS.c.state, REQUESTS.c.opened_seq, REQUESTS.c.closed_seq).where(
    REQUESTS.c.id.in_(bindparam("ids", expanding=True))
)
_INSERT_ROW = insert(REQUESTS)
_UPDATE_OPENING = _updating(_OPENING)
_UPDATE_CLOSING = _updating(_CLOSING)
_DELETE_LINES = delete(PASS_LINES).where(PASS_LINES.c.request_id == bindparam("request"))
_INSERT_LINE = insert(PASS_LINES)
_DELETE_SAVINGS = delete(SAVINGS).where(SAVINGS.c.request_id == bindparam("request"))
_INSERT_SAVING = insert(SAVINGS)
