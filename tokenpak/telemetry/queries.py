"""Questions to the store. Read-only connections, typed answers; the writer is never waited for and never disturbed.

A reader sees the last committed state and may ask while the writer writes. Sums leave out what is NULL, and are None when
there was nothing to add up: no usage reported is not zero tokens used. Figures with different bases are not added: tokens
saved stand by the tokenizer that counted them, and token classes count only what a provider reported as used.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec
from sqlalchemy import StaticPool, and_, create_engine, func, literal_column, or_, select, text
from sqlalchemy.exc import DatabaseError

from tokenpak.core.ledger import Used
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import PassTally
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.store import APPLICATION_ID, SCHEMA_VERSION
from tokenpak.telemetry.tables import OPEN, PASS_LINES, REQUESTS, SAVINGS

BUSY_S = 2.0
"""Longest wait for a lock. Only the writer's own closing takes one that readers feel."""

MOST = 1000
"""Most requests in one answer."""

_AFTER_ALL = "~"
"""Sorts behind every character of an id."""

_Select = Any
"""A SELECT: the parameters of SQLAlchemy's own type changed between its versions."""

_TOKENS = "tokens_"
_C = REQUESTS.c
_ROW: Any = literal_column("request.rowid")
"""Rows are numbered in the order in which they came; a VACUUM numbers them anew, and the number of the last is given again once that is gone."""

_SAVING = and_(
    _C.counter.is_not(None),
    _C.state.in_(("done", "client_gone")),
    or_(_C.usage_basis.is_(None), _C.usage_basis != "count"),
)
"""Which requests saved what their passes took out: counted, sent, and used; a question for a count claims nothing."""


class StoreUnreadableError(Exception):
    """There is no store yet, or it cannot be read; the message is for the user."""


def no_store(path: Path) -> StoreUnreadableError:
    """What is said where there is no file at the store's path."""
    return StoreUnreadableError(
        f"there is no store yet: no request was recorded in {path.parent}. "
        "Start TokenPak with `tokenpakctl start`, or name another state directory with --state-dir."
    )


class StoredRequest(msgspec.Struct, frozen=True):
    """A request as the store has it: the columns of tables.Request, with token classes and passes put together."""

    id: str
    front: str
    state: str
    opened_seq: int | None
    opened_ns: int | None
    method: str | None
    path: str | None
    client_request_id: str | None
    provider: str | None
    format: str | None
    client: str | None
    session: str | None
    model_asked: str | None
    stream: bool | None
    closed_seq: int | None
    closed_ns: int | None
    status: int | None
    error_code: str | None
    model_served: str | None
    attempts: int | None
    usage: Usage
    usage_basis: str | None
    bytes_before: int | None
    bytes_after: int | None
    bytes_response: int | None
    compression: str | None
    reason: str | None
    edits: int | None
    saved_tokens: int | None
    passes: dict[str, PassTally]
    counter: str | None
    plan_hash: str | None
    defects: int | None
    echo: bool | None
    queue_ms: float | None
    worker_ms: float | None
    first_byte_ms: float | None
    total_ms: float | None
    added_ms: float | None
    project: str | None
    cache_origin: str | None
    cost_nanos: int | None
    price_id: str | None
    factor: float | None
    expected: Used | None
    miss: str | None
    miss_tokens: int | None
    savings: tuple[SavingLine, ...]
    web_searches: int | None


class Filter(msgspec.Struct, frozen=True):
    """Which requests are wanted; None: any. model: as asked for or as served. up_to: the number of the last row."""

    since_ns: int | None = None
    client: str | None = None
    model: str | None = None
    project: str | None = None
    session: str | None = None
    state: str | None = None
    up_to: int | None = None


EVERY = Filter()


class PassTotal(msgspec.Struct, frozen=True):
    """What a pass did in all requests whose tokens one counter counted."""

    name: str
    counter: str
    requests: int
    edits: int
    saved: int


