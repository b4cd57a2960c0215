"""`tokenpak watch`: requests as they end, until Ctrl-C.

On a terminal a last line tells of today; elsewhere there are lines alone.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.commands.requests import HEAD, SHORT_ID, cells, narrow
from tokenpak.cli.options import Switch
from tokenpak.cli.render import amount
from tokenpak.cli.sheet import Form, as_csv, money
from tokenpak.telemetry import reports
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.queries import Reader, StoredRequest

LOOK_S = 0.5
_WIDTHS = (19, 36, 14, 22, 8, 6, 9, 9, 7, 9, 7, 1)
_SHORT_TIME = len("02-01 09:30")
_CLEAR = "\r\x1b[K"


def watch(*, json: Switch = False, csv: Switch = False, state_dir: Path | None = None) -> int:
    """Show requests as they end.

    Until Ctrl-C. On a terminal the last line tells of today.

    Parameters
    ----------
    json
        A JSON object a line.
    csv
        A line of CSV each.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form = sheet.form(json, csv)
    try:
        with sheet.store(state_dir) as reader:
            _follow(reader, form)
    except KeyboardInterrupt:
        _end_line()
    return 0


def _follow(reader: Reader, form: Form) -> None:
    following, first = Following(reader), True
    if form == "text" and sys.stdout.isatty():
        sys.stdout.write(_columns(HEAD))
    while True:
        for row in following.look():
            _clear()
            sys.stdout.write(_line(row, form, first))
            first = False
        if form == "text" and sys.stdout.isatty():
            sys.stdout.write(_CLEAR + _today(reader, time.time_ns()))
        sys.stdout.flush()
        time.sleep(LOOK_S)


def _line(row: StoredRequest, form: Form, first: bool) -> str:  # noqa: FBT001 a head stands above the first
    if form == "json":
        return msgspec.json.encode(row).decode() + "\n"
    if form == "csv":
        return as_csv([row], StoredRequest, first)
    return _columns(cells(row))


def _columns(line: Sequence[str]) -> str:
    """Widths that hold for what is yet to come; less of when and which where a terminal has not the room."""
    room = sheet.room()
    if room is None or room >= sum(_WIDTHS) + 2 * len(_WIDTHS):
        widths = _WIDTHS
    else:
        line, widths = (line if line is HEAD else narrow(line)), (_SHORT_TIME, SHORT_ID, *_WIDTHS[2:])
    return "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"


def _today(reader: Reader, now_ns: int) -> str:
    (cost,) = reports.costs(reader, reports.midnight_ns(now_ns), None) or (None,)
    if cost is None:
        return "today: no request yet"
    without = f", {cost.unpriced:,} without a cost" if cost.unpriced else ""
    return f"today: {amount(cost.requests, 'request')}, {money(cost.nanos)}{without}"


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write(_CLEAR)


def _end_line() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\n")
