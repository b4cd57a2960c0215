"""How reports are written: as a table for people, as JSON, or as CSV, from the same values.

People see dollars; programs get whole nano-dollars. What is not known is a dash, null, or an empty field, and never 0.
"""

import csv
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from tokenpak.cli.commands.events import moment_ns
from tokenpak.cli.options import running_settings
from tokenpak.cli.render import table
from tokenpak.config.settings import ConfigError
from tokenpak.telemetry.queries import Reader
from tokenpak.telemetry.reports import midnight_ns

Form = Literal["text", "json", "csv"]
UNKNOWN = "-"
NANO = 10**9
WEEK_DAYS = 7
WHY_NO_COST = "The model has no price, or the reply broke off before its output was told"
_LAST_NS = 2**63 - 1
"""The last moment the store has a number for."""


class Period(NamedTuple):
    """A time that lasts until now. name: how a person calls it. since_ns: 0 for all that is stored."""

    name: str
    since_ns: int


class Sheet(NamedTuple):
    """An answer. text: for people. data: for JSON. records: flat or nested values of one kind, for CSV."""

    text: str
    data: object
    records: Sequence[object]


def form(json: bool, csv: bool) -> Form:  # noqa: FBT001 the two options as the command line has them
    """Which form was asked for. Raises ConfigError for both."""
    if json and csv:
        raise ConfigError("write --json or --csv, not both.")
    return "json" if json else "csv" if csv else "text"


def put(sheet: Sheet, wanted: Form) -> None:
    """Write an answer to standard output; whoever reads may stop reading."""
    written = {"text": _text, "json": _json, "csv": _csv}[wanted](sheet)
    try:
        sys.stdout.write(written)
        sys.stdout.flush()
    except BrokenPipeError:  # Python would complain once more when it closes its output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def store(state_dir: Path | None) -> Reader:
    """The store of an instance, to be read. Raises StoreUnreadableError."""
    return Reader(running_settings(state_dir).paths.database)


def periods(since: str | None) -> tuple[Period, ...]:
    """Today and seven days, or what was asked for: an age, a time, or "all". Raises BadMoment."""
    now = time.time_ns()
    if since is None:
        return Period("today", midnight_ns(now)), Period("7 days", midnight_ns(now, WEEK_DAYS - 1))
    return (asked(since, now),)


def asked(since: str, now_ns: int) -> Period:
    """One period by its beginning. Raises BadMoment."""
    if since == "all":
        return Period("all", 0)
    return Period(f"since {since}", min(moment_ns(since, now_ns), _LAST_NS))


def money(nanos: int | None) -> str:
    """Dollars to a hundredth of a cent; what is smaller and not nothing shows itself as such."""
    if nanos is None:
        return UNKNOWN
    sign = "-" if nanos < 0 else ""
    dollars = abs(nanos) / NANO
    return f"{sign}${dollars:,.4f}" if dollars >= 0.00005 or not nanos else f"{sign}<$0.0001"


def number(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose figures stand at the right: columns with a digit in every cell that says something."""
    lines = [list(row) for row in rows]
    for column in range(len(head)):
        cells = [line[column] for line in lines]
        if any(cell != UNKNOWN for cell in cells) and all(cell == UNKNOWN or _is_figure(cell) for cell in cells):
            width = max(len(cell) for cell in [*cells, head[column]])
            for line in lines:
                line[column] = line[column].rjust(width)
    return table(head, lines)


def as_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def as_csv(records: Sequence[object], head: bool = True) -> str:  # noqa: FBT001, FBT002 the head stands above the first
    """Records as lines, nested fields as `outer_inner`."""
    rows = [dict(_flat("", msgspec.to_builtins(record))) for record in records]
    out = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, names, lineterminator="\n")
    if head and names:
        writer.writeheader()
    writer.writerows({name: _inert(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _inert(value: object) -> object:
    """Names come from requests; a spreadsheet must not take one for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _flat(before: str, value: Any) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{before}_{name}" if before else str(name), inner)
    elif isinstance(value, list):
        yield before, msgspec.json.encode(value).decode()
    else:
        yield before, value


def _is_figure(cell: str) -> bool:
    return cell.lstrip("-<±$")[:1].isdigit()


def _text(sheet: Sheet) -> str:
    return sheet.text.rstrip("\n") + "\n"


def _json(sheet: Sheet) -> str:
    return as_json(sheet.data)


def _csv(sheet: Sheet) -> str:
    return as_csv(sheet.records)
