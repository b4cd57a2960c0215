"""`tokenpak cost`: what requests cost, by the provider's own usage and the price table; what has no price is counted."""

from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.options import Switch
from tokenpak.cli.sheet import WHY_NO_COST, Sheet, grid, money, number
from tokenpak.core.usage import Usage
from tokenpak.telemetry import reports
from tokenpak.telemetry.reports import By, Cost, Unpriced

_SHOWN = {
    "uncached": "UNCACHED",
    "cache_read": "READ",
    "cache_write_5m": "WRITE 5M",
    "cache_write_1h": "WRITE 1H",
    "cache_write_other": "WRITE",
    "output": "OUTPUT",
}
"""Classes of tokens in the table. Reasoning lies inside output and has no price of its own."""


class Told(msgspec.Struct, frozen=True):
    """A period's costs, and the models that have no price."""

    period: str
    since_ns: int
    by: By | None
    costs: tuple[Cost, ...]
    unpriced: tuple[Unpriced, ...]


class Record(msgspec.Struct, frozen=True):
    """A line of CSV."""

    period: str
    since_ns: int
    cost: Cost


def cost(
    *,
    since: str | None = None,
    by: By | None = None,
    json: Switch = False,
    csv: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Show what requests cost.

    From this machine's store and table of prices. A request whose model has no price, or whose provider did not tell
    what it used, has no cost: it is counted beside, never as nothing.

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
        told = [
            Told(name, since_ns, by, reports.costs(reader, since_ns, by), reports.unpriced(reader, since_ns))
            for name, since_ns in periods
        ]
    records = [Record(each.period, each.since_ns, line) for each in told for line in each.costs]
    sheet.put(Sheet("\n\n".join(map(_words, told)), {"periods": told}, records, Record), form)
    return 0


def _words(told: Told) -> str:
    if not told.costs:
        return f"Cost, {told.period}\n  no request"
    head = ["REQUESTS", "COST", "PRICED", "NO COST", "NO USAGE", *_SHOWN.values()]
    rows = [_cells(line) for line in told.costs]
    if told.by is not None:
        head = [told.by.upper(), *head]
        rows = [[line.key or "unknown", *row] for line, row in zip(told.costs, rows, strict=True)]
    parts = [f"Cost, {told.period}", grid(head, rows)]
    if told.unpriced:
        names = ", ".join(f"{each.model or 'unknown'} ({each.requests:,})" for each in told.unpriced)
        parts.append(f"No cost told: {names}. {WHY_NO_COST}. It is not in the figures above, and not nothing.")
    return "\n".join(parts)


def _cells(line: Cost) -> list[str]:
    usage: Usage = line.usage
    counts = (line.priced, line.unpriced, line.unreported)
    tokens = (number(getattr(usage, name)) for name in _SHOWN)
    return [number(line.requests), money(line.nanos), *map(number, counts), *tokens]
