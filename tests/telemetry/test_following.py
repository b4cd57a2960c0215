import sqlite3
from contextlib import closing

import pytest
from store_lab import FRONT, at, name_of

from tokenpak.config.paths import paths_for
from tokenpak.telemetry import queries
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.queries import Reader


@pytest.fixture
def book(tmp_path):
    """A store with requests 1 to 7 that have ended, and 8 that has not."""
    it = Book(paths_for(tmp_path).database)
    for number in range(1, 8):
        assert it.commit(at(number, number * 10**9))
    assert it.commit(at(8, 8 * 10**9)[:1])
    yield it
    it.close()


@pytest.fixture
def following(tmp_path, book):
    with Reader(paths_for(tmp_path).database) as reader:
        yield Following(reader)


def names(rows):
    return [row.id for row in rows]


def test_each_once_whenever_it_ended_and_however_late_it_is_written(following, book):
    assert names(following.look()) == []
    assert book.commit(at(9, 9 * 10**9) + at(10, 10**9) + at(11, 11 * 10**9)[:1])
    assert names(following.look()) == [name_of(9), name_of(10)]
    assert names(following.look()) == []
    assert book.commit(at(8, 8 * 10**9)[1:] + at(11, 11 * 10**9)[1:] + at(12, 1)[1:])
    assert names(following.look()) == [name_of(12), name_of(8), name_of(11)]
    assert following.open == set()
    assert names(following.look()) == []


def test_requests_of_a_front_that_died_have_ended_too(following, book):
    assert book.interrupt(FRONT) == 1
    (row,) = following.look()
    assert (row.id, row.state, row.closed_ns) == (name_of(8), "interrupted", None)


def test_more_than_one_answer_holds(following, book, monkeypatch):
    monkeypatch.setattr(queries, "MOST", 2)
    assert book.commit([event for number in range(20, 27) for event in at(number, number)])
    assert names(following.look()) == [name_of(number) for number in range(20, 27)]


def test_what_retention_took_is_not_told_of_and_not_held(following, tmp_path):
    with closing(sqlite3.connect(paths_for(tmp_path).database)) as connection:
        connection.execute("DELETE FROM request")
        connection.commit()
    assert names(following.look()) == []
    assert following.open == set()


def test_it_goes_on_in_a_store_that_begins_anew(following, book, tmp_path):
    with closing(sqlite3.connect(paths_for(tmp_path).database)) as connection:
        connection.execute("DELETE FROM request")
        connection.commit()
    assert names(following.look()) == []
    assert book.commit(at(30, 1))
    assert names(following.look()) == [name_of(30)]


def test_a_number_that_is_given_again_hides_nobody(following, book, tmp_path):
    assert book.commit(at(9, 1) + at(10, 1))
    assert names(following.look()) == [name_of(9), name_of(10)]
    with closing(sqlite3.connect(paths_for(tmp_path).database)) as connection:
        connection.execute("DELETE FROM request WHERE id = ?", (name_of(10),))
        connection.commit()
    assert book.commit(at(11, 1))
    assert names(following.look()) == [name_of(11)]
    assert names(following.look()) == []
