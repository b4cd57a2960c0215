"""The store as the writer holds it: committed or not, and never half or wrongly."""

import contextlib
import sqlite3

import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from store_lab import FRONT, OTHER, closed, fresh_schema, name_of, opened, pair, rows, states

from tokenpak.ipc.events import Envelope
from tokenpak.telemetry import book as books
from tokenpak.telemetry import ingest, store
from tokenpak.telemetry.book import Book


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokenpak.db"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(path, clock):
    it = Book(path, clock)
    yield it
    it.close()


def test_a_committed_batch_is_there_for_everyone(book, path):
    assert book.commit(pair(1) + pair(2)[:1])
    assert states(path) == {"done": 1, "open": 1}
    statistics = book.statistics()
    assert (statistics.batches, statistics.committed, statistics.repeated, statistics.degraded) == (1, 3, 0, None)


def test_an_empty_batch_is_committed(book):
    assert book.commit([])


def test_interrupting_is_counted(book, path):
    book.commit(pair(1)[:1] + pair(2, OTHER)[:1])
    assert sorted(book.fronts_with_open_rows()) == [FRONT, OTHER]
    assert book.interrupt(FRONT)
    assert states(path) == {"interrupted": 1, "open": 1}
    assert book.statistics().interrupted == 1


def test_an_event_that_never_fits_costs_itself_only(book, path):
    hopeless = Envelope(FRONT, 99, msgspec.structs.replace(opened(9), path=object()))
    assert book.commit([*pair(1), hopeless, *pair(2)])
    assert states(path) == {"done": 2}
    assert book.statistics().rejected == 1
    assert book.statistics().degraded is None


def refuse(monkeypatch, code, text):
    """From now on every batch fails as SQLite would let it fail."""

    def failing(_connection, _events):
        original = sqlite3.OperationalError(text)
        original.sqlite_errorcode = code
        raise OperationalError("INSERT", {}, original)

    monkeypatch.setattr(ingest, "write", failing)


def test_a_full_disk_is_told_and_tried_again(book, path, clock, monkeypatch):
    with monkeypatch.context() as patch:
        refuse(patch, sqlite3.SQLITE_FULL, "database or disk is full")
        assert not book.commit(pair(1))
        assert book.trouble == "cannot write: database or disk is full"
    assert not book.commit(pair(1)), "not at once"
    clock.now += books.RETRY_S
    assert book.commit(pair(1))
    assert book.trouble is None
    assert states(path) == {"done": 1}


def test_a_transaction_that_fails_leaves_nothing(book, path, monkeypatch):
    write = ingest.write

    def failing(connection, events):
        write(connection, events)
        original = sqlite3.OperationalError("disk I/O error")
        original.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise OperationalError("INSERT", {}, original)

    monkeypatch.setattr(ingest, "write", failing)
    assert not book.commit(pair(1))
    assert states(path) == {}


def test_damage_found_while_writing_closes_the_store_until_it_is_sound_again(book, path, clock, monkeypatch):
    with monkeypatch.context() as patch:
        refuse(patch, sqlite3.SQLITE_CORRUPT, "database disk image is malformed")
        assert not book.commit(pair(1))
    clock.now += books.RETRY_S
    assert not book.commit(pair(1)), "closed"
    book.refresh()
    assert "malformed" in book.trouble, "not checked again yet"
    clock.now += books.REOPEN_S
    book.refresh()
    assert book.commit(pair(1))


def test_a_damaged_file_is_neither_changed_nor_opened_before_it_is_replaced(path, clock):
    path.write_bytes(b"garbage " * 1000)
    book = Book(path, clock)
    assert "damaged" in book.trouble
    assert not book.commit(pair(1))
    assert book.fronts_with_open_rows() == []
    assert not book.interrupt(FRONT)
    clock.now += books.REOPEN_S
    book.refresh()
    assert "damaged" in book.trouble
    assert path.read_bytes() == b"garbage " * 1000
    path.unlink()
    clock.now += books.REOPEN_S
    book.refresh()
    assert book.commit(pair(1))
    book.close()


def test_a_file_that_is_deleted_or_replaced_under_us_is_noticed(book, path, tmp_path):
    book.commit(pair(1))
    path.unlink()
    book.refresh()
    assert book.commit(pair(2))
    assert rows(path, "id") == [(name_of(2),)]
    fresh_schema(tmp_path / "other.db")
    (tmp_path / "other.db").replace(path)
    book.refresh()
    assert book.commit(pair(3))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM request").fetchall() == [(name_of(3),)]


def test_waiting_for_a_lock_is_bounded_and_told(path, clock, monkeypatch):
    monkeypatch.setattr(store, "BUSY_MS", 20)
    book = Book(path, clock)
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not book.commit(pair(1))
        assert book.trouble == "cannot write: database is locked"
    clock.now += books.RETRY_S
    assert book.commit(pair(1))
    book.close()


def test_committing_the_same_again_is_counted_as_repeated(book):
    book.commit(pair(1))
    book.commit(pair(1))
    book.commit([Envelope(OTHER, 1, closed(1))])
    statistics = book.statistics()
    assert (statistics.committed, statistics.repeated, statistics.foreign) == (5, 2, 1)


def test_closing_twice_is_closing_once(book):
    book.close()
    book.close()
    assert not book.commit(pair(1))
