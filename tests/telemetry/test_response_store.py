"""The file of stored answers under its writer: bounds, damage, and what a reader finds of it."""

import os
import sqlite3
import stat

import pytest
from response_lab import frame, key, stored

from tokenpak.core.recall import Bounds
from tokenpak.services import response_file
from tokenpak.telemetry.response_store import SWEEP_S, ResponseStore

MIB = 2**20
SMALL = Bounds(max_bytes=MIB, max_entry_bytes=100_000, max_age_s=100)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "responses.db"


@pytest.fixture
def store(path, clock):
    store = ResponseStore(path, SMALL, clock)
    yield store
    store.close()


def held(path, numbers):
    return [number for number in numbers if response_file.find(path, key(number))]


def test_what_was_put_in_is_found_and_the_later_answer_counts(store, path):
    store.put(frame(1, b"old", at_s=1000))
    store.put(frame(1, b"new", b"er", at_s=1001))
    assert response_file.find(path, key(1)) == stored(1, b"new", b"er", at_s=1001)
    assert response_file.find(path, key(2)) is None
    assert (store.statistics().stored, store.statistics().held) == (2, 1)


def test_the_file_is_the_users_alone(store, path):
    store.put(frame(1))
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_the_file_stays_within_its_bound_and_the_oldest_go(store, path):
    for number in range(100):
        store.put(frame(number, os.urandom(50_000), at_s=1000 + number))
        assert path.stat().st_size <= MIB
    numbers = held(path, range(100))
    assert numbers == list(range(numbers[0], 100))
    assert 15 <= len(numbers) <= 20
    found = store.statistics()
    assert (found.stored, found.evicted, found.held) == (100, 100 - len(numbers), len(numbers))


def test_a_smaller_bound_makes_a_smaller_file(path, clock):
    large = ResponseStore(path, Bounds(max_bytes=8 * MIB, max_entry_bytes=MIB), clock)
    for number in range(30):
        large.put(frame(number, os.urandom(100_000), at_s=1000))
    large.close()
    small = ResponseStore(path, SMALL, clock)
    small.sweep()
    small.close()
    assert path.stat().st_size <= MIB
    assert held(path, range(30))


def test_what_is_too_large_or_garbled_is_refused(store, path):
    store.put(frame(1, b"x" * 400_000))
    store.put(frame(2)[:-1] + b"?")
    store.put(b"")
    assert held(path, range(3)) == []
    assert store.statistics().refused == 3


def test_an_answer_larger_than_all_the_room_goes_in_nowhere(path, clock):
    store = ResponseStore(path, Bounds(max_bytes=MIB, max_entry_bytes=2 * MIB), clock)
    store.put(frame(1, b"x" * (MIB + 1)))
    assert (store.statistics().refused, store.statistics().trouble) == (1, None)
    store.close()


def test_what_is_too_old_goes_and_so_does_what_is_of_the_future(store, path, clock):
    store.sweep()
    store.put(frame(1, at_s=1000))
    store.put(frame(2, at_s=1090))
    store.put(frame(3, at_s=10**6))
    clock.now = 1101
    store.sweep()
    assert held(path, (1, 2, 3)) == [2]
    assert store.statistics().expired == 2
    store.put(frame(4, at_s=1000))
    store.sweep()
    assert held(path, (2, 4)) == [2, 4]
    clock.now += SWEEP_S
    store.sweep()
    assert held(path, (2, 4)) == [2]


def spoil_head(path):
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)


def spoil_middle(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def be_foreign(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE answer (mine)")
    connection.close()


@pytest.mark.parametrize("spoil", [spoil_head, spoil_middle, be_foreign])
def test_a_damaged_file_is_made_anew_and_counted(path, clock, spoil):
    first = ResponseStore(path, SMALL, clock)
    for number in range(20):
        first.put(frame(number, b"x" * 5000, at_s=1000))
    first.close()
    spoil(path)
    second = ResponseStore(path, SMALL, clock)
    second.put(frame(1, b"again", at_s=1000))
    second.put(frame(2, b"again", at_s=1000))
    assert second.statistics().recreated == 1
    assert response_file.find(path, key(2)) == stored(2, b"again", at_s=1000)
    second.close()


def test_a_file_that_is_taken_away_is_made_anew(store, path):
    store.put(frame(1))
    response_file.delete(path)
    store.put(frame(2, at_s=1000))
    assert held(path, (1, 2)) == [2]


def test_a_place_that_cannot_be_written_costs_answers_and_nothing_else(tmp_path, clock):
    store = ResponseStore(tmp_path / "no" / "such" / "place", SMALL, clock)
    store.put(frame(1))
    store.sweep()
    found = store.statistics()
    assert (found.refused, found.stored, found.held) == (1, 0, 0)
    assert "No such file" in found.trouble
    (tmp_path / "no" / "such").mkdir(parents=True)
    clock.now += 60
    store.put(frame(1))
    assert (store.statistics().held, store.statistics().trouble) == (1, None)
    store.close()


@pytest.mark.parametrize(
    ("code", "left"), [(sqlite3.SQLITE_CORRUPT, 0), (sqlite3.SQLITE_IOERR_CORRUPTFS, 1), (sqlite3.SQLITE_FULL, 1)]
)
def test_damage_that_shows_at_work_ends_the_file_and_a_full_disk_does_not(store, path, code, left):
    def fail(_connection):
        error = sqlite3.DatabaseError("as it happens")
        error.sqlite_errorcode = code
        raise error

    store.put(frame(1, at_s=1000))
    store._attempt(fail)
    assert (store.statistics().held, store.statistics().recreated) == (left, 1 - left)
    store.put(frame(2, at_s=1000))
    assert store.statistics().held == left + 1
