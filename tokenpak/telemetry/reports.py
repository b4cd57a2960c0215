"""What requests cost and what was saved, over a time and by one of four keys. Answered from sums the store keeps.

The sums stand by quarter of an hour (tables.RequestQuarter), so a million rows cost no more than the hours they came in,
and a time is taken down to the quarter it lies in. Days are the user's: they begin at local midnight.

A saving is told by cause, mechanism and basis, and there is no sum over those, here or at any reader: no field for one.
What has no price is counted beside the sum it is missing from.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import func, select

from tokenpak.core.ledger import Used
from tokenpak.core.savings import Basis, Cause, Mechanism
from tokenpak.core.usage import Usage
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.queries import Reader
from tokenpak.telemetry.tables import REQUEST_QUARTERS, SAVING_QUARTERS

By = Literal["client", "model", "project", "day"]

QUARTER_S = 900
QUARTER_NS = QUARTER_S * 10**9

_R, _S = REQUEST_QUARTERS.c, SAVING_QUARTERS.c
_COUNTS = ("requests", "priced", "unpriced", "unreported", "reported")
_CLASSES = tuple(EXPECTED)
_COLUMN = {name: column.removeprefix("expected_") for name, column in EXPECTED.items()}


class Cost(msgspec.Struct, frozen=True):
    """What requests cost. key: of the group, None where it is not known, or for all.

    nanos: nano-dollars of the `priced` ones. unpriced: usage was reported, and a part of it has no price or the output was
    not told. unreported: answered, but no provider said what was used. usage: of the `reported` ones.
    """

    key: str | None
    requests: int
    priced: int
    unpriced: int
    unreported: int
    reported: int
    nanos: int | None
    usage: Usage


class Saved(msgspec.Struct, frozen=True):
    """What one mechanism saved through one cause. nanos: without the `unpriced` requests. spread_nanos: ±."""

    key: str | None
    cause: Cause
    mechanism: Mechanism
    basis: Basis
    requests: int
    unpriced: int
    tokens: int | None
    nanos: int | None
    spread_nanos: int | None


class Drift(msgspec.Struct, frozen=True):
    """Input by class as the cache model expected it and as the provider reported it, over the same requests."""

    model: str | None
    requests: int
    expected: Used
    reported: Used

    @property
    def share(self) -> float | None:
        """Tokens expected in another class than reported, of those reported; total and split both count.

        None where one side says nothing: a prompt below the cache's least size has no expectation to drift from.
        """
        if not self.reported.total or not self.expected.total:
            return None
        off: int = sum(abs(getattr(self.expected, name) - getattr(self.reported, name)) for name in _CLASSES)
        return off / 2 / self.reported.total


class Unpriced(msgspec.Struct, frozen=True):
    """A model of which a part of what was used has no price, or a reply broke off before its output was told."""

    model: str | None
    requests: int


def costs(reader: Reader, since_ns: int, by: By | None) -> tuple[Cost, ...]:
    """What requests opened since a time cost: one line, or one for each key, the dearest first (days in order)."""
    names = (*_COUNTS, "cost_nanos", *(f"tokens_{name}" for name in Usage.__struct_fields__))
    found = _grouped(reader, (), [_R[name] for name in names], since_ns, by)
    out = [_cost(key, row) for (key,), row in found.items()]
    return tuple(
        out if by == "day" else sorted(out, key=lambda cost: (-(cost.nanos or 0), -cost.requests, cost.key or ""))
    )


def savings(reader: Reader, since_ns: int, by: By | None) -> tuple[Saved, ...]:
    """What was saved in the requests opened since a time, a line for each cause, mechanism and basis (and key)."""
    axes = (_S.cause, _S.mechanism, _S.basis)
    sums = (_S.requests, _S.unpriced, _S.tokens, _S.nanos, _S.spread_nanos)
    found = _grouped(reader, axes, sums, since_ns, by)
    lines = (Saved(*keys, *row) for keys, row in found.items())
    return tuple(sorted(lines, key=lambda line: (line.key or "", line.cause, line.mechanism, line.basis)))


def drifts(reader: Reader, since_ns: int) -> tuple[Drift, ...]:
    """Expected against reported input, for each model with requests that have both."""
    names = ("compared", *(f"{side}_{column}" for side in ("expected", "found") for column in _COLUMN.values()))
    found = _grouped(reader, (), [_R[name] for name in names], since_ns, "model")
    count = len(_CLASSES)
    return tuple(
        Drift(model, row[0], _used(row[1 : 1 + count]), _used(row[1 + count :]))
        for (model,), row in sorted(found.items(), key=lambda pair: -pair[1][0])
        if row[0]
    )


def unpriced(reader: Reader, since_ns: int) -> tuple[Unpriced, ...]:
    """The models with requests whose cost is not told for all that was used, the most of them first."""
    models = (Unpriced(cost.key, cost.unpriced) for cost in costs(reader, since_ns, "model") if cost.unpriced)
    return tuple(sorted(models, key=lambda each: -each.requests))


def day_of(quarter: int) -> str:
    """The day where the user is, YYYY-MM-DD."""
    return datetime.fromtimestamp(quarter * QUARTER_S).astimezone().date().isoformat()


def midnight_ns(now_ns: int, days_before: int = 0) -> int:
    """The beginning of today where the user is, or of an earlier day."""
    today = datetime.fromtimestamp(now_ns / 1e9).astimezone().date()
    start = datetime.fromordinal(today.toordinal() - days_before)
    return int(start.astimezone().timestamp()) * 10**9


def _cost(key: str | None, row: "Sums") -> Cost:
    counts = dict(zip(_COUNTS, row, strict=False))
    return Cost(key=key, **counts, nanos=row[len(_COUNTS)], usage=Usage(*row[len(_COUNTS) + 1 :]))


def _used(parts: Iterable[int | None]) -> Used:
    """A class a provider does not have is one in which it used nothing: these are compared, not billed."""
    return Used(**{name: tokens or 0 for name, tokens in zip(_CLASSES, parts, strict=True)})


Sums = tuple[Any, ...]


def _grouped(
    reader: Reader, axes: Sequence[Any], sums: Sequence[Any], since_ns: int, by: By | None
) -> dict[tuple[Any, ...], Sums]:
    """Sums by key and axes. The key is None where there is none, or where it is not known."""
    columns = sums[0].table.c
    key = [] if by is None else [columns["quarter" if by == "day" else by]]
    wanted = select(*key, *axes, *map(func.sum, sums)).where(columns.quarter >= since_ns // QUARTER_NS)
    if key or axes:
        wanted = wanted.group_by(*key, *axes)
    shown: Callable[[Any], str | None] = day_of if by == "day" else lambda value: value or None
    out: dict[tuple[Any, ...], Sums] = {}
    for row in reader.ask(wanted):
        name = shown(row[0]) if key else None
        split = len(key) + len(axes)
        where = (name, *row[len(key) : split])
        out[where] = _plus(out.get(where), row[split:])
    return {where: row for where, row in out.items() if row[0]}


def _plus(left: Sums | None, right: Sequence[Any]) -> Sums:
    """Sums of sums; unknown and a number is the number."""
    if left is None:
        return tuple(right)
    return tuple(b if a is None else a if b is None else a + b for a, b in zip(left, right, strict=True))
