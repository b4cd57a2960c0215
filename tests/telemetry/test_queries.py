"""What is asked of the store, answered from a real one, and never at the writer's cost."""

import contextlib
import sqlite3

import msgspec
import pytest
from store_lab import FRONT, closed, name_of, opened, pair

from tokenpak.core.ledger import Used
from tokenpak.core.savings import SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import Envelope, PassTally
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.queries import Filter, PassTotal, Reader, StoredRequest, StoreUnreadableError
from tokenpak.telemetry.tables import REQUESTS


def request(number, seq, **close):
    return [Envelope(FRONT, seq, opened(number)), Envelope(FRONT, seq + 1, closed(number, **close))]


def test_one_request_comes_back_as_it_was_told(reader, book):
    book.commit(pair(1))
    found = reader.by_id(name_of(1))
    for event in (opened(1), closed(1)):
        for name in set(event.__struct_fields__) - {"front"}:
            assert getattr(found, name) == getattr(event, name), name
    assert (found.front, found.opened_seq, found.closed_seq) == (FRONT.hex(), 3, 4)
    assert (found.edits, found.saved_tokens) == (3, 90)
    assert reader.by_id("unknown") is None


def test_an_answer_has_every_column():
    tokens = {f"tokens_{name}" for name in Usage.__struct_fields__}
    ours = set(StoredRequest.__struct_fields__) - {"usage", "passes", "expected", "savings"}
    assert ours == set(REQUESTS.c.keys()) - tokens - set(EXPECTED.values())


def test_answers_are_frozen(reader, book):
    book.commit(pair(1))
    with pytest.raises(AttributeError):
        reader.by_id(name_of(1)).state = "other"


def test_the_newest_come_first_and_go_on_page_by_page(reader, book):
    book.commit([event for number in range(1, 8) for event in pair(number)])
    first = reader.newest(3)
    assert [row.id for row in first] == [name_of(7), name_of(6), name_of(5)]
    assert [row.id for row in reader.newest(3, first[-1].id)] == [name_of(4), name_of(3), name_of(2)]
    assert reader.newest(0) == ()
    assert all(row.passes == {"line-runs": PassTally(3, 90)} for row in first)


def test_money_comes_back_as_it_was_told(reader, book):
    lines = (
        SavingLine("client", "provider_cache", "provider", 5),
        SavingLine("proxy", "compression", "estimate", 1, -2, 3),
    )
    money = {"expected": Used(1, 2, 3, 4, 5), "savings": lines, "cost_nanos": 7, "miss": "expired", "miss_tokens": 2}
    money["web_searches"] = 3
    book.commit(request(1, 1, **money))
    found = reader.by_id(name_of(1))
    assert {name: getattr(found, name) for name in money} == money


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (Filter(), [4, 3, 2, 1]),
        (Filter(client="aider"), [2]),
        (Filter(model="served"), [4, 3, 2, 1]),
        (Filter(model="other"), [3]),
        (Filter(session="s"), [4]),
        (Filter(project="p", state="done"), [1]),
        (Filter(state="open"), []),
        (Filter(since_ns=1_000_003), [4, 3]),
        (Filter(since_ns=1_000_003, model="other"), [3]),
    ],
)
def test_requests_are_filtered(reader, book, which, numbers):
    book.commit([Envelope(FRONT, 1, opened(1, project="p")), Envelope(FRONT, 2, closed(1))])
    book.commit([Envelope(FRONT, 3, opened(2, client="aider")), Envelope(FRONT, 4, closed(2))])
    book.commit([Envelope(FRONT, 5, opened(3, model_asked="other")), Envelope(FRONT, 6, closed(3))])
    book.commit([Envelope(FRONT, 7, opened(4, session="s")), Envelope(FRONT, 8, closed(4))])
    assert [row.id for row in reader.newest(9, which=which)] == [name_of(number) for number in numbers]


def test_a_beginning_names_a_request_or_several(reader, book):
    book.commit(pair(1) + pair(2) + pair(3))
    assert [row.id for row in reader.beginning_with(name_of(2))] == [name_of(2)]
    assert len(reader.beginning_with(name_of(2)[:-1])) == 2
    assert reader.beginning_with("x") == ()


def test_states_are_counted(reader, book):
    book.commit(pair(1) + pair(2)[:1] + pair(3))
    book.interrupt(FRONT)
    assert reader.counts_by_state() == {"done": 2, "interrupted": 1}
    assert reader.counts_by_state(since_ns=1_000_003) == {"done": 1}