class Totals(msgspec.Struct, frozen=True):
    """Requests opened since a time. saved: tokens by counter. usage: what providers reported as used, `reported` times."""

    requests: int
    reported: int
    usage: Usage
    saved: dict[str, int]
    bytes_before: int | None
    bytes_after: int | None
    defects: int
    echoes: int


class Reader:
    """A read-only connection to the database at `path`; use as a context manager, in one thread."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise no_store(path)
        source = f"file:{quote(str(path))}?mode=ro"
        self._engine = create_engine(
            "sqlite://", creator=lambda: sqlite3.connect(source, uri=True, timeout=BUSY_S), poolclass=StaticPool
        )
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.close)
            self._refuse_what_is_not_ours()
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def counts_by_state(self, since_ns: int = 0) -> dict[str, int]:
        """Requests opened since a time, by state. Those whose opening is not known are in the count from 0 on."""
        counts = _since(select(_C.state, func.count()), since_ns)
        return {row[0]: row[1] for row in self.ask(counts.group_by(_C.state))}

    def totals(self, since_ns: int = 0) -> Totals:
        """Sums over the requests opened since a time, such as the user's last midnight."""
        echoes = func.count().filter(_C.echo.is_(True))
        sizes = (func.sum(_C.bytes_before), func.sum(_C.bytes_after))
        (row,) = self.ask(_since(select(func.count(), *sizes, func.sum(_C.defects), echoes), since_ns))
        used = _since(select(func.count(), *map(func.sum, _token_columns())), since_ns)
        (usage,) = self.ask(used.where(_C.usage_basis == "provider"))
        saved = _since(select(_C.counter, func.sum(_C.saved_tokens)), since_ns).where(_SAVING)
        return Totals(
            requests=row[0],
            reported=usage[0],
            usage=Usage(*usage[1:]),
            saved={row[0]: row[1] for row in self.ask(saved.group_by(_C.counter))},
            bytes_before=row[1],
            bytes_after=row[2],
            defects=row[3] or 0,
            echoes=row[4],
        )

    def newest(self, limit: int, before: str | None = None, which: Filter = EVERY) -> tuple[StoredRequest, ...]:
        """The newest requests, newest first; `before`: an id, to go on from. Ids are UUIDv7, so they sort by time."""
        # Where a time bounds the search, its index must be walked: a rare client is else looked for in all there is.
        order = [_C.opened_ns.desc(), _C.id.desc()] if which.since_ns else [_C.id.desc()]
        wanted = _filtered(select(REQUESTS), which).order_by(*order).limit(min(limit, MOST))
        return self._requests(wanted if before is None else wanted.where(_C.id < before))

    def by_id(self, request: str) -> StoredRequest | None:
        """One request by our id."""
        found = self._requests(select(REQUESTS).where(_C.id == request))
        return found[0] if found else None

    def last_row(self) -> int:
        """The number of the row that came last, 0 where none is."""
        ((number,),) = self.ask(select(func.max(_ROW)).select_from(REQUESTS))
        return number or 0

    def came_after(self, number: int) -> tuple[int, tuple[StoredRequest, ...]]:
        """The requests whose rows came after that one, in that order, MOST of them; and the number of the last."""
        ids = select(_ROW, _C.id).where(number < _ROW).order_by(_ROW).limit(MOST)
        numbers = {id_: row for row, id_ in self.ask(ids)}
        rows = self._requests(select(REQUESTS).where(_C.id.in_(list(numbers))))
        return max(numbers.values(), default=number), tuple(sorted(rows, key=lambda row: numbers[row.id]))

    def open_ids(self) -> frozenset[str]:
        """The requests that are under way."""
        # Written out and not bound: only so does SQLite see that its index of open requests holds them all.
        return frozenset(id_ for (id_,) in self.ask(select(_C.id).where(text(f"state = '{OPEN}'"))))

    def beginning_with(self, beginning: str) -> tuple[StoredRequest, ...]:
        """The first two requests whose id begins so: enough to know whether it names one."""
        inside = and_(_C.id >= beginning, _C.id < beginning + _AFTER_ALL)
        return self._requests(select(REQUESTS).where(inside).order_by(_C.id).limit(2))

    def pass_totals(self, since_ns: int = 0) -> tuple[PassTotal, ...]:
        """What each pass did in the requests opened since a time, by pass and counter."""
        lines = PASS_LINES.c
        sums = select(lines.name, _C.counter, func.count(), func.sum(lines.edits), func.sum(lines.saved))
        wanted = _since(sums.join_from(PASS_LINES, REQUESTS), since_ns).where(_SAVING).group_by(lines.name, _C.counter)
        return tuple(PassTotal(*row) for row in self.ask(wanted.order_by(lines.name, _C.counter)))

    def _requests(self, wanted: _Select) -> tuple[StoredRequest, ...]:
        rows = self.ask(wanted)
        lines = select(PASS_LINES).where(PASS_LINES.c.request_id.in_([row.id for row in rows]))
        passes: dict[str, dict[str, PassTally]] = {row.id: {} for row in rows}
        for request, name, edits, saved in self.ask(lines.order_by(PASS_LINES.c.name)):
            passes[request][name] = PassTally(edits, saved)
        savings: dict[str, list[SavingLine]] = {row.id: [] for row in rows}
        told = select(SAVINGS).where(SAVINGS.c.request_id.in_(list(savings)))
        for request, *line in self.ask(told.order_by(SAVINGS.c.cause, SAVINGS.c.mechanism)):
            savings[request].append(SavingLine(*line))
        return tuple(_stored(row, passes[row.id], savings[row.id]) for row in rows)

    def ask(self, wanted: _Select) -> Sequence[Any]:
        """The rows of a SELECT. Raises StoreUnreadableError."""
        try:
            with self._engine.connect() as connection:
                return connection.execute(wanted).all()
        except DatabaseError as error:
            raise StoreUnreadableError(f"the store cannot be read: {error.orig}") from error

    def _refuse_what_is_not_ours(self) -> None:
        try:
            with self._engine.connect() as connection:
                application, version = (
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                    for name in ("application_id", "user_version")
                )
        except DatabaseError as error:
            raise StoreUnreadableError(f"the store cannot be read: {error.orig}") from error
        if application != APPLICATION_ID:
            raise StoreUnreadableError("the database file belongs to another program")
        if version != SCHEMA_VERSION:
            raise StoreUnreadableError(f"the store has schema {version}, and this program reads {SCHEMA_VERSION}")


