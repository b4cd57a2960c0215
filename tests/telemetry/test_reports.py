"""Sums of the store against the rows they are of, whatever order events come in and whatever goes again."""

import contextlib
import sqlite3
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from money_lab import COMPRESSED, HOUR_NS, told
from store_lab import FRONT, closed, opened

from tokenpak.core.ledger import Used
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import Envelope
from tokenpak.telemetry import ingest, reports, upkeep
from tokenpak.telemetry.reports import Saved, Unpriced
from tokenpak.telemetry.store import close_store, open_store

DAY_NS = 24 * HOUR_NS
AT = 20_000 * DAY_NS


@pytest.fixture
def in_zone(monkeypatch):
    def enter(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield enter
    monkeypatch.undo()
    time.tzset()


def test_what_has_no_price_or_no_usage_is_counted_and_not_made_up(reader, book):
    book.commit(told(1, AT))
    book.commit(told(2, AT, cost_nanos=None))
    book.commit(told(3, AT, cost_nanos=None, usage=Usage(output=9), usage_basis="estimate"))
    book.commit(told(4, AT, cost_nanos=None, usage=Usage(), usage_basis=None, state="refused", attempts=0))
    book.commit(told(5, AT)[:1])
    (cost,) = reports.costs(reader, 0, None)
    assert (cost.requests, cost.priced, cost.unpriced, cost.unreported, cost.reported) == (5, 1, 1, 1, 2)
    assert (cost.nanos, cost.usage) == (1_000, Usage(20, 40, 60, None, None, 80, 10))
    assert reports.unpriced(reader, 0) == (Unpriced("served", 1),)


def test_nothing_is_an_unknown_cost_and_not_zero(reader, book):
    assert reports.costs(reader, 0, None) == ()
    book.commit(told(1, AT, cost_nanos=None, savings=(SavingLine("proxy", "compression", "estimate", 5),)))
    assert reports.costs(reader, 0, None)[0].nanos is None
    assert reports.savings(reader, 0, None) == (Saved(None, "proxy", "compression", "estimate", 1, 1, 5, None, None),)


def test_causes_mechanisms_and_bases_are_never_added_up(reader, book):
    book.commit(told(1, AT) + told(2, AT))
    book.commit(told(3, AT, savings=(SavingLine("proxy", "compression", "count", 7, 8, 9),)))
    assert reports.savings(reader, 0, None) == (
        Saved(None, "client", "provider_cache", "provider", 2, 0, 1_800, 160_000, None),
        Saved(None, "proxy", "compression", "count", 1, 0, 7, 8, 9),
        Saved(None, "proxy", "compression", "estimate", 2, 0, 200, 10_000, 1_000),
    )


@pytest.mark.parametrize(("by", "opening"), [("client", {"client": "x"}), ("project", {"project": "x"})])
def test_by_a_key(reader, book, by, opening):
    book.commit(told(1, AT, opening, cost_nanos=5_000) + told(2, AT, dict.fromkeys(opening)))
    assert [(cost.key, cost.nanos) for cost in reports.costs(reader, 0, by)] == [("x", 5_000), (None, 1_000)]
    assert {line.key for line in reports.savings(reader, 0, by)} == {"x", None}


def test_by_the_model_that_served(reader, book):
    book.commit(told(1, AT) + told(2, AT, model_served=None))
    assert {cost.key for cost in reports.costs(reader, 0, "model")} == {"served", "asked"}


@pytest.mark.parametrize(("zone", "days"), [("Asia/Kathmandu", 1), ("UTC", 2)])
def test_days_are_the_users(reader, book, in_zone, zone, days):
    """Midnight there is 18:15 in UTC: no hour, but a quarter."""
    in_zone(zone)
    book.commit(told(1, AT + 18 * HOUR_NS + HOUR_NS // 4) + told(2, AT + 25 * HOUR_NS))
    found = reports.costs(reader, 0, "day")
    assert len(found) == days
    assert found[-1].key == "2024-10-05"
    assert len(reports.costs(reader, reports.midnight_ns(AT + 25 * HOUR_NS), "day")) == 1


def test_midnight_is_not_always_24_hours_ago(in_zone):
    in_zone("Europe/Berlin")
    noon = 1_774_778_400 * 10**9  # 2026-03-29 12:00, the day that begins one hour late after two
    assert (noon - reports.midnight_ns(noon)) == 11 * HOUR_NS
    assert reports.midnight_ns(noon) - reports.midnight_ns(noon, 1) == 24 * HOUR_NS


def test_a_time_is_taken_down_to_its_quarter(reader, book):
    book.commit(told(1, AT) + told(2, AT + HOUR_NS))
    assert reports.costs(reader, AT + 1, None)[0].requests == 2
    assert reports.costs(reader, AT + HOUR_NS // 4, None)[0].requests == 1


def test_drift_is_told_over_the_same_requests(reader, book):
    book.commit(told(1, AT) + told(2, AT, expected=None) + told(3, AT, usage_basis=None))
    (drift,) = reports.drifts(reader, 0)
    assert (drift.model, drift.requests) == ("served", 1)
    assert (drift.expected, drift.reported) == (Used(20, 10, 30), Used(10, 20, 30))
    assert drift.share == pytest.approx(10 / 60)


numbers = st.integers(1, 4)
names = st.sampled_from([None, "a", "b"])
saved = st.lists(st.sampled_from(["proxy", "client"]), unique=True).map(
    lambda causes: tuple(SavingLine(c, "compression", "estimate", 3, 7 if c == "proxy" else None, 1) for c in causes)
)
openings = st.builds(
    lambda n, client, at: opened(n, client=client, opened_ns=AT + at * HOUR_NS), numbers, names, st.integers(0, 2)
)
closes = st.builds(
    lambda n, model, nanos, savings, state: closed(
        n, model_served=model, cost_nanos=nanos, savings=savings, state=state, expected=Used(1)
    ),
    numbers,
    names,
    st.none() | st.integers(0, 9),
    saved,
    st.sampled_from(["done", "refused", "interrupted"]),
)


def all_sums(connection):
    return [
        connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5").all()  # noqa: S608
        for table in ("request_quarter", "saving_quarter")
    ]


def zero_as_null(rows):
    return [[tuple(value or None for value in row) for row in table] for table in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(openings | closes, min_size=1, max_size=12), st.integers(1, 4), st.sets(numbers))
def test_the_sums_are_those_of_the_rows_whatever_comes_and_goes(tmp_path_factory, events, size, gone):
    engine = open_store(tmp_path_factory.mktemp("sums") / "t.db")
    envelopes = [Envelope(FRONT, seq, event) for seq, event in enumerate(events, 1)]
    with engine.begin() as connection:
        for at in range(0, len(envelopes), size):
            ingest.write(connection, envelopes[at : at + size])
        ingest.interrupt(connection, FRONT)
        for number in gone:
            connection.exec_driver_sql("DELETE FROM request WHERE id LIKE ?", (f"%{number}",))
        kept = all_sums(connection)
        rows = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM request")]
        lines = [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM saving")]
        connection.exec_driver_sql("DELETE FROM request")
        assert all_sums(connection) == [[], []]
        marks = {len(row): ",".join("?" * len(row)) for row in rows + lines}
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO request VALUES ({marks[len(row)]})", row)  # noqa: S608
        for line in lines:
            connection.exec_driver_sql(f"INSERT INTO saving VALUES ({marks[len(line)]})", line)  # noqa: S608
        assert zero_as_null(all_sums(connection)) == zero_as_null(kept)
    close_store(engine)


def test_reports_do_not_walk_over_requests(reader, book, path):
    """What makes a million rows cheap: no plan of a report names the table of requests."""
    book.commit(told(1, AT))
    asked = []
    with contextlib.closing(sqlite3.connect(path)) as connection:
        reader.ask, ask = (
            lambda wanted: asked.append(str(wanted.compile(compile_kwargs={"literal_binds": True}))) or ask(wanted),
            reader.ask,
        )
        reports.costs(reader, AT, "day"), reports.savings(reader, AT, "client"), reports.drifts(reader, AT)
        plans = [connection.execute("EXPLAIN QUERY PLAN " + question).fetchall() for question in asked]
    assert len(plans) == 3
    assert all("PRIMARY KEY (quarter>?" in str(plan) and "request " not in str(plan) for plan in plans), plans


def test_findings_notice_sums_that_are_not_those_of_the_rows(book, path):
    book.commit(told(1, AT, savings=(COMPRESSED,)))
    assert upkeep.findings(path) == []
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE request_quarter SET cost_nanos = 1")
        connection.execute("DELETE FROM saving_quarter")
        connection.commit()
    assert len(upkeep.findings(path)) == 2
