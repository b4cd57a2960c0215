"""The status line's own SQL against the reports, and what it says when there is nothing to be read."""

import contextlib
import sqlite3

import pytest
from money_lab import HOUR_NS, told

from tokenpak.telemetry import glance as module
from tokenpak.telemetry import reports, store
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.glance import Figures, NoFigures, glance
from tokenpak.telemetry.queries import Reader

AT = 480_000 * HOUR_NS


@pytest.fixture
def path(tmp_path):
    book = Book(tmp_path / "tokenpak.db")
    book.commit(told(1, AT, {"session": "mine"}) + told(2, AT, {"session": "mine"}, cost_nanos=None))
    book.commit(told(3, AT, {"session": "other"}) + told(4, AT - 48 * HOUR_NS, {"session": "mine"}))
    book.commit(told(5, AT, {"session": "mine"})[:1])
    book.close()
    return tmp_path / "tokenpak.db"


def test_it_knows_the_schema_it_reads():
    assert (module.SCHEMA, module.APPLICATION) == (store.SCHEMA_VERSION, store.APPLICATION_ID)
    assert module.QUARTER_S == reports.QUARTER_S


def test_a_session_and_today(path):
    session, today = glance(str(path), "mine", AT // 10**9)
    assert session == Figures(4, 2_000, 1, 60, 180, 15_000, 1_500)
    assert today == Figures(4, 2_000, 1, 60, 180, 15_000, 1_500)
    assert glance(str(path), "nobody", AT // 10**9)[0] is None
    assert glance(str(path), None, AT // 10**9)[0] is None


def test_today_is_what_the_reports_say(path):
    today = glance(str(path), None, AT // 10**9)[1]
    with Reader(path) as reader:
        (cost,) = reports.costs(reader, AT, None)
        compression = next(s for s in reports.savings(reader, AT, None) if s.mechanism == "compression")
    assert (today.requests, today.nanos, today.unpriced) == (cost.requests, cost.nanos, cost.unpriced)
    assert (today.saved_nanos, today.spread_nanos) == (compression.nanos, compression.spread_nanos)


def test_a_day_without_requests_has_no_figures_and_no_zeros_of_money(path):
    assert glance(str(path), None, AT // 10**9 + 86_400)[1] == Figures(0, None, 0, None, None, None, None)


def test_what_cannot_be_read_is_said(path, tmp_path):
    with pytest.raises(NoFigures, match="no request"):
        glance(str(tmp_path / "none.db"), None, 0)
    (tmp_path / "garbage.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(NoFigures, match="cannot be read"):
        glance(str(tmp_path / "garbage.db"), None, 0)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(NoFigures, match="version"):
        glance(str(path), None, 0)
