"""How reports are written: as a table for people, as JSON, or as CSV, from the same values.

People see dollars; programs get whole nano-dollars. What is not known is a dash, null, or an empty field, and never 0.
"""

import csv
import io
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from tokenpak.cli.commands.events import EVER, moment_ns
from tokenpak.cli.options import running_settings
from tokenpak.cli.render import table
from tokenpak.config.settings import ConfigError
from tokenpak.telemetry.queries import Reader
from tokenpak.telemetry.reports import midnight_ns

Form = Literal["text", "json", "csv"]
UNKNOWN = "-"
NANO = 10**9
WEEK_DAYS = 7
WHY_NO_COST = "A part of what was used has no price, or the reply broke off before its output was told"
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
    records: Sequence[msgspec.Struct]
    kind: type[msgspec.Struct]


def form(json: bool, csv: bool) -> Form:  # noqa: FBT001 the two options as the command line has them
    """Which form was asked for. Raises ConfigError for both."""
    if json and csv:
        raise ConfigError("write --json or --csv, not both.")
    return "json" if json else "csv" if csv else "text"


def put(sheet: Sheet, wanted: Form) -> None:
    """Write an answer to standard output."""
    sys.stdout.write({"text": _text, "json": _json, "csv": _csv}[wanted](sheet))


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
    since_ns = min(moment_ns(since, now_ns), _LAST_NS)
    return Period(since if since == EVER else f"since {since}", since_ns)


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


def room() -> int | None:
    """How many characters fit into a line of the terminal; None where the output is none, and any number does."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def as_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def as_csv(records: Iterable[msgspec.Struct], kind: type[msgspec.Struct], head: bool = True) -> str:  # noqa: FBT001, FBT002 the head stands above the first
    """Records as lines. The columns are those of their kind, nested fields as `outer_inner`; lists and maps are JSON."""
    columns = list(_columns(kind))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if head:
        writer.writerow("_".join(field.encode_name for field in column) for column in columns)
    writer.writerows([_cell(_at(record, column)) for column in columns] for record in records)
    return out.getvalue()


_Column = tuple[msgspec.structs.FieldInfo, ...]
"""The way from a record to a value, field by field."""


def _columns(kind: type[msgspec.Struct], before: _Column = ()) -> Iterator[_Column]:
    for field in msgspec.structs.fields(kind):
        inner = _nested(field.type)
        if inner is None:
            yield (*before, field)
        else:
            yield from _columns(inner, (*before, field))


def _nested(hint: Any) -> type[msgspec.Struct] | None:
    """The one kind of record that a field holds, or None."""
    told = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = [each for each in told if isinstance(each, type) and get_origin(each) is None]
    found = [each for each in kinds if issubclass(each, msgspec.Struct)]
    return found[0] if len(found) == 1 else None


def _at(record: Any, column: _Column) -> object:
    for field in column:
        if record is None:
            return None
        record = getattr(record, field.name)
    return msgspec.to_builtins(record)


def _cell(value: object) -> object:
    """As a spreadsheet and a program can read it: nothing where nothing is known."""
    if isinstance(value, bool | list | tuple | dict):
        return msgspec.json.encode(value).decode()
    return _inert(value)


def _inert(value: object) -> object:
    """Names come from requests; a spreadsheet must not take one for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value


def _is_figure(cell: str) -> bool:
    return cell.lstrip("-<±$")[:1].isdigit()


def _text(sheet: Sheet) -> str:
    return sheet.text.rstrip("\n") + "\n"


def _json(sheet: Sheet) -> str:
    return as_json(sheet.data)


def _csv(sheet: Sheet) -> str:
    return as_csv(sheet.records, sheet.kind)
