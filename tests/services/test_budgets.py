import threading

import pytest

from tokenpak.core.budget import NANOS, Budget, Refused
from tokenpak.core.cost import ModelPrices, table_of
from tokenpak.services import budgets, shared_log
from tokenpak.services.budgets import Budgets, Spending

TABLE = table_of("2026-11-28", {"anthropic": {"m": ModelPrices(uncached=1_000_000, output=1_000_000)}}, {}, {})
"""A micro-dollar, a thousand nanos, for a token of either kind."""


class Clock:
    day = "2026-11-28"

    def __call__(self):
        return self.day


def made(tmp_path, *limits, clock=None):
    return Budgets(limits, lambda: TABLE, tmp_path / "spend", clock or Clock())


def spending(name="r", tokens=1000, model="m", client="codex", session="s"):
    return Spending(name, "anthropic", model, client, session, tokens, 0)


DAY = Budget(name="day", ceiling=2_000_000)


def test_no_budget_no_file(tmp_path):
    each = made(tmp_path)
    assert each.reserve(spending()) is None
    assert list(tmp_path.iterdir()) == []
    assert each.statistics()["file"] is None


def test_a_request_holds_its_worst_case_and_settles_what_it_cost(tmp_path):
    each = made(tmp_path, DAY)
    one = each.reserve(spending("one", tokens=1500))
    assert one.worst == 1_500_000
    assert isinstance(each.reserve(spending("two")), Refused)
    each.settle(one, 900_000)
    two = each.reserve(spending("two"))
    each.settle(two, None)
    refused = each.reserve(spending("three", tokens=101))
    assert (refused.spent, refused.worst) == (1_900_000, 101_000)
    told = each.statistics()
    assert told["budgets"] == {"day": {"per": "day", "spent": 1_900_000 / NANOS, "held": 0.0}}
    assert (told["reserved"], told["settled"], told["refused"], told["held"]) == (2, 2, 2, 0)


def test_what_was_not_sent_costs_nothing(tmp_path):
    each = made(tmp_path, DAY)
    each.settle(each.reserve(spending(tokens=2000)), 0)
    assert not isinstance(each.reserve(spending(tokens=2000)), Refused)


def test_a_request_no_budget_is_for(tmp_path):
    each = made(tmp_path, Budget(name="b", client="aider", block=1))
    assert each.reserve(spending()) is None


def test_slots_and_restarts_agree(tmp_path):
    one, two = made(tmp_path, DAY), made(tmp_path, DAY)
    held = one.reserve(spending("one"))
    assert two.reserve(spending("two", tokens=1001)).spent == 1_000_000
    two_held = two.reserve(spending("two"))
    one.settle(held, 400_000)
    two.settle(two_held, 500_000)
    later = made(tmp_path, DAY)
    assert later.reserve(spending("x", tokens=1101)).spent == 900_000
    assert not isinstance(later.reserve(spending("x", tokens=1100)), Refused)


def test_what_a_killed_slot_held_counts(tmp_path):
    made(tmp_path, DAY).reserve(spending())
    assert made(tmp_path, DAY).reserve(spending("x", tokens=1001)).spent == 1_000_000


