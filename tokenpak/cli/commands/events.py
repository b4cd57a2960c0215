"""`tokenpak events`: the store's requests, one JSON object a line, oldest first; with `--tip` as events of TIP-1.0.

The store gives its newest first and the reader wants them in order. A store may hold a million rows, so they are not
turned around in memory: one walk back notes where each page begins, and the pages are read again the other way.

With `--follow` others come as they end. Whoever reads may go away while nothing happens; so between looks we wait on the
output itself and not on a clock alone.
"""

import io
import re
import select
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli.options import Switch, running_settings
from tokenpak.cli.render import DAY, HOUR, MINUTE
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.queries import EVERY, MOST, Filter, Reader, StoredRequest, StoreUnreadableError
from tokenpak.telemetry.tip_events import is_over, tip_event

RECENT = 100
"""How many requests are shown when nothing says how far back to go."""

LOOK_S = 0.5
"""How long between two looks for what has ended."""

EVER = "all"
"""For all that is stored, where a time is asked for."""

_NANO = 10**9
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_AFTER_ALL = "~"
"""Sorts behind every digit of an id."""


def events(
    *,
    tip: Switch = False,
    since: str | None = None,
    limit: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    follow: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Print recorded requests as JSON lines, or as TIP-1.0 events.

    Those that have ended, oldest first.

    Parameters
    ----------
    tip
        As telemetry events of TIP-1.0, instead of the store's own form.
    since
        Only those that came after: an age such as 90m, 6h or 7d, a time such as 2026-02-01 or
        2026-02-01T09:30:00+01:00 (without a zone: this machine's), or all.
    limit
        At most so many, the newest. Default: 100, or all of them with --since; none with --follow alone.
    follow
        Then go on with those that end from now on, until Ctrl-C or until nobody reads any more.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    try:
        since_ns = 0 if since is None else moment_ns(since, time.time_ns())
        recent = 0 if follow else RECENT
        most = limit if limit is not None else recent if since is None else sys.maxsize
        with Reader(running_settings(state_dir).paths.database) as reader:
            rows = _followed(reader, since_ns, most) if follow else iter([chronological(reader, since_ns, most)])
            for some in rows:
                _put(map(tip_event, some) if tip else some)
    except KeyboardInterrupt:
        return 0
    except (BadMoment, StoreUnreadableError) as error:
        sys.stderr.write(f"tokenpak: {error}\n")
        return 1
    return 0


def _put(rows: Iterable[msgspec.Struct]) -> None:
    for row in rows:
        sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    sys.stdout.flush()


def _followed(reader: Reader, since_ns: int, most: int) -> Iterator[Iterable[StoredRequest]]:
    """What was asked for, then look by look what has ended since; until nobody reads any more."""
    following = Following(reader)
    past = Filter(up_to=following.since)
    yield (row for row in chronological(reader, since_ns, most, which=past) if row.id not in following.open)
    while _is_read(LOOK_S):
        yield following.look()


def _is_read(wait_s: float) -> bool:
    """Wait, and say whether the output still leads anywhere: at once where it does not."""
    try:
        output = sys.stdout.fileno()
    except io.UnsupportedOperation:  # inside another program
        time.sleep(wait_s)
        return True
    gone = select.poll()
    gone.register(output, 0)  # errors and ends alone
    return not gone.poll(wait_s * 1000)


class BadMoment(Exception):  # noqa: N818 named by what is the case
    """A time that cannot be read; the message says how to write one."""


def moment_ns(text: str, now_ns: int) -> int:
    """An age before `now_ns`, a time, or "all", in nanoseconds since the epoch. Raises BadMoment."""
    if text == EVER:
        return 0
    age = _AGE.fullmatch(text)
    if age is not None:
        return now_ns - int(age[1]) * _UNITS[age[2]] * _NANO
    try:
        at = datetime.fromisoformat(text)
        return int(at.astimezone(UTC).timestamp()) * _NANO
    except (ValueError, OverflowError) as error:
        raise BadMoment(
            f"--since {text!r}: write an age such as 6h, a time such as 2026-02-01T09:30, or all"
        ) from error


def chronological(
    reader: Reader, since_ns: int, most: int, page: int = MOST, which: Filter = EVERY
) -> Iterator[StoredRequest]:
    """The newest `most` requests that have ended and came after a time, oldest first; `page`: how many are held at once."""
    places: list[tuple[str, int]] = []
    before: str | None = None
    left = most
    while left > 0 and (rows := reader.newest(page, before, which)):
        wanted = min(left, len(_matching(rows, since_ns)))
        places.append((before or rows[0].id + _AFTER_ALL, wanted))
        left -= wanted
        before = rows[-1].id
        if (rows[-1].opened_ns or since_ns) < since_ns:
            break
    for place, wanted in reversed(places):
        yield from reversed(_matching(reader.newest(page, place, which), since_ns)[:wanted])


def _matching(rows: tuple[StoredRequest, ...], since_ns: int) -> list[StoredRequest]:
    return [row for row in rows if is_over(row) and (not since_ns or (row.opened_ns or 0) >= since_ns)]
