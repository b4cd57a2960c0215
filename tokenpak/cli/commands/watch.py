"""`tokenpak watch`: requests as they end, until Ctrl-C.

Rows are not committed in the order in which they end: a front sends again what was not acknowledged. So each look goes
back a while and leaves out what was shown. On a terminal a last line tells of today; elsewhere there are lines alone.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.commands.requests import cells
from tokenpak.cli.options import Switch
from tokenpak.cli.sheet import NANO, Form, as_csv, money
from tokenpak.telemetry import reports
from tokenpak.telemetry.queries import Reader, StoredRequest

LOOK_S = 0.5
BACK_NS = 60 * NANO
"""How late a row may be committed and still be shown."""
_WIDTHS = (19, 36, 14, 22, 8, 3, 9, 9, 7, 9, 7, 1)
_CLEAR = "\r\x1b[K"


class Ending:
    """The requests that end from a moment on, each once."""

    def __init__(self, reader: Reader, from_ns: int) -> None:
        self._reader, self._from_ns = reader, from_ns
        self._seen: dict[str, int] = {}

    def look(self, now_ns: int) -> Iterator[StoredRequest]:
        """Those that were not given yet, in the order in which they ended."""
        since = max(self._from_ns, now_ns - BACK_NS)
        self._seen = {id_: closed for id_, closed in self._seen.items() if closed >= since}
        place = (since, "")
        while rows := self._reader.closed_after(*place):
            for row in rows:
                place = (row.closed_ns or 0, row.id)
                if row.id not in self._seen:
                    self._seen[row.id] = place[0]
                    yield row


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
    ending, first = Ending(reader, time.time_ns()), True
    while True:
        now = time.time_ns()
        for row in ending.look(now):
            _clear()
            sys.stdout.write(_line(row, form, first))
            first = False
        if form == "text" and sys.stdout.isatty():
            sys.stdout.write(_CLEAR + _today(reader, now))
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
