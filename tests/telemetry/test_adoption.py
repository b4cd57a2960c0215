"""What the dead leave: replayed once in effect, however often it is begun."""

import pytest
from store_lab import FRONT, OTHER, closed, leave_journal, name_of, opened, pair, rows, states
from worker_lab import instance

from tokenpak.ipc.event_frames import pack_body
from tokenpak.services.journal import Journal, fronts
from tokenpak.telemetry import adoption as adoptions
from tokenpak.telemetry.adoption import Adoption
from tokenpak.telemetry.book import REOPEN_S, Book


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def paths():
    with instance() as settings:
        yield settings.paths


@pytest.fixture
def book(paths, clock):
    it = Book(paths.database, clock)
    yield it
    it.close()


@pytest.fixture
def adoption(paths, book, clock):
    it = Adoption(paths.journal, book, clock)
    yield it
    it.release()


def settle(adoption):
    for _ in range(1000):
        if not adoption.step():
            return
    raise AssertionError("adoption never ends")


def history(count):
    """Both events of `count` requests but for the last one, which stays open."""
    events = [(envelope.seq, envelope.event) for number in range(count) for envelope in pair(number)]
    return events[:-1]


def test_a_journal_becomes_rows_and_goes(adoption, paths):
    leave_journal(paths, history(500))
    settle(adoption)
    assert states(paths.database) == {"done": 499, "interrupted": 1}
    assert fronts(paths.journal) == []
    statistics = adoption.statistics()
    assert (statistics.adopted, statistics.replayed, statistics.garbled, statistics.torn) == (1, 999, 0, 0)


def test_one_step_is_one_batch(adoption, paths):
    leave_journal(paths, history(300))
    for _ in range(4):
        assert adoption.step()
    assert adoption.statistics().replayed == 2 * adoptions.BATCH


def test_a_living_front_keeps_its_journal_and_its_open_rows(adoption, book, paths, clock):
    journal = Journal(paths.journal, FRONT)
    journal.append(1, pack_body(opened(1)))
    book.commit(pair(1)[:1])
    for _ in range(5):
        settle(adoption)
        clock.now += 3600
    assert states(paths.database) == {"open": 1}
    journal.close()
    clock.now += adoptions.SCAN_S
    settle(adoption)
    assert states(paths.database) == {"interrupted": 1}


def test_open_rows_of_a_front_without_files_are_interrupted(adoption, book, paths):
    book.commit(pair(1)[:1] + pair(2, OTHER))
    settle(adoption)
    assert states(paths.database) == {"interrupted": 1, "done": 1}
    assert list(paths.journal.iterdir()) == []


def test_a_true_close_that_comes_later_wins(adoption, book, paths):
    leave_journal(paths, history(1))
    settle(adoption)
    assert states(paths.database) == {"interrupted": 1}
    assert book.commit(pair(0)[1:])
    assert states(paths.database) == {"done": 1}


@pytest.mark.parametrize("steps", range(2, 9))
def test_a_replay_broken_off_anywhere_is_repeated_to_no_harm(paths, clock, steps):
    leave_journal(paths, history(500))
    for _ in range(2):
        book = Book(paths.database, clock)
        adoption = Adoption(paths.journal, book, clock)
        for _ in range(steps):
            adoption.step()
        adoption.release()  # as the kernel does for the dead
        book.close()
    book = Book(paths.database, clock)
    settle(Adoption(paths.journal, book, clock))
    book.close()
    assert states(paths.database) == {"done": 499, "interrupted": 1}
    assert rows(paths.database, "id") == [(name_of(number),) for number in range(500)]
    assert fronts(paths.journal) == []


def test_a_journal_whose_events_are_stored_already_changes_nothing(adoption, book, paths):
    events = [envelope for number in range(10) for envelope in pair(number)]
    book.commit(events)
    before = rows(paths.database)
    leave_journal(paths, [(envelope.seq, envelope.event) for envelope in events])
    settle(adoption)
    assert rows(paths.database) == before
    assert book.statistics().repeated == 20


def test_events_nobody_understands_are_counted_and_do_not_stay(adoption, paths):
    journal = Journal(paths.journal, FRONT)
    for seq, body in ((1, pack_body(opened(1))), (2, b"noise"), (3, pack_body(closed(1)))):
        journal.append(seq, body)
    journal.close()
    settle(adoption)
    assert states(paths.database) == {"done": 1}
    assert adoption.statistics().garbled == 1
    assert fronts(paths.journal) == []


def test_a_torn_tail_is_counted_and_the_rest_is_replayed(adoption, paths):
    leave_journal(paths, history(3))
    (segment,) = paths.journal.glob("*.events")
    with segment.open("ab") as file:
        file.write(b"\0\0\1")
    settle(adoption)
    assert states(paths.database) == {"done": 2, "interrupted": 1}
    assert adoption.statistics().torn == 1


def test_nothing_is_deleted_while_the_store_refuses(paths, clock):
    paths.database.write_bytes(b"garbage " * 1000)
    leave_journal(paths, history(3))
    book = Book(paths.database, clock)
    adoption = Adoption(paths.journal, book, clock)
    files = {path.name: path.read_bytes() for path in paths.journal.iterdir()}
    for _ in range(3):
        settle(adoption)
        clock.now += 3600
    assert {path.name: path.read_bytes() for path in paths.journal.iterdir()} == files
    paths.database.unlink()
    clock.now += REOPEN_S
    settle(adoption)
    assert states(paths.database) == {"done": 2, "interrupted": 1}
    book.close()


def test_a_store_that_refuses_in_the_middle_leaves_the_journal(adoption, book, paths, clock, monkeypatch):
    leave_journal(paths, history(500))
    for _ in range(3):
        adoption.step()
    with monkeypatch.context() as patch:
        patch.setattr(book, "commit", lambda _events: False)
        settle(adoption)
        assert fronts(paths.journal) == [FRONT]
    clock.now += adoptions.SCAN_S
    settle(adoption)
    assert states(paths.database) == {"done": 499, "interrupted": 1}


def test_journals_that_cannot_be_read_are_told_and_stay(adoption, paths, clock):
    leave_journal(paths, history(2))
    (segment,) = paths.journal.glob("*.events")
    content = segment.read_bytes()
    segment.unlink()
    segment.mkdir()
    settle(adoption)
    assert adoption.trouble == "Is a directory"
    segment.rmdir()
    segment.write_bytes(content)
    clock.now += adoptions.SCAN_S
    settle(adoption)
    assert adoption.trouble is None
    assert states(paths.database) == {"done": 1, "interrupted": 1}


def test_scans_are_rare_and_the_last_one_is_made_at_once(adoption, paths, clock):
    settle(adoption)
    leave_journal(paths, history(500))
    settle(adoption)
    assert fronts(paths.journal) == [FRONT], "not time yet"
    adoption.finish(clock.now + 5)
    assert fronts(paths.journal) == []
    assert states(paths.database) == {"done": 499, "interrupted": 1}


def test_the_last_scan_follows_the_journal_at_hand(adoption, paths, clock):
    leave_journal(paths, history(300))
    for _ in range(3):
        adoption.step()
    leave_journal(paths, [(1, opened(900)), (2, closed(900))], OTHER)
    adoption.finish(clock.now + 5)
    assert fronts(paths.journal) == []
    assert rows(paths.database, "state", f"id = '{name_of(900)}'") == [("done",)]


def test_the_last_scan_is_bounded(adoption, paths, clock):
    leave_journal(paths, history(300))
    adoption.finish(clock.now)
    assert fronts(paths.journal) == [FRONT]
