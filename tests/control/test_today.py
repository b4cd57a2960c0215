"""Figures for the status screen, over a store as the writer makes it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from money_lab import told

from tokenpak.control.today import Added, Today, look_at, percentile
from tokenpak.telemetry.book import Book


@pytest.fixture
def path(tmp_path):
    book = Book(tmp_path / "tokenpak.db")
    now = time.time_ns()
    yield book, tmp_path / "tokenpak.db", now
    book.close()


def test_today_and_the_times_added(path):
    book, file, now = path
    book.commit([event for number in range(1, 101) for event in told(number, now, added_ms=float(number))])
    found = look_at(file)
    assert (found.requests, found.cost_nanos, found.trouble) == (100, 100_000, None)
    assert found.added == Added(100, 50.0, 99.0)


def test_requests_of_yesterday_are_not_of_today_and_no_money_is_none(path):
    book, file, now = path
    book.commit(told(1, now - 49 * 3600 * 10**9, added_ms=3.0))
    found = look_at(file)
    assert (found.requests, found.cost_nanos) == (0, None)
    assert found.added == Added(1, 3.0, 3.0)


def test_without_a_store_it_says_why(tmp_path):
    assert look_at(tmp_path / "none.db") == Today(trouble="no request recorded yet")
    (tmp_path / "torn.db").write_bytes(b"no database, but long enough to be looked at" * 40)
    assert "cannot be read" in look_at(tmp_path / "torn.db").trouble


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_bounds_its_share(values, share):
    values = sorted(values)
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values) or found == values[0]