def test_two_at_once_cannot_both_take_the_last_cent(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_log, "_LOCK_TRIES", 5_000)  # however long a busy machine keeps one of them from its turn
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        slots, barrier, outcomes = [made(folder, DAY), made(folder, DAY)], threading.Barrier(2), []

        def ask(slot, name, barrier=barrier, outcomes=outcomes):
            barrier.wait()
            outcomes.append(slot.reserve(spending(name, tokens=1001)))

        threads = [threading.Thread(target=ask, args=(slot, str(i))) for i, slot in enumerate(slots)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(isinstance(outcome, Refused) for outcome in outcomes) == [False, True]


def test_a_model_without_a_price(tmp_path):
    each = made(tmp_path, DAY)
    assert each.reserve(spending(model="unknown")).why == "unpriced"
    assert each.reserve(spending(model=None)).why == "unpriced"
    stated = made(tmp_path, Budget(name="b", ceiling=10, unpriced=4))
    held = [stated.reserve(spending(str(n), model="unknown")) for n in range(2)]
    assert stated.reserve(spending("x", model="unknown")).spent == 8
    stated.settle(held[0], None)
    assert stated.statistics()["budgets"]["b"] == {"per": "day", "spent": 4 / NANOS, "held": 4 / NANOS}
    assert stated.statistics()["unpriced"] == 3


def test_warnings_are_told_and_counted(tmp_path):
    each = made(tmp_path, Budget(name="w", warn=1_000_000))
    each.settle(each.reserve(spending()), 1_000_000)
    assert each.reserve(spending("x")).warned == ("w",)
    assert each.statistics()["warned"] == 1


def test_days_and_months_end(tmp_path):
    clock = Clock()
    each = made(tmp_path, DAY, Budget(name="month", per="month", ceiling=3_000_000), clock=clock)
    late = each.reserve(spending("late", tokens=500))
    each.settle(each.reserve(spending("one", tokens=1500)), 1_500_000)
    clock.day = "2026-11-29"
    each.settle(late, 500_000)
    assert each.statistics()["budgets"]["day"]["spent"] == 0.0
    assert isinstance(each.reserve(spending("x", tokens=1001)), Refused), "the month has 1 left"
    each.settle(each.reserve(spending("two", tokens=1000)), 1_000_000)
    clock.day = "2026-12-01"
    assert not isinstance(each.reserve(spending("three", tokens=2000)), Refused)
    assert {scope for _, scope in each._purses} == {"2026-12-01", "2026-12"}, "nothing of the old month is kept"
    assert made(tmp_path, DAY, clock=clock).reserve(spending("x", tokens=1)).spent == 2_000_000


def test_one_budget_for_each_client_and_each_conversation(tmp_path):
    each = made(
        tmp_path, Budget(name="c", per="client", ceiling=1_000_000), Budget(name="s", per="session", ceiling=600_000)
    )
    assert not isinstance(each.reserve(spending("1", tokens=600, client="a", session="x")), Refused)
    assert each.reserve(spending("2", tokens=1, client="b", session="x")).budget.name == "s"
    assert each.reserve(spending("3", tokens=401, client="a", session="y")).budget.name == "c"
    assert not isinstance(each.reserve(spending("4", tokens=400, client="a", session="y")), Refused)


def test_a_file_that_fails_is_said(tmp_path):
    each = Budgets([DAY], lambda: TABLE, tmp_path / "missing" / "spend", Clock())
    assert each.reserve(spending()).worst == 1_000_000
    assert isinstance(each.reserve(spending("x", tokens=1001)), Refused), "this slot counts on"
    assert each.statistics()["file"] == {"unsaved": 1, "unread": 0, "reason": "No such file or directory"}


def test_conversations_beyond_the_bound_are_forgotten_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(budgets, "SCOPES", 2)
    each = made(tmp_path, Budget(name="s", per="session", ceiling=600_000))
    for name in "xyz":
        each.settle(each.reserve(spending(name, tokens=600, session=name)), 600_000)
    assert each.statistics()["forgotten"] == 1
    assert isinstance(each.reserve(spending("1", tokens=1, session="z")), Refused)


@pytest.mark.parametrize("cost", [0, 1, None])
def test_after_a_shortening_the_same_is_spent(tmp_path, monkeypatch, cost):
    monkeypatch.setattr("tokenpak.services.spend.LONGEST_BYTES", 300)
    limit = Budget(name="b", ceiling=10**9, unpriced=5)
    each = made(tmp_path, limit)
    for number in range(9):
        each.settle(each.reserve(spending(str(number), model=None if cost is None else "m")), cost)
    assert made(tmp_path, limit).statistics()["budgets"] == each.statistics()["budgets"]


def test_a_slot_that_slept_through_two_shortenings_counts_all_and_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenpak.services.spend.LONGEST_BYTES", 300)
    awake, asleep = made(tmp_path, DAY), made(tmp_path, DAY)
    mine = asleep.reserve(spending("mine", tokens=100))
    for number in range(20):
        awake.settle(awake.reserve(spending(str(number), tokens=100)), 10_000)
    assert isinstance(asleep.reserve(spending("too much", tokens=1701)), Refused)
    asleep.settle(mine, 50_000)
    assert asleep.statistics()["budgets"] == made(tmp_path, DAY).statistics()["budgets"]
    assert asleep.statistics()["budgets"][DAY.name] | {"per": ""} == {"per": "", "spent": 0.00025, "held": 0.0}


def test_a_slot_that_only_settles_across_the_end_of_a_month_loses_nothing_of_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenpak.services.spend.LONGEST_BYTES", 300)
    days = Clock(), Clock()
    old, new = (made(tmp_path, Budget(name="b", per="month", ceiling=10**9), clock=clock) for clock in days)
    under_way = [old.reserve(spending(f"old{number}")) for number in range(9)]
    for clock in days:
        clock.day = "2026-12-01"
    new.settle(new.reserve(spending("new")), 700_000)
    for each in under_way:
        old.settle(each, 1)
    new.settle(new.reserve(spending("newer")), 300_000)
    again = made(tmp_path, Budget(name="b", per="month", ceiling=10**9), clock=days[0])
    for slot in (old, new, again):
        slot.reserve(spending("look", tokens=0))
        assert slot.statistics()["budgets"]["b"]["spent"] == 1_000_000 / NANOS


def test_a_slot_whose_clock_is_behind_drops_nothing_of_the_next_month(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenpak.services.spend.LONGEST_BYTES", 300)
    ahead = Clock()
    ahead.day = "2026-12-01"
    limit = Budget(name="b", per="month", ceiling=10**9)
    behind, other = made(tmp_path, limit), made(tmp_path, limit, clock=ahead)
    other.settle(other.reserve(spending("new")), 700_000)
    for number in range(9):
        behind.settle(behind.reserve(spending(str(number))), 1)
    assert made(tmp_path, limit, clock=ahead).statistics()["budgets"]["b"]["spent"] == 700_000 / NANOS
