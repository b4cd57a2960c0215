"""A million rows: the reports, the bytes bound, and a writer that no question stops. Times are printed, not asserted."""

import os
import threading
import time

import pytest
from money_lab import told
from rows_lab import fill

from tokenpak.telemetry import reports, retention, upkeep
from tokenpak.telemetry.book import Book
from tokenpak.telemetry.following import Following
from tokenpak.telemetry.glance import glance
from tokenpak.telemetry.queries import Filter, Reader
from tokenpak.telemetry.retention import Keep, Retention

MIB = 1 << 20
ROWS = int(os.environ.get("TOKENPAK_ROWS") or 1_000_000)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("million") / "tokenpak.db"
    begun = time.perf_counter()
    fill(place, ROWS)
    bytes_ = place.stat().st_size
    print(
        f"\n{ROWS:,} requests: {bytes_ / MIB:.0f} MiB, {bytes_ / ROWS:.0f} bytes each, in {time.perf_counter() - begun:.0f} s"
    )
    return place


def questions(reader, path, now):
    today, week = reports.midnight_ns(now), reports.midnight_ns(now, 6)
    for name, since in (("today", today), ("7 days", week), ("all", 0)):
        for by in (None, "client", "model", "project", "day"):
            yield f"cost {name} by {by}", lambda s=since, b=by: reports.costs(reader, s, b)
            yield f"savings {name} by {by}", lambda s=since, b=by: reports.savings(reader, s, b)
        yield f"drift {name}", lambda s=since: reports.drifts(reader, s)
        yield f"unpriced {name}", lambda s=since: reports.unpriced(reader, s)
    yield "requests", lambda: reader.newest(20, which=Filter(since_ns=week))
    yield "requests of a rare client", lambda: reader.newest(20, which=Filter(since_ns=week, client="nobody"))
    yield "requests of a session", lambda: reader.newest(20, which=Filter(session="session-7"))
    yield "show", lambda: reader.beginning_with(reader.newest(1)[0].id)
    following = Following(reader)
    yield "watch", lambda: list(following.look())
    yield "statusline", lambda: glance(str(path), "session-1", today // 10**9)


@pytest.mark.long
def test_reports(path):
    with Reader(path) as reader:
        took = {}
        for name, ask in questions(reader, path, time.time_ns()):
            begun = time.perf_counter()
            ask()
            took[name] = time.perf_counter() - begun
        (cost,) = reports.costs(reader, 0, None)
    assert (cost.requests, cost.reported, cost.unpriced) == (ROWS, ROWS, ROWS // 10)
    for name, seconds in sorted(took.items(), key=lambda pair: -pair[1]):
        print(f"{seconds * 1000:7.1f} ms  {name}")


@pytest.mark.long
def test_questions_do_not_block_the_writer(path):
    """Each batch is committed while some question is under way, and none is refused."""
    book, ended, asked = Book(path), threading.Event(), []

    def ask():
        with Reader(path) as reader:
            while not ended.is_set():
                asked.append(reports.savings(reader, 0, "day"))
                reader.totals()

    thread = threading.Thread(target=ask)
    thread.start()
    slowest = 0.0
    try:
        for number in range(100):
            begun = time.perf_counter()
            assert book.commit(told(number, time.time_ns()))
            slowest = max(slowest, time.perf_counter() - begun)
    finally:
        ended.set()
        thread.join()
    print(f"\nslowest commit of 100 beside {len(asked)} rounds of questions: {slowest * 1000:.1f} ms")
    assert book.statistics().degraded is None
    book.close()


@pytest.mark.long
def test_retention_holds_the_bytes(path):
    book = Book(path)
    with book._engine.begin() as connection:
        before = retention.size_of(connection)
    bound = before.used * 9 // 10
    it, steps = Retention(Keep(days=36_500, bytes=bound)), []
    it._due = 0.0
    while it.due():
        begun = time.perf_counter()
        book.trim(it)
        steps.append(time.perf_counter() - begun)
    steps.sort()
    book.close()
    print(
        f"\n{it.statistics()}: {len(steps)} steps, median {steps[len(steps) // 2] * 1000:.1f} ms, 99 of 100 within {steps[len(steps) * 99 // 100] * 1000:.1f} ms"
    )
    assert path.stat().st_size <= bound
    assert upkeep.findings(path) == []
