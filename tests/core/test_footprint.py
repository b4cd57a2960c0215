"""A footprint says what a cache sees: the same for a worker and a front, and for a request however it is written."""

import json
from random import Random

import msgspec
import pytest

from tests.core import agent_loop
from tests.core.contract import LOW, Front, Words
from tests.core.readings import REPEATED, anthropic, bodies, worked
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import chains_of, read
from tokenpak.core.footprint import footprint_of
from tokenpak.core.patch import Format
from tokenpak.core.pipeline import decide, replay
from tokenpak.core.places import lay_out
from tokenpak.core.plan import plan_of


def plain(body, fmt=Format.ANTHROPIC):
    view = read(fmt, body)
    return footprint_of(view, replay(view, {}))


def test_of_a_request_that_goes_as_it_came():
    body = anthropic(REPEATED, tools=[{"name": "Read"}], system="You are an agent.")
    told = plain(body)
    assert [trace.chain for trace in told.blocks] == [trace.sent for trace in told.blocks]
    assert [trace.chain for trace in told.blocks] == chains_of(read(Format.ANTHROPIC, body))
    assert {trace.saved for trace in told.blocks} == {0}
    assert told.head == 2
    assert told.blocks[-1].tokens == len(REPEATED) // 4


def test_from_the_first_edit_on_it_is_another_prompt():
    body = anthropic(REPEATED, REPEATED, "done")
    told = worked(body).footprint
    same = [trace.chain == trace.sent for trace in told.blocks]
    edited = next(index for index, trace in enumerate(told.blocks) if trace.saved)
    assert same == [True] * edited + [False] * (len(same) - edited)
    assert told.blocks[edited].saved > 0
    assert 0 < told.blocks[edited].tokens < plain(body).blocks[edited].tokens / 2
    assert told.blocks[:edited] == plain(body).blocks[:edited]


def test_the_saved_tokens_are_those_of_the_patch():
    patch = worked(anthropic(REPEATED, REPEATED, REPEATED))
    assert patch.edits
    assert sum(trace.saved for trace in patch.footprint.blocks) == sum(tally.saved for tally in patch.tallies)


def test_two_forms_of_a_block_are_two_prompts():
    body = anthropic(REPEATED, REPEATED)
    patch = worked(body)
    change = patch.forms[-1].changes[0]
    other = msgspec.structs.replace(patch.forms[-1], changes=(msgspec.structs.replace(change, new=change.new + "."),))
    view = read(Format.ANTHROPIC, body)
    one, two = (footprint_of(view, replay(view, plan_of(forms))) for forms in (patch.forms, (other,)))
    assert one == patch.footprint
    assert one.blocks[-1].chain == two.blocks[-1].chain
    assert one.blocks[-1].sent != two.blocks[-1].sent


@pytest.mark.parametrize("fmt", Format)
@pytest.mark.parametrize("seed", range(4))
def test_a_front_that_replays_the_plan_has_the_workers(fmt, seed):
    front, edits = Front(fmt, LOW, cold=False), 0
    for body in bodies(fmt, seed):
        edits += len(front.ask(body).edits)
        front.turn(body)
        view, plan = read(fmt, body), plan_of(front.forms)
        decided = footprint_of(view, decide(view, LOW, plan, Words()).decisions)
        assert footprint_of(view, replay(view, plan)) == decided
    assert edits


@pytest.mark.parametrize("fmt", Format)
def test_it_does_not_notice_how_a_request_is_written(fmt):
    session, rng = agent_session(3, 8), Random(3)
    body = body_of(fmt, session, list(session.turns())[-1])
    assert {plain(restyled(body, any_style(rng), rng), fmt).blocks for _ in range(6)} == {
        plain(written(body), fmt).blocks
    }


@pytest.mark.parametrize("fmt", Format)
def test_the_next_request_begins_as_this_one(fmt):
    before = None
    for body in bodies(fmt, 5):
        chains = [trace.chain for trace in plain(body, fmt).blocks]
        assert before is None or chains[: len(before)] == before
        before = chains


@pytest.mark.parametrize("client", ["claude_code", "cline", "opencode", "continued", "plain"])
def test_marks_lie_where_the_marking_step_sees_them(client):
    body = getattr(agent_loop, client)(4)
    told, layout = plain(body), lay_out(body, b"")
    assert dict(told.marks) == layout.client_marks
    assert len(told.blocks) == len(layout.places)
    assert told.head == layout.head


def test_a_request_without_blocks_has_none():
    told = plain(json.dumps({"model": "m", "messages": []}).encode())
    assert (told.blocks, told.head, told.marks) == ((), 0, ())
