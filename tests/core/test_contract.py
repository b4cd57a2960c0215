"""The patch contract, over made-up agent sessions, hostile ones, and every recorded one that is at hand."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core import corpus
from tests.core.contract import LOW, OFF, Front, Words
from tests.core.hostile import SESSIONS, Act, Play
from tests.core.readings import bodies
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core import markers
from tokenpak.core.body import read
from tokenpak.core.patch import Format, Policy
from tokenpak.core.pipeline import decide
from tokenpak.core.splice import apply_edits

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@FORMATS
@pytest.mark.parametrize("seed", range(5))
def test_contract_over_made_up_sessions(fmt: Format, seed: int):
    front = Front(fmt)
    for body in bodies(fmt, seed):
        front.turn(body)
    assert front.edits >= 3


@FORMATS
@pytest.mark.parametrize("seed", range(10, 15))
def test_contract_with_workers_stopped_and_levels_switched_in_mid_session(fmt: Format, seed: int):
    front, rng = Front(fmt), Random(seed)
    for body in bodies(fmt, seed):
        match rng.randrange(8):
            case 0:
                front.alone(body)
            case 1:
                front.turn(body, OFF)
            case 2:
                front.ask(body)  # a count: answered, not remembered
                front.turn(body)
            case 3:
                front.ask(body, OFF)
                front.turn(body)
            case _:
                front.turn(body)
    assert front.edits


@FORMATS
def test_contract_over_forks(fmt: Format):
    front = Front(fmt)
    one, two = agent_session(30, 10), agent_session(31, 10)
    for count in one.turns()[4:]:
        half = one.messages[: one.turns()[5]] + two.messages[1:count]
        front.turn(written(body_of(fmt, one, count)))
        front.turn(written(body_of(fmt, one._replace(messages=half), len(half))))
    assert front.edits


@FORMATS
def test_a_restart_of_everything_but_the_plan_changes_nothing(fmt: Format):
    front, again = Front(fmt, cold=False), Front(fmt, cold=False)
    for body in bodies(fmt, 40):
        fresh = Front(fmt, cold=False)
        fresh.forms = list(front.forms)
        assert fresh.turn(body) == front.turn(body)
        assert again.turn(body) == apply_edits(body, front.replayed(body).edits)


@FORMATS
@pytest.mark.parametrize("seed", range(3))
def test_a_decision_never_depends_on_what_comes_behind_its_block(fmt: Format, seed: int):
    """Pure and cold: every shorter request gets the forms that the longest one gives the same blocks."""
    session = agent_session(seed, 12)
    messages = range(1, len(session.messages) + 1)
    views = [read(fmt, written(body_of(fmt, session, count))) for count in messages]
    decided = [[(d.step.chain, d.changes) for d in decide(view, LOW, {}, Words()).decisions] for view in views]
    assert any(changes for _, changes in decided[-1])
    for each in decided:
        assert each == decided[-1][: len(each)]


def pasted_from(sent: bytes) -> list[str]:
    """The lines of a sent body that are markers."""
    texts: list[Any] = [json.loads(sent)]
    found = []
    while texts:
        match texts.pop():
            case str() as text:
                found += [line for line in text.split("\n") if markers.parse(line)]
            case dict() as members:
                texts += members.values()
            case list() as elements:
                texts += elements
    return found


def play_hostile(fmt: Format, acts: list[Act], seed: int) -> int:
    rng, front, sent = Random(seed), Front(fmt, Policy(floor_tokens=0)), [b"{}"]
    for session in Play(lambda: pasted_from(sent[-1])).turns(acts):
        body = restyled(body_of(fmt, session, len(session.messages)), any_style(rng), rng)
        sent.append(front.alone(body) if rng.random() < 0.15 else front.turn(body, OFF if rng.random() < 0.1 else None))
    return front.edits


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(list(Format)), SESSIONS, st.integers(0, 10**6))
def test_contract_over_hostile_sessions(fmt: Format, acts: list[Act], seed: int):
    play_hostile(fmt, acts, seed)


@pytest.mark.long
@settings(max_examples=8000, deadline=None, suppress_health_check=SLOW)
@given(st.sampled_from(list(Format)), SESSIONS, st.integers(0, 10**6))
def test_contract_over_many_hostile_sessions(fmt: Format, acts: list[Act], seed: int):
    play_hostile(fmt, acts, seed)


@pytest.mark.long
@FORMATS
@pytest.mark.parametrize("seed", range(1000, 1040))
def test_contract_over_many_made_up_sessions(fmt: Format, seed: int):
    front, rng = Front(fmt), Random(seed)
    for body in bodies(fmt, seed, 40):
        front.alone(body) if rng.random() < 0.1 else front.turn(body, OFF if rng.random() < 0.1 else None)


@pytest.mark.parametrize("recorded", corpus.sessions(), ids=lambda each: each.name)
def test_contract_over_recorded_sessions(recorded: corpus.Recorded):
    """Some turns of each; the long form takes every one."""
    corpus.play(recorded, turns=12)


@pytest.mark.long
@pytest.mark.parametrize("recorded", corpus.sessions(), ids=lambda each: each.name)
def test_contract_over_every_turn_of_recorded_sessions(recorded: corpus.Recorded):
    corpus.play(recorded, turns=10_000)
