"""Credits: the choice, and invariants over any order of events."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tokenpak.ipc.credit import HUNG_AFTER, LARGE, LIMIT, SESSIONS, Credits
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


def test_nothing_is_handed_to_a_worker_that_holds_a_large_job():
    credits_ = up()
    credits_.take(0, b"a", LARGE)
    assert [credits_.choose(b"a", size=size) for size in (0, LARGE - 1)] == [1, 1]
    assert credits_.choose(b"a", {1}) is None
    credits_.give(0, LARGE)
    assert credits_.choose(b"a", {1}) == 0


def test_a_large_job_may_stand_behind_a_small_one_and_outlast_it():
    credits_ = up(1)
    credits_.take(0, b"a", 5)
    credits_.take(0, b"b", LARGE)
    credits_.give(0, 5)
    assert credits_.choose(b"c") is None
    credits_.give(0, LARGE)
    assert credits_.choose(b"c") == 0


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_large_jobs_leave_a_worker_to_the_small_ones(workers, most):
    credits_ = up(workers)
    for _ in range(most):
        credits_.take(credits_.choose(b"a", size=LARGE), b"a", LARGE)
    assert credits_.choose(b"a", size=LARGE) is None
    assert (credits_.choose(b"b", size=LARGE - 1) is None) == (workers == 1)


def test_a_worker_that_does_not_answer_is_none_to_leave_to_the_small_ones():
    credits_ = up(2)
    credits_.overdue(0)
    assert credits_.choose(b"a", size=LARGE) == 1
    credits_.take(1, b"a", LARGE)
    credits_.overdue(1)
    credits_.heard(0)
    assert credits_.choose(b"b", size=LARGE) == 0  # the only one that answers


def test_a_lost_connection_takes_its_large_job_along():
    credits_ = up(1)
    credits_.take(0, b"a", LARGE)
    credits_.connected(0)
    assert credits_.choose(b"a", size=LARGE) == 0


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
        self.flying = [[] for _ in range(workers)]
        self.up = [False] * workers
        self.silent = [False] * workers

    def worker(self, data):
        return data.draw(st.integers(0, len(self.flying) - 1))

    @rule(data=st.data())
    def connect(self, data):
        worker = self.worker(data)
        self.credits.connected(worker)
        self.flying[worker], self.up[worker], self.silent[worker] = [], True, False

    @rule(data=st.data())
    def disconnect(self, data):
        worker = self.worker(data)
        self.credits.disconnected(worker)
        self.flying[worker], self.up[worker], self.silent[worker] = [], False, False

    @rule(
        session=st.sampled_from([b"a", b"b", b"c"]),
        avoid=st.sets(st.integers(0, 3), max_size=2),
        size=st.sampled_from([0, 1000, LARGE, LARGE * 9]),
    )
    def job(self, session, avoid, size):
        chosen = self.credits.choose(session, avoid, size)
        answering = [worker for worker, up in enumerate(self.up) if up and not self.silent[worker]]
        held = {worker for worker in answering if max(self.flying[worker], default=0) >= LARGE}
        able = [
            worker
            for worker in answering
            if worker not in avoid | held and len(self.flying[worker]) < self.credits.limit
        ]
        if size >= LARGE and len(held) >= max(1, len(answering) - 1):
            able = []
        assert (chosen is None) == (not able)
        if chosen is not None:
            assert chosen in able
            assert len(self.flying[chosen]) == min(len(self.flying[worker]) for worker in able)
            self.credits.take(chosen, session, size)
            self.flying[chosen].append(size)

    @precondition(lambda self: any(self.flying))
    @rule(data=st.data())
    def answer(self, data):
        worker = data.draw(st.sampled_from([number for number, flying in enumerate(self.flying) if flying]))
        self.credits.give(worker, self.flying[worker].pop(0))
        self.credits.heard(worker)
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
        assert [seat.in_flight for seat in self.credits.seats] == [len(flying) for flying in self.flying]
        assert all(len(flying) <= self.credits.limit for flying in self.flying)
        assert all(sum(size >= LARGE for size in flying) <= 1 for flying in self.flying)
        assert [seat.up for seat in self.credits.seats] == self.up
        for worker in range(len(self.flying)):
            assert not self.credits.hung(worker) or self.silent[worker]
        assert not self.credits.any_room() or self.credits.hopeful()


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
