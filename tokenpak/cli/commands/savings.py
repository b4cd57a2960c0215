"""`tokenpak savings`: what was saved, by cause and mechanism, each with its basis and its ±, and never a sum over them."""

from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.options import Switch
from tokenpak.cli.sheet import WHY_NO_COST, Period, Sheet, grid, money, number
from tokenpak.core.ledger import Used
from tokenpak.telemetry import reports
from tokenpak.telemetry.queries import Reader
from tokenpak.telemetry.reports import By, Drift, Saved, Unpriced


class Told(msgspec.Struct, frozen=True):
    """A period's savings, and what makes them less than the whole truth."""

    period: str
    since_ns: int
    by: By | None
    savings: tuple[Saved, ...]
    unpriced: tuple[Unpriced, ...]
    drift: tuple[Drift, ...]


class Record(msgspec.Struct, frozen=True):
    """A line of CSV."""

    period: str
    since_ns: int
    saved: Saved


def savings(
    *,
    since: str | None = None,
    by: By | None = None,
    json: Switch = False,
    csv: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Show what was saved, by cause and mechanism.

    Each line is a comparison of its own with a bill that did not come, so lines are never added up. ± is how far a figure may
    be off. What has no known price has tokens and no money.

    Parameters
    ----------
    since
        An age such as 6h or 30d, a time such as 2026-02-01, or all. Default: today, and seven days.
    by
        A line for each client, model, project or day.
    json
        Print everything as JSON; money in nano-dollars.
    csv
        Print the lines as CSV.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form, periods = sheet.form(json, csv), sheet.periods(since)
    with sheet.store(state_dir) as reader:
        told = [_told(reader, period, by) for period in periods]
    records = [Record(each.period, each.since_ns, line) for each in told for line in each.savings]
    sheet.put(Sheet("\n\n".join(map(_words, told)), {"periods": told}, records, Record), form)
    return 0


def _told(reader: Reader, period: Period, by: By | None) -> Told:
    since = period.since_ns
    return Told(
        period.name,
        since,
        by,
        reports.savings(reader, since, by),
        reports.unpriced(reader, since),
        reports.drifts(reader, since),
    )


def _words(told: Told) -> str:
    parts = [f"Saved, {told.period}", _lines(told)]
    if told.unpriced:
        parts.append(f"No cost. {WHY_NO_COST}:\n" + _unpriced(told))
    if told.drift:
        parts.append("Input tokens, expected by the cache model and reported by the provider:\n" + _drift(told))
    return "\n".join(parts)


def _lines(told: Told) -> str:
    if not told.savings:
        return "  nothing"
    head = ["CAUSE", "MECHANISM", "BASIS", "REQUESTS", "TOKENS", "SAVED", "±", "NO PRICE"]
    rows = [
        [
            line.cause,
            line.mechanism,
            line.basis,
            number(line.requests),
            number(line.tokens),
            money(line.nanos),
            money(line.spread_nanos),
            number(line.unpriced),
        ]
        for line in told.savings
    ]
    if told.by is not None:
        head = [told.by.upper(), *head]
        rows = [[line.key or "unknown", *row] for line, row in zip(told.savings, rows, strict=True)]
    return grid(head, rows)


def _unpriced(told: Told) -> str:
    return grid(("MODEL", "REQUESTS"), [(each.model or "unknown", number(each.requests)) for each in told.unpriced])


def _drift(told: Told) -> str:
    names = Used.__struct_fields__
    head = ("MODEL", "REQUESTS", "SIDE", *(name.replace("_", " ").upper() for name in names), "DRIFT")
    rows = []
    for each in told.drift:
        share = sheet.UNKNOWN if each.share is None else f"{each.share:.1%}"
        for side, used, drift in (("expected", each.expected, share), ("reported", each.reported, sheet.UNKNOWN)):
            counts = (number(getattr(used, name)) for name in names)
            rows.append((each.model or "unknown", number(each.requests), side, *counts, drift))
    return grid(head, rows)
