"""A glance at the store for a status line: one session, and today. SQLite alone, because it must be there at once.

Whoever draws a status line starts a process for it again and again, so nothing is imported here that takes longer than
the question. The SQL is kept in step with tables.py by the tests.
"""

import contextlib
import sqlite3
import time
from typing import NamedTuple
from urllib.parse import quote

SCHEMA = 3
APPLICATION = 0x5450414B
WAIT_S = 0.05
"""Longest wait for a lock; a status line without figures is better than one that comes late."""
QUARTER_S = 900


class NoFigures(Exception):  # noqa: N818 named by what is the case
    """There is nothing to be read; the message says why, in a few words."""


class Figures(NamedTuple):
    """nanos: cost of what has a price; unpriced: requests with usage and none. read, tokens: input, of it from a cache.

    saved_nanos, spread_nanos: by compression alone. Missing is None.
    """

    requests: int
    nanos: int | None
    unpriced: int
    read: int | None
    tokens: int | None
    saved_nanos: int | None
    spread_nanos: int | None


_INPUT = " + ".join(
    f"ifnull(tokens_{name}, 0)"
    for name in ("uncached", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
)
_SESSION = f"""
SELECT count(*), sum(cost_nanos), ifnull(sum(usage_basis IS 'provider' AND cost_nanos IS NULL), 0),
  sum(CASE WHEN usage_basis IS 'provider' THEN tokens_cache_read END),
  sum(CASE WHEN usage_basis IS 'provider' THEN {_INPUT} END)
FROM request WHERE session = ?
"""  # noqa: S608 our own names
_SESSION_SAVED = """
SELECT sum(nanos), sum(spread_nanos) FROM request JOIN saving ON request_id = id
WHERE session = ? AND cause = 'proxy' AND mechanism = 'compression'
"""
_TODAY = f"""
SELECT ifnull(sum(requests), 0), sum(cost_nanos), ifnull(sum(unpriced), 0), sum(tokens_cache_read),
  sum(CASE WHEN reported THEN {_INPUT} END)
FROM request_quarter WHERE quarter >= ?
"""  # noqa: S608 our own names
_TODAY_SAVED = """
SELECT sum(nanos), sum(spread_nanos) FROM saving_quarter
WHERE quarter >= ? AND cause = 'proxy' AND mechanism = 'compression'
"""


def last_midnight_s() -> int:
    """When the user's day began, in seconds of the epoch."""
    now = time.localtime()
    return int(time.mktime((now.tm_year, now.tm_mon, now.tm_mday, 0, 0, 0, 0, 0, -1)))


def glance(database: str, session: str | None, midnight_s: int) -> tuple[Figures | None, Figures]:
    """The figures of a session, None where it is not known here, and of today. Raises NoFigures."""
    uri = f"file:{quote(database)}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=WAIT_S)) as connection:
            _refuse_what_is_not_ours(connection)
            today = _figures(connection, (_TODAY, _TODAY_SAVED), midnight_s // QUARTER_S)
            of_session = _figures(connection, (_SESSION, _SESSION_SAVED), session) if session else None
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            raise NoFigures("no request recorded yet") from error
        raise NoFigures("the store is busy") from error
    except sqlite3.DatabaseError as error:
        raise NoFigures("the store cannot be read") from error
    return (of_session if of_session and of_session.requests else None), today


def _figures(connection: sqlite3.Connection, questions: tuple[str, str], key: object) -> Figures:
    first, second = (connection.execute(question, (key,)).fetchone() for question in questions)
    return Figures(*first, *second)


def _refuse_what_is_not_ours(connection: sqlite3.Connection) -> None:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != APPLICATION or version != SCHEMA:
        raise NoFigures("the store is of another version")