def test_totals_add_what_was_reported_and_say_so(reader, book):
    book.commit(request(1, 1))
    book.commit(request(2, 3, usage=Usage(output=5), defects=2, echo=True))
    book.commit(request(3, 5, usage=Usage(), usage_basis=None, bytes_before=None))
    book.commit(pair(4)[:1])
    totals = reader.totals()
    assert (totals.requests, totals.reported) == (4, 2)
    assert totals.usage == Usage(10, 20, 30, 40, 50, 65, 7)
    assert (totals.bytes_before, totals.bytes_after) == (2000, 2400)
    assert (totals.defects, totals.echoes) == (2, 1)


def test_totals_of_nothing_are_unknown_and_not_zero(reader):
    totals = reader.totals()
    assert (totals.requests, totals.reported, totals.saved) == (0, 0, {})
    assert totals.usage == Usage()
    assert totals.bytes_before is None


def test_tokens_saved_are_kept_apart_by_their_counter(reader, book):
    book.commit(request(1, 1))
    book.commit(request(2, 3, counter="estimate", passes={"line-runs": PassTally(1, 5), "other": PassTally(2, 6)}))
    book.commit(request(3, 5))
    assert reader.totals().saved == {"o200k_base": 180, "estimate": 11}
    assert reader.pass_totals() == (
        PassTotal("line-runs", "estimate", 1, 1, 5),
        PassTotal("line-runs", "o200k_base", 2, 6, 180),
        PassTotal("other", "estimate", 1, 2, 6),
    )
    assert reader.pass_totals(since_ns=1_000_003) == (PassTotal("line-runs", "o200k_base", 1, 3, 90),)


@pytest.mark.parametrize(
    "close", [{"usage_basis": "count"}, {"state": "upstream_failed"}, {"state": "interrupted"}, {"counter": None}]
)
def test_what_cost_nothing_saved_nothing(reader, book, close):
    book.commit(request(1, 1, **close))
    assert reader.totals().saved == {}
    assert reader.pass_totals() == ()


def test_a_question_for_a_count_is_no_use_of_tokens(reader, book):
    book.commit(request(1, 1, usage_basis="count"))
    assert (reader.totals().reported, reader.totals().usage) == (0, Usage())


def test_a_row_whose_opening_is_missing_is_shown(reader, book):
    book.commit(pair(1)[1:])
    assert reader.newest(5)[0].opened_ns is None
    assert reader.counts_by_state() == {"done": 1}


def test_a_reader_cannot_write(reader):
    with (
        contextlib.closing(reader._engine.raw_connection()) as raw,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        raw.cursor().execute("DELETE FROM request")


def test_reader_and_writer_do_not_wait_for_each_other(reader, book, path):
    book.commit(pair(1))
    with contextlib.closing(sqlite3.connect(path, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert reader.totals().requests == 1
    with contextlib.closing(reader._engine.raw_connection()) as raw:
        cursor = raw.cursor()
        cursor.execute("SELECT id FROM request")
        assert book.commit(pair(2))
        cursor.close()
    assert reader.totals().requests == 2


@pytest.mark.parametrize("left", [b"", b"garbage " * 1000])
def test_a_file_that_is_no_store_is_one_error(path, left):
    path.write_bytes(left)
    with pytest.raises(StoreUnreadableError):
        Reader(path)


def test_no_store_yet_is_said_so(path):
    with pytest.raises(StoreUnreadableError, match="no store yet"):
        Reader(path)
    assert not path.exists()


def test_a_store_of_another_version_is_said_so(path):
    Book(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnreadableError, match="schema 99"):
        Reader(path)


def test_damage_found_by_a_question_is_the_same_error(path):
    book = Book(path)
    book.commit([event for number in range(500) for event in pair(number)])
    book.close()
    with path.open("r+b") as file:
        file.seek(4096 * 8)
        file.write(b"\xa5" * 4096 * 10)
    with Reader(path) as reader, pytest.raises(StoreUnreadableError, match="cannot be read"):
        reader.newest(1000)


def test_answers_can_be_shown_as_json(reader, book):
    book.commit(pair(1))
    assert b'"line-runs"' in msgspec.json.encode((reader.newest(1), reader.totals(), reader.pass_totals()))
