import itertools
import re
from pathlib import Path

from tokenpak.control.states import MOVES, Code, Seen, State, state_of

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
EVERY = [
    Seen(*each)
    for each in itertools.product((True, False), ("running", "stopping", None), (True, False), (True, False))
]


def test_every_state_can_be_found_and_has_an_exit_code():
    assert {state_of(seen) for seen in EVERY} == set(State)
    assert {code.name.lower() for code in Code} == {str(state) for state in State}


def test_requests_are_carried_in_two_states_and_no_other():
    carrying = {State.READY, State.DEGRADED}
    for seen in EVERY:
        assert (state_of(seen) in carrying) == (seen.tree == "running" and seen.serving)
        if state_of(seen) in carrying:
            assert (state_of(seen) is State.DEGRADED) == seen.missing


def test_stopped_means_that_nobody_is_there():
    assert all((state_of(seen) is State.STOPPED) == (not seen.owned and seen.tree is None) for seen in EVERY)


def test_every_state_is_reached_and_left_and_a_stop_always_drains():
    assert {move.after for move in MOVES} == {move.before for move in MOVES} == set(State)
    assert {move.after for move in MOVES if move.before is State.DRAINING} >= {State.STOPPED}
    assert [move.before for move in MOVES if move.after is State.STOPPED] == [State.DRAINING]
    assert len({(move.before, move.after) for move in MOVES}) == len(MOVES)


def test_the_page_draws_this_machine():
    rows = re.findall(r"^\| (\w+) \| (\w+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [tuple(row) for row in rows if {row[0], row[1]} <= set(State)] == [tuple(map(str, move)) for move in MOVES]


def test_the_page_tells_these_exit_codes():
    told = re.findall(r"^\| (\w+) \| (\d) \|", PAGE, re.MULTILINE)
    assert {name: int(code) for name, code in told} == {code.name.lower(): code.value for code in Code}
