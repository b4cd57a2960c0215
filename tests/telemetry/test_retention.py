"""What goes and what stays, in steps that end by the clock."""

import contextlib
import sqlite3

from money_lab import HOUR_NS, told
from store_lab import name_of, rows

from tokenpak.telemetry import retention, store
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.retention import DAY_NS, Keep, Retention, trim
from tokenpak.telemetry.store import close_store, open_store

NOW_NS = 20_000 * DAY_NS
MUCH = 1 << 40


class Clock:
    """Stands still unless it is moved; each look at it takes `tick` seconds."""

    def __init__(self, tick=0.0):
        self.now, self.tick = 1_000.0, tick

    def __call__(self):
        self.now += self.tick
        return self.now


def made(keep, clock=None):
    clock = clock or Clock()
    it = Retention(keep, clock, lambda: NOW_NS)
    assert not it.due()
    clock.now += retention.LOOK_S
    return it


def until_done(book, it, most=5_000):
    for _ in range(most):
        if not it.due():
            return it.statistics()
        book.trim(it)
    raise AssertionError("it never has enough")


def ids(path):
    return [id_ for (id_,) in rows(path, "id")]


def test_what_is_too_old_goes_with_all_its_lines(book, path):
    for number in range(1, 31):
        book.commit(told(number, NOW_NS - number * DAY_NS))
    assert until_done(book, made(Keep(10, MUCH))).deleted == 20
    assert ids(path) == [name_of(number) for number in range(1, 11)]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table in ("saving", "pass_tally"):
            assert connection.execute(f"SELECT count(DISTINCT request_id) FROM {table}").fetchone() == (10,)  # noqa: S608
        assert connection.execute("SELECT sum(requests) FROM request_quarter").fetchone() == (10,)


def test_what_is_open_stays_and_what_never_opened_goes_by_its_close(book, path):
    old = NOW_NS - 90 * DAY_NS
    book.commit(told(1, old)[:1])
    book.commit(told(2, old)[1:])
    book.commit(told(3, NOW_NS - HOUR_NS)[1:])
    until_done(book, made(Keep(10, MUCH)))
    assert ids(path) == [name_of(1), name_of(3)]


def test_the_bytes_are_held_and_the_newest_stay(book, path):
    for number in range(1, 401):
        book.commit(told(number, NOW_NS - HOUR_NS + number))
    with book._engine.begin() as connection:
        bound = retention.size_of(connection).used * 2 // 3
    found = until_done(book, made(Keep(100, bound), Clock(tick=retention.STEP_S / 2)))
    left = ids(path)
    assert found.size.used <= bound
    assert 100 < len(left) < 300
    assert left == [name_of(number) for number in range(401 - len(left), 401)]


def test_below_the_bound_nothing_goes(book, path):
    book.commit(told(1, NOW_NS - HOUR_NS))
    found = until_done(book, made(Keep(1, 1 << 30)))
    assert (found.deleted, found.returned, len(ids(path))) == (0, 0, 1)


def test_freed_pages_are_given_back_and_some_are_kept(book, path, monkeypatch):
    monkeypatch.setattr(retention, "SPARE_PAGES", 4)
    for number in range(1, 401):
        book.commit(told(number, NOW_NS - 90 * DAY_NS))
    found = until_done(book, made(Keep(1, MUCH)))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (4,)
    assert found.returned > 20


def test_a_file_without_incremental_vacuum_keeps_its_size(path, monkeypatch):
    monkeypatch.setattr(retention, "SPARE_PAGES", 0)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.executescript(store.Path(store.__file__).with_name("schema.sql").read_text())
        connection.execute("PRAGMA journal_mode = WAL")
    book = Book(path)
    for number in range(1, 101):
        book.commit(told(number, NOW_NS - 90 * DAY_NS))
    found = until_done(book, made(Keep(1, MUCH)))
    assert (found.deleted, found.returned, ids(path)) == (100, 0, [])
    book.close()


def test_a_step_ends_by_the_clock(path):
    engine = open_store(path)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
            "INSERT INTO request (id, front, state, opened_ns) SELECT i, 'f', 'done', i FROM n"
        )
        slow = trim(connection, NOW_NS, Clock(tick=retention.STEP_S / 2))
        assert slow.more
        assert retention.ROWS <= slow.requests <= 3 * retention.ROWS
        quick = trim(connection, NOW_NS, Clock())
        assert quick.requests == 500 - slow.requests
    close_store(engine)


def test_with_nothing_to_do_it_looks_again_later(book):
    clock = Clock()
    it = made(Keep(1, 1 << 30), clock)
    assert it.due()
    book.trim(it)
    assert not it.due()
    clock.now += retention.LOOK_S
    assert it.due()


def test_a_store_that_refuses_is_left_alone_for_a_while(tmp_path):
    path = tmp_path / "tokenpak.db"
    path.mkdir()
    it = made(Keep(1, MUCH))
    Book(path).trim(it)
    assert not it.due()
    assert it.statistics().deleted == 0
