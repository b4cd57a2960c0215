"""Credits: the choice, and invariants over any order of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tokenpak.ipc.credit import HUNG_AFTER, LIMIT, SESSIONS, Credits
from tokenpak.ipc.zmq_trio import HIGH_WATER


def up(workers: int = 2, **more: int) -> Credits:
    credits_ = Credits(workers, **more)
    for number in range(workers):
        credits_.connected(number)
    return credits_


def test_nobody_is_chosen_before_anybody_is_up():
    assert Credits(2).choose(b"s") is None
    assert not Credits(2).hopeful()
    assert not Credits(2).any_room()


def test_the_session_goes_where_it_was():
    credits_ = up(3)
    for session, worker in ((b"a", 2), (b"b", 0), (b"c", 1)):
        credits_.take(worker, session)
        credits_.give(worker)
    assert [credits_.choose(session) for session in (b"a", b"b", b"c")] == [2, 0, 1]


def test_the_session_never_waits_for_its_worker():
    credits_ = up()
    credits_.take(1, b"a")
    assert credits_.choose(b"a") == 0


def test_strangers_go_round():
    credits_ = up(3)
    order = []
    for number in range(6):
        worker = credits_.choose(b"%d" % number)
        assert worker is not None
        credits_.take(worker, b"%d" % number)
        credits_.give(worker)
        order.append(worker)
    assert order == [0, 1, 2, 0, 1, 2]


def test_the_least_loaded_is_chosen():
    credits_ = up(limit=5)
    credits_.take(0, b"a")
    credits_.take(0, b"a")
    credits_.take(1, b"b")
    assert credits_.choose(b"a") == 1


def test_the_avoided_worker_is_not_chosen():
    credits_ = up()
    credits_.take(0, b"a")
    credits_.give(0)
    assert credits_.choose(b"a", {0}) == 1
    assert credits_.choose(b"a", {0, 1}) is None
    assert credits_.hopeful({0})
    assert not credits_.hopeful({0, 1})


def test_no_worker_holds_more_than_its_credit():
    credits_ = up(1)
    for _ in range(LIMIT):
        credits_.take(0, b"a")
    assert credits_.choose(b"a") is None
    assert credits_.hopeful()
    with pytest.raises(ValueError, match="no credit"):
        credits_.take(0, b"a")
    credits_.give(0)
    assert credits_.choose(b"a") == 0


def test_credit_comes_back_once():
    with pytest.raises(ValueError, match="holds no job"):
        up().give(0)


def test_credits_and_a_ping_stay_far_below_the_high_water_mark():
    assert LIMIT + 1 <= HIGH_WATER // 4


def test_a_quiet_worker_gets_nothing_until_it_is_heard():
    credits_ = up(1)
    credits_.overdue(0)
    assert credits_.choose(b"a") is None
    assert credits_.hopeful()
    credits_.heard(0)
    assert credits_.choose(b"a") == 0


def test_a_worker_without_a_word_is_hung():
    credits_ = up(1)
    for _ in range(HUNG_AFTER):
        assert not credits_.hung(0)
        assert credits_.hopeful()
        credits_.unanswered(0)
    assert credits_.hung(0)
    assert not credits_.hopeful()
    credits_.heard(0)
    assert not credits_.hung(0)


def test_a_connection_begins_and_ends_with_nothing_in_flight():
    for event in ("connected", "disconnected"):
        credits_ = up(1)
        credits_.take(0, b"a")
        credits_.unanswered(0)
        getattr(credits_, event)(0)
        seat = credits_.seats[0]
        assert (seat.in_flight, seat.quiet, seat.misses, seat.up) == (0, False, 0, event == "connected")


def test_sessions_are_forgotten_in_the_end():
    credits_ = up()
    credits_.take(1, b"first")
    credits_.give(1)
    for number in range(SESSIONS):
        credits_.take(0, b"%d" % number)
        credits_.give(0)
    assert len(credits_._seen) == SESSIONS
    credits_.take(1, b"x")
    credits_.give(1)
    assert credits_.choose(b"first") == 0  # like any stranger: the one longest without a job


class Life(RuleBasedStateMachine):
    """Any order of events: the books stay right."""

    @initialize(workers=st.integers(1, 4), limit=st.integers(1, 4))
    def start(self, workers, limit):
        self.credits = Credits(workers, limit)
        self.flying = [0] * workers
        self.up = [False] * workers
        self.silent = [False] * workers

    def worker(self, data):
        return data.draw(st.integers(0, len(self.flying) - 1))

    @rule(data=st.data())
    def connect(self, data):
        worker = self.worker(data)
        self.credits.connected(worker)
        self.flying[worker], self.up[worker], self.silent[worker] = 0, True, False

    @rule(data=st.data())
    def disconnect(self, data):
        worker = self.worker(data)
        self.credits.disconnected(worker)
        self.flying[worker], self.up[worker], self.silent[worker] = 0, False, False

    @rule(data=st.data(), session=st.sampled_from([b"a", b"b", b"c"]), avoid=st.sets(st.integers(0, 3), max_size=2))
    def job(self, data, session, avoid):
        chosen = self.credits.choose(session, avoid)
        able = [
            worker
            for worker, flying in enumerate(self.flying)
            if worker not in avoid and self.up[worker] and not self.silent[worker] and flying < self.credits.limit
        ]
        assert (chosen is None) == (not able)
        if chosen is not None:
            assert chosen in able
            assert self.flying[chosen] == min(self.flying[worker] for worker in able)
            self.credits.take(chosen, session)
            self.flying[chosen] += 1

    @precondition(lambda self: any(self.flying))
    @rule(data=st.data())
    def answer(self, data):
        worker = data.draw(st.sampled_from([number for number, flying in enumerate(self.flying) if flying]))
        self.credits.give(worker)
        self.credits.heard(worker)
        self.flying[worker] -= 1
        self.silent[worker] = False

    @rule(data=st.data(), event=st.sampled_from(["overdue", "unanswered"]))
    def silence(self, data, event):
        worker = self.worker(data)
        if self.up[worker]:
            getattr(self.credits, event)(worker)
            self.silent[worker] = True

    @invariant()
    def books_are_right(self):
        if not hasattr(self, "credits"):
            return
        assert [seat.in_flight for seat in self.credits.seats] == self.flying
        assert all(0 <= flying <= self.credits.limit for flying in self.flying)
        assert [seat.up for seat in self.credits.seats] == self.up
        for worker in range(len(self.flying)):
            assert not self.credits.hung(worker) or self.silent[worker]
        assert not self.credits.any_room() or self.credits.hopeful()


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
