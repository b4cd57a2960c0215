"""Merging must not depend on order, repetition or how the events fall into batches."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, select
from sqlalchemy.pool import StaticPool
from sqlmodel import SQLModel
from store_lab import FRONT, OTHER, closed, name_of, opened, pair

from tokenpak.core.ledger import Used
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import FOUND, PAST_WARNING, Envelope, PassTally
from tokenpak.telemetry import ingest
from tokenpak.telemetry.ingest import Known
from tokenpak.telemetry.tables import PASS_LINES, REQUESTS, SAVINGS


@pytest.fixture
def store():
    with memory() as connection:
        yield connection


def memory():
    engine = create_engine("sqlite://", poolclass=StaticPool)
    SQLModel.metadata.create_all(engine, [REQUESTS, PASS_LINES, SAVINGS])
    connection = engine.connect()
    connection.detach()  # closed with the connection, not with the garbage
    return connection


MONEY = {
    "cache_origin": "client",
    "cost_nanos": 1234,
    "price_id": "2026-11-01+00000000",
    "factor": 1.2,
    "expected": Used(11, 21, 31),
    "miss": "expired",
    "miss_tokens": 5,
    "web_searches": 4,
}


def contents(connection):
    rows = [dict(row._mapping) for row in connection.execute(select(REQUESTS).order_by(REQUESTS.c.id))]
    lines = connection.execute(select(PASS_LINES).order_by(PASS_LINES.c.request_id, PASS_LINES.c.name))
    saved = connection.execute(select(SAVINGS).order_by(SAVINGS.c.request_id, SAVINGS.c.cause))
    assert {line.request_id for line in saved} <= {row["id"] for row in rows}
    return rows, [tuple(line) for line in lines]


def stored(batches):
    with memory() as connection:
        for batch in batches:
            ingest.write(connection, batch)
        return contents(connection)


def test_both_events_of_a_request_make_one_row(store):
    first, second = pair(1)
    first = msgspec.structs.replace(first, event=opened(1, project="project"))
    writes = ingest.write(store, [first, msgspec.structs.replace(second, event=closed(1, **MONEY))])
    assert (len(writes.rows), len(writes.openings), len(writes.closings)) == (1, 0, 0)
    ((row,), lines) = contents(store)
    assert row == {
        "id": name_of(1),
        "front": FRONT.hex(),
        "state": "done",
        "opened_seq": 3,
        "opened_ns": 1_000_001,
        "method": "POST",
        "path": "/v1/messages",
        "client_request_id": "client-1",
        "provider": "anthropic",
        "format": "anthropic",
        "client": "claude-code",
        "session": "session",
        "model_asked": "asked",
        "stream": True,
        "closed_seq": 4,
        "closed_ns": 2_000_001,
        "status": 200,
        "error_code": None,
        "model_served": "served",
        "attempts": 1,
        "tokens_uncached": 10,
        "tokens_cache_read": 20,
        "tokens_cache_write_5m": 30,
        "tokens_cache_write_1h": 40,
        "tokens_cache_write_other": 50,
        "tokens_output": 60,
        "tokens_reasoning": 7,
        "usage_basis": "provider",
        "bytes_before": 1000,
        "bytes_after": 800,
        "bytes_response": 300,
        "compression": "worker",
        "reason": None,
        "edits": 3,
        "saved_tokens": 90,
        "counter": "o200k_base",
        "plan_hash": "ab" * 16,
        "defects": 0,
        "echo": False,
        "queue_ms": 0.5,
        "worker_ms": 1.5,
        "first_byte_ms": 400.0,
        "total_ms": 900.0,
        "added_ms": 2.5,
        "project": "project",
        "cache_origin": "client",
        "cost_nanos": 1234,
        "price_id": "2026-11-01+00000000",
        "factor": 1.2,
        "expected_uncached": 11,
        "expected_cache_read": 21,
        "expected_cache_write_5m": 31,
        "expected_cache_write_1h": 0,
        "expected_cache_write_other": 0,
        "miss": "expired",
        "miss_tokens": 5,
        "web_searches": 4,
    }
    assert lines == [(name_of(1), "line-runs", 3, 90)]


def test_an_opening_alone_is_an_open_row_with_nothing_made_up(store):
    ingest.write(store, pair(1)[:1])
    ((row,), lines) = contents(store)
    assert (row["state"], lines) == ("open", [])
    told = {"id", "front", "state", "opened_seq", *opened(1).__struct_fields__}
    assert all(row[name] is None for name in row if name not in told)


def test_a_close_that_comes_first_waits_for_its_opening(store):
    first, second = pair(1)
    ingest.write(store, [second])
    assert contents(store)[0][0]["opened_ns"] is None
    ingest.write(store, [first])
    assert contents(store) == stored([pair(1)])


def test_what_is_there_already_is_not_written_again(store):
    ingest.write(store, pair(1))
    writes = ingest.write(store, pair(1) + pair(1))
    assert (writes.rows, writes.openings, writes.closings, writes.lines) == ([], [], [], [])
    assert writes.repeated == 4


def test_sums_nobody_counted_are_unknown(store):
    ingest.write(store, [Envelope(FRONT, 1, closed(1, passes={}, counter=None))])
    ingest.write(store, [Envelope(FRONT, 2, closed(2, passes={}))])
    uncounted, counted = contents(store)[0]
    assert (uncounted["edits"], uncounted["saved_tokens"]) == (None, None)
    assert (counted["edits"], counted["saved_tokens"]) == (0, 0)


def test_only_the_rows_of_the_front_that_is_gone_are_interrupted(store):
    ingest.write(store, pair(1) + pair(2)[:1] + pair(3, OTHER)[:1])
    assert sorted(ingest.fronts_with_open_rows(store)) == [FRONT, OTHER]
    assert ingest.interrupt(store, FRONT) == 1
    assert [row["state"] for row in contents(store)[0]] == ["done", "interrupted", "open"]
    assert ingest.interrupt(store, FRONT) == 0
    assert ingest.fronts_with_open_rows(store) == [OTHER]


@pytest.mark.parametrize("state", ["done", "refused", "client_gone", "upstream_failed"])
def test_a_true_close_beats_an_interruption_and_not_the_other_way(store, state):
    true, told = (
        Envelope(FRONT, 9, closed(1, state=state)),
        Envelope(FRONT, 5, closed(1, state="interrupted", passes={})),
    )
    ingest.write(store, pair(1)[:1])
    ingest.interrupt(store, FRONT)
    ingest.write(store, [told])
    assert contents(store)[0][0]["closed_seq"] == 5
    ingest.write(store, [true])
    ((row,), lines) = contents(store)
    assert (row["state"], row["closed_seq"], len(lines)) == (state, 9, 1)
    ingest.write(store, [told, pair(1)[0]])
    ingest.interrupt(store, FRONT)
    assert contents(store) == ([row], lines)


def test_an_opening_does_not_open_an_interrupted_row_again(store):
    ingest.write(store, [pair(1)[0]])
    ingest.interrupt(store, FRONT)
    ingest.write(store, [Envelope(FRONT, 1, opened(1, path="/earlier"))])
    row = contents(store)[0][0]
    assert (row["state"], row["path"]) == ("interrupted", "/earlier")


def test_the_lines_of_a_close_that_is_beaten_go_with_it(store):
    ingest.write(store, [Envelope(FRONT, 9, closed(1, passes={"old": PassTally(1, 1)}))])
    ingest.write(store, [Envelope(FRONT, 5, closed(1, passes={"new": PassTally(2, 2)}))])
    assert contents(store)[1] == [(name_of(1), "new", 2, 2)]


def test_the_savings_of_a_close_that_is_beaten_go_with_it(store):
    old, new = (
        SavingLine("proxy", "compression", "estimate", 1, 2, 3),
        SavingLine("client", "provider_cache", "provider"),
    )
    ingest.write(store, [Envelope(FRONT, 9, closed(1, savings=(old,)))])
    ingest.write(store, [Envelope(FRONT, 5, closed(1, savings=(new,)))])
    found = store.execute(select(SAVINGS)).all()
    assert [tuple(row) for row in found] == [(name_of(1), "client", "provider_cache", "provider", None, None, None)]


def test_an_event_with_the_id_of_another_front_is_left_out_and_counted(store):
    ingest.write(store, pair(1))
    writes = ingest.write(store, pair(1, OTHER))
    assert (writes.foreign, writes.closings, writes.openings) == (2, [], [])
    assert ingest.merge(pair(2) + pair(2, OTHER), {}).foreign == 2


def test_merge_needs_no_store():
    known = {name_of(1): Known(FRONT.hex(), "open", 3, None)}
    writes = ingest.merge(pair(1), known)
    assert (writes.rows, writes.openings, len(writes.closings), writes.repeated) == ([], [], 1, 1)


numbers = st.integers(1, 3)
openings = st.builds(lambda number, path: opened(number, path=path), numbers, st.sampled_from(["/a", "/b"]))
closes = st.builds(
    lambda number, state, output, passes: closed(number, state=state, usage=Usage(output=output), passes=passes),
    numbers,
    st.sampled_from(["done", "refused", "client_gone", "interrupted"]),
    st.integers(0, 5) | st.none(),
    st.dictionaries(st.sampled_from(["p", "q"]), st.builds(PassTally, st.integers(0, 3), st.integers(0, 9))),
)
histories = st.lists(openings | closes, min_size=1, max_size=10).map(
    lambda events: [Envelope(FRONT, seq, event) for seq, event in enumerate(events, 1)]
)


@settings(max_examples=60, deadline=None)
@given(histories, st.randoms(use_true_random=False), st.integers(1, 7))
def test_order_repetition_and_batches_do_not_matter(events, chance, size):
    expected = stored([events])
    shuffled = events + [event for event in events if chance.random() < 0.4]
    chance.shuffle(shuffled)
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    assert stored(batches) == expected


@settings(max_examples=30, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_interrupting_at_any_moment_does_not_hide_what_is_true(events, chance):
    chance.shuffle(events)
    with memory() as connection:
        for event in events:
            ingest.write(connection, [event])
            if chance.random() < 0.5:
                ingest.interrupt(connection, FRONT)
        ingest.interrupt(connection, FRONT)
        rows, lines = contents(connection)
    expected, expected_lines = stored([events])
    for row in expected:
        row["state"] = "interrupted" if row["state"] == "open" else row["state"]
    assert (rows, lines) == (expected, expected_lines)


def test_every_order_of_a_small_history():
    events = [*pair(1), Envelope(FRONT, 9, closed(1, state="interrupted")), *pair(2)[:1]]
    results = [stored([[event] for event in order]) for order in itertools.permutations(events)]
    assert all(result == results[0] for result in results)
    assert results[0][0][0]["state"] == "done"


def test_a_batch_is_a_handful_of_statements(store, monkeypatch):
    seen = []
    execute = type(store).execute
    monkeypatch.setattr(
        type(store), "execute", lambda self, *args, **more: seen.append(1) or execute(self, *args, **more)
    )
    events = [event for number in range(100) for event in pair(number)]
    random.Random(1).shuffle(events)
    ingest.write(store, events[:100])
    ingest.write(store, events[100:])
    assert len(seen) <= 12


def test_events_are_not_changed_by_being_stored(store):
    events = pair(1)
    before = msgspec.msgpack.encode(events)
    ingest.write(store, events)
    assert msgspec.msgpack.encode(events) == before


def test_notes_among_the_passes_are_no_edits():
    passes = {"line-runs": PassTally(3, 90), FOUND: PassTally(2, 0), PAST_WARNING: PassTally(1, 0)}
    writes = ingest.merge([Envelope(FRONT, 2, closed(1, passes=passes))], {})
    assert (writes.rows[0]["edits"], writes.rows[0]["saved_tokens"]) == (3, 90)
