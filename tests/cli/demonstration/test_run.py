"""The whole demonstration on two short sessions; the long ones are `make demo` itself."""

import pytest

from tokenpak.cli.demonstration.client import Turn
from tokenpak.cli.demonstration.replay import Replay
from tokenpak.cli.demonstration.run import demonstrate, replayed
from tokenpak.core.patch import Format
from tokenpak.mock_provider.session import session
from tokenpak.services.tokens import load_counter, search_path


def short(style, turns):
    made = session(9, style)
    return Replay(style, "made-up", Format(made.format), turns, lambda: iter(made.requests()[:turns]))


def test_a_demonstration_proves_what_it_claims():
    told = []
    replays = [short("claude-code-padded", 24), short("responses", 4)]
    result = demonstrate(replays, load_counter(search_path()), told.append)
    assert result.faults == []
    assert told == ["claude-code-padded"] * 24 + ["responses"] * 4
    first = result.outcomes[0]
    assert first.requests == 24
    assert first.edited > 5
    assert first.markers > 3
    assert first.with_it.tokens < first.without.tokens
    assert first.with_it.bill < first.without.bill
    assert (first.pairs, first.breaks) == (23, 0)
    assert result.stored.states == {"done": 28}
    assert len(result.stored.added_ms) == 28
    assert result.stored.passes[0].saved > 0
    assert set(result.exit_codes.values()) == {0}


class Meddling:
    """A client whose provider receives something else."""

    def __init__(self, meddle):
        self.meddle, self.turns = meddle, 0

    def turn(self, fmt, body):
        self.turns += 1
        return Turn(body, self.meddle(self.turns, body), None)


@pytest.mark.parametrize(
    ("meddle", "words"),
    [
        (lambda nth, body: (body.replace(b"Be brief", b"Be brisk"),), "differs by more"),
        (lambda nth, body: (body.replace(b"Be brief", b"Be brief" + b"!" * nth),), "no prefix"),
        (lambda nth, body: (), "turn 1"),
        (lambda nth, body: (body[:-1] + b',"x":"y"}',), "strings were sent"),
    ],
)
def test_meddling_is_found_out(meddle, words):
    outcome = replayed(short("claude-code", 3), Meddling(meddle), load_counter([]), lambda name: None)
    assert any(words in failure for failure in outcome.failures)


def test_a_clean_replay_finds_nothing():
    outcome = replayed(short("chat", 3), Meddling(lambda nth, body: (body,)), load_counter([]), lambda name: None)
    assert outcome.failures == ()
    assert outcome.edited == 0
    assert outcome.without == outcome.with_it
