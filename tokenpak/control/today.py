"""Today's figures for `tokenpakctl status`, from the store alone: no process is asked, so it can be read when none runs.

SQLite without anything around it, as for the status line (telemetry/glance): a screen of figures must be there at once.
"""

import contextlib
import math
import sqlite3
from pathlib import Path
from urllib.parse import quote

import msgspec

from tokenpak.telemetry.glance import NoFigures, glance, last_midnight_s

LATEST = 1000
"""Requests over which added times are told."""
WAIT_S = 0.2

_ADDED = "SELECT added_ms FROM request WHERE added_ms IS NOT NULL ORDER BY id DESC LIMIT ?"


class Added(msgspec.Struct, frozen=True):
    """What TokenPak added to requests until they were sent on, in milliseconds, over the latest `requests`."""

    requests: int
    p50_ms: float
    p99_ms: float


class Today(msgspec.Struct, frozen=True):
    """Since local midnight. cost_nanos: of what has a price; unpriced: requests with usage and none. None: unknown.

    saved_nanos: by compression. added: None before the first request. trouble: why there are no figures, else None.
    """

    requests: int | None = None
    cost_nanos: int | None = None
    unpriced: int | None = None
    saved_nanos: int | None = None
    added: Added | None = None
    trouble: str | None = None


def look_at(database: Path) -> Today:
    """The figures of a store; without any, why there are none."""
    try:
        figures = glance(str(database), None, last_midnight_s())[1]
        return Today(figures.requests, figures.nanos, figures.unpriced, figures.saved_nanos, _added(database))
    except NoFigures as why:
        return Today(trouble=str(why))


def percentile(values: list[float], share: float) -> float:
    """The smallest of some sorted values that at least `share` of them do not exceed; there must be one.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99), percentile([7.0], 0.5)
    (2.0, 4.0, 7.0)
    """
    return values[max(0, math.ceil(share * len(values)) - 1)]


def _added(database: Path) -> Added | None:
    uri = f"file:{quote(str(database))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as connection:
            values = sorted(row[0] for row in connection.execute(_ADDED, (LATEST,)))
    except sqlite3.Error:
        return None
    return Added(len(values), percentile(values, 0.5), percentile(values, 0.99)) if values else None
