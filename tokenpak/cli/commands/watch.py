"""`tokenpak watch`: requests as they end, until Ctrl-C.

On a terminal a last line tells of today; elsewhere there are lines alone.
"""

import os
import sys
import time
from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.commands.requests import cells
from tokenpak.cli.options import Switch
from tokenpak.cli.sheet import Form, as_csv, money
from tokenpak.telemetry import reports
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.queries import Reader, StoredRequest

LOOK_S = 0.5
_WIDTHS = (19, 36, 14, 22, 8, 3, 9, 9, 7, 9, 7, 1)
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
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _follow(reader: Reader, form: Form) -> None:
    following, first = Following(reader), True
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
        return as_csv([row], first)
    return "  ".join(f"{cell:{width}}" for cell, width in zip(cells(row), _WIDTHS, strict=True)).rstrip() + "\n"


def _today(reader: Reader, now_ns: int) -> str:
    (cost,) = reports.costs(reader, reports.midnight_ns(now_ns), None) or (None,)
    if cost is None:
        return "today: no request yet"
    without = f", {cost.unpriced:,} without a cost" if cost.unpriced else ""
    return f"today: {cost.requests:,} requests, {money(cost.nanos)}{without}"


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write(_CLEAR)


def _end_line() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\n")
