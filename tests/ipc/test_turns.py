"""Turns: each property over any order of arrivals; the deque that stood here before fails the bound."""

from collections import Counter, defaultdict
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.ipc.turns import JOB_COST, Turns

PARTIES = [b"a", b"b", b"c", b"d"]
SIZES = st.sampled_from([0, 1, 2_000, 170_000, 2_000_000, 60_000_000])
ARRIVALS = st.tuples(st.sampled_from(PARTIES), SIZES)
STEPS = st.lists(ARRIVALS | st.sampled_from(["serve", "serve", "leave"]), max_size=60)


class Line:
    """A line whose items are their number, party and size."""

    def __init__(self):
        self.turns, self.numbers = Turns(), count()

    def add(self, party, size):
        item = (next(self.numbers), party, size)
        self.turns.add(item, party, size)
        return item

    def serve(self):
        item = next(iter(self.turns))
        self.turns.serve(item)
        return item

    def play(self, steps):
        for step in steps:
            if isinstance(step, tuple):
                self.add(*step)
            elif self.turns and step == "serve":
                self.serve()
            elif self.turns:
                self.turns.remove(list(self.turns)[-1])


def cost(item):
    return item[2] + JOB_COST


def test_first_come_first_served_among_equals():
    line = Line()
    items = [line.add(party, 1000) for party in PARTIES]
    assert [line.serve() for _ in items] == items


def test_a_party_with_much_to_do_delays_itself_only():
    line = Line()
    large = [line.add(b"a", 2_000_000) for _ in range(20)]
    small = [line.add(b"b", 2_000) for _ in range(20)]
    assert [line.serve() for _ in range(40)] == [*small, *large]


def test_but_it_is_not_kept_waiting_for_ever_by_a_stream_of_small_ones():
    line = Line()
    large = line.add(b"a", 2_000_000)
    passed = 0
    for _ in range(1000):
        line.add(b"b", 0)
        if line.serve() == large:
            break
        passed += 1
    assert passed == 2_000_000 // JOB_COST + 1


@given(before=STEPS, arrival=ARRIVALS, later=st.lists(ARRIVALS, max_size=80))
def test_nobody_is_passed_by_more_of_anothers_work_than_his_own_and_one_job(before, arrival, later):
    line = Line()
    line.play(before)
    party, size = arrival
    for waiting in [item for item in line.turns if item[1] == party]:
        line.turns.remove(waiting)
    mine = line.add(party, size)
    passed = defaultdict(list)
    flood = iter(later)
    while (served := line.serve()) != mine:
        passed[served[1]].append(cost(served))
        for _ in range(2):
            if (more := next(flood, None)) and more[0] != party:
                line.add(*more)
    assert party not in passed
    for costs in passed.values():
        assert sum(costs) <= cost(mine) + max(costs)


@given(steps=STEPS)
def test_each_party_is_served_in_the_order_it_came_and_nothing_is_lost(steps):
    line = Line()
    line.play(steps)
    rest = list(line.turns)
    assert len(rest) == len(line.turns)
    assert all(item in line.turns for item in rest)
    served = [line.serve() for _ in rest]
    assert served == rest
    assert not line.turns
    for party in PARTIES:
        numbers = [number for number, whose, _ in served if whose == party]
        assert numbers == sorted(numbers)


@given(steps=STEPS)
def test_whoever_has_nothing_waiting_starts_where_time_stands(steps):
    """No account is kept: two parties without a waiting job are equals, whatever they were served before."""
    line = Line()
    line.play(steps)
    while line.turns:
        line.serve()
    items = [line.add(party, 7) for party in reversed(PARTIES)]
    assert [line.serve() for _ in items] == items


@given(steps=STEPS)
def test_what_leaves_unserved_is_not_charged(steps):
    """Beside a party whose items all left again, another fares as if that one had never come."""
    line, other = Line(), Line()
    for step in steps:
        if isinstance(step, tuple):
            line.turns.remove(line.add(*step))
    assert (line.add(b"a", 5)[1:], line.turns._line[0].mark) == (other.add(b"a", 5)[1:], other.turns._line[0].mark)


def test_what_may_not_go_yet_is_passed_and_keeps_its_turn():
    line = Line()
    blocked = line.add(b"a", 0)
    free = line.add(b"b", 10)
    line.turns.serve(free)
    late = line.add(b"c", 0)
    assert list(line.turns) == [blocked, late]


def test_who_stands_last_gives_way_to_whom_he_would_be_behind():
    line = Line()
    assert line.turns.last_behind(b"a", 0) is None
    items = [line.add(b"a", 1000) for _ in range(3)]
    assert line.turns.last_behind(b"b", 1000) == items[-1]
    assert line.turns.last_behind(b"a", 0) is None
    assert line.turns.last_behind(b"b", 60_000_000) is None


def test_an_item_is_told_by_what_it_is_and_not_by_what_it_equals():
    turns = Turns()
    one, same = [1], [1]
    turns.add(one, b"a", 0)
    assert one in turns
    assert same not in turns
    with pytest.raises(StopIteration):
        turns.remove(same)


def test_shares_are_equal_while_all_have_work():
    line = Line()
    for number in range(40):
        for party, size in ((b"a", 600_000), (b"b", 200_000), (b"c", 0)):
            if number * (size + JOB_COST) < 40 * JOB_COST * 20:
                line.add(party, size)
    done = Counter()
    while len({party for _, party, _ in line.turns}) == 3:
        item = line.serve()
        done[item[1]] += cost(item)
    assert max(done.values()) - min(done.values()) <= 600_000 + JOB_COST