def _since(wanted: _Select, since_ns: int) -> _Select:
    return wanted.where(_C.opened_ns >= since_ns) if since_ns else wanted


def _filtered(wanted: _Select, which: Filter) -> _Select:
    """Only what the filter names."""
    wanted = _since(wanted, which.since_ns or 0)
    for name in ("client", "project", "session", "state"):
        value = getattr(which, name)
        if value is not None:
            wanted = wanted.where(_C[name] == value)
    if which.up_to is not None:
        wanted = wanted.where(which.up_to >= _ROW)
    if which.model is not None:
        wanted = wanted.where(or_(_C.model_asked == which.model, _C.model_served == which.model))
    return wanted


def _token_columns() -> list[Any]:
    return [_C[_TOKENS + name] for name in Usage.__struct_fields__]


def _stored(row: Any, passes: dict[str, PassTally], savings: Sequence[SavingLine]) -> StoredRequest:
    columns = dict(row._mapping)  # noqa: SLF001 the documented way to a mapping
    usage = Usage(**{name: columns.pop(_TOKENS + name) for name in Usage.__struct_fields__})
    expected = {name: columns.pop(column) for name, column in EXPECTED.items()}
    told = None if expected["uncached"] is None else Used(**expected)
    return StoredRequest(**columns, usage=usage, passes=passes, expected=told, savings=tuple(savings))
