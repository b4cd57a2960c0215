"""Decisions and patches: what is left alone and why, the plan, warm workers, and edits in the client's bytes."""

import json
from random import Random
from typing import Any

import pytest

from tests.core.contract import OFF, Words, changed_blocks
from tests.core.contract import REFERENCES as LOW
from tests.core.readings import BILLING, REPEATED, anthropic, responses, worked
from tests.core.sessions import agent_session, body_of
from tests.core.writing import PLAIN, any_style, restyled, written
from tokenpak.core import markers, pipeline
from tokenpak.core.body import Unreadable, canonical, read
from tokenpak.core.conversation import Conversation
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Change, Form, Format, Policy
from tokenpak.core.pipeline import decide, patch_of, replay, untouched
from tokenpak.core.plan import EMPTY_PLAN_HASH, plan_of
from tokenpak.core.splice import BadEdits, apply_edits

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


def test_the_second_reading_becomes_a_reference():
    patch = worked(anthropic(REPEATED, REPEATED))
    (edit,) = patch.edits
    (tally,) = patch.tallies
    assert markers.parse(edit.new.decode().replace('\\"', '"'))
    assert (tally.name, tally.edits, edit.name) == ("line-runs", 1, "line-runs")
    assert tally.saved == (len(REPEATED) // 3) - len(edit.new.decode().replace('\\"', '"')) // 3
    assert patch.counter == Words.name


@pytest.mark.parametrize(
    "managed",
    [
        {"edits": [{"type": "clear_tool_uses_20250919"}]},
        {"edits": [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}]},
        {"edits": [{"type": "something_new"}]},
        {"edits": ["clear_thinking"]},
        {"edits": {}},
        {"edits": [{"type": "clear_thinking_20251015"}], "and": 1},
        [{"type": "compaction"}],
        "auto",
        0,
    ],
)
def test_managed_context_means_no_new_references_but_planned_ones_stay(managed: Any):
    plain, managed_body = anthropic(REPEATED, REPEATED), anthropic(REPEATED, REPEATED, context_management=managed)
    refused, forms = worked(managed_body), worked(plain).forms
    assert not refused.edits
    assert refused.reasons["context_management"]
    again = worked(anthropic(REPEATED, REPEATED, REPEATED, context_management=managed), forms=forms)
    assert [edit.new for edit in again.edits] == [edit.new for edit in worked(plain).edits]


@pytest.mark.parametrize(
    "managed", [None, {"edits": []}, {"edits": [{"type": "clear_thinking_20251015", "keep": 1}]}, {}]
)
def test_clearing_thinking_does_not_touch_our_sources(managed: Any):
    assert worked(anthropic(REPEATED, REPEATED, context_management=managed)).edits


def test_undecodable_context_management_counts_as_clearing():
    body = anthropic(REPEATED, REPEATED, context_management="@").replace(b'"@"', b'{"edits":[],"n":1e999}')
    assert worked(body).reasons["context_management"]


@pytest.mark.parametrize(
    ("top", "reason"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"truncation": {"type": "x"}}, "truncation"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "c"}}, "conversation"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"context_management": [{"type": "compaction", "compact_threshold": 9}]}, "context_management"),
    ],
)
def test_servers_that_keep_or_cut_the_history_get_no_new_references(top: dict[str, Any], reason: str):
    fmt = Format.OPENAI_RESPONSES
    refused = worked(responses(REPEATED, REPEATED, **top), fmt=fmt)
    assert not refused.edits
    assert refused.reasons[reason]
    forms = worked(responses(REPEATED, REPEATED), fmt=fmt).forms
    assert worked(responses(REPEATED, REPEATED, **top), fmt=fmt, forms=forms).edits


@pytest.mark.parametrize(
    "top", [{"truncation": "disabled"}, {"truncation": None, "conversation": None, "previous_response_id": None}]
)
def test_servers_that_keep_nothing_get_references(top: dict[str, Any]):
    assert worked(responses(REPEATED, REPEATED, **top), fmt=Format.OPENAI_RESPONSES).edits


@pytest.mark.parametrize(
    "system", [BILLING, [{"type": "text", "text": BILLING + "\nmore"}, {"type": "text", "text": "You are"}]]
)
def test_a_bill_over_the_bytes_keeps_the_body_untouched(system: Any):
    body = anthropic(REPEATED, REPEATED, system=system)
    patch = worked(body)
    assert apply_edits(body, patch.edits) is body
    assert patch.reasons["billing_cch"]


@pytest.mark.parametrize(
    "system",
    [BILLING.replace("cch=", "x="), "cch=1\n" + BILLING, "You are\n" + BILLING, BILLING.replace(" cch", "\ncch")],
)
def test_other_system_texts_are_no_bill(system: str):
    assert worked(anthropic(REPEATED, REPEATED, system=system)).edits


def test_a_request_without_a_past_is_left_alone():
    text = {"type": "text", "text": REPEATED}
    body = written(
        {
            "model": "m",
            "system": REPEATED,
            "messages": [{"role": "user", "content": [text]}, {"role": "user", "content": [text, text]}],
        }
    )
    patch = worked(body, Policy(floor_tokens=0))
    assert not patch.edits
    assert patch.reasons == {"one_shot": 2}


def test_the_floor_looks_at_what_stands_before_the_block():
    size = sum(
        block.size
        for _, _, unit in read(Format.ANTHROPIC, anthropic(REPEATED, REPEATED)).units[:4]
        for block in unit.blocks
    )
    assert worked(anthropic(REPEATED, REPEATED), Policy(floor_tokens=size // 4)).edits
    below = worked(anthropic(REPEATED, REPEATED, REPEATED), Policy(floor_tokens=size // 4 + 1))
    assert below.reasons == {"below_floor": 2}
    assert len(below.edits) == 1


def test_levels():
    body = anthropic(REPEATED, REPEATED)
    assert worked(body, OFF).reasons == {"level_off": 2}
    assert worked(body, Policy(passes=(), floor_tokens=40)).reasons == {"level_off": 2}
    assert worked(body, OFF, worked(body).forms).edits == worked(body).edits
    assert not worked(body, LOW, worked(body, OFF).forms).edits


LOOKS = "[lines 1-9: same as in Read /r/a.py #123456]"


def test_a_text_that_looks_like_a_marker_is_never_edited_and_never_a_source():
    with_look = REPEATED + "\n" + LOOKS
    assert worked(anthropic(REPEATED, with_look)).reasons["looks_like_marker"]
    assert not worked(anthropic(with_look, REPEATED)).edits
    body = anthropic(with_look, with_look)
    assert expand_body(Format.ANTHROPIC, body) is body


def test_a_text_that_would_be_expanded_although_nobody_sent_it_so_stops_new_edits():
    """What another TokenPak, or the same one before, made of a body: its markers are right where they stand."""
    body = anthropic(REPEATED, REPEATED, REPEATED)
    sent = apply_edits(body, worked(body).edits)
    decided = decide(read(Format.ANTHROPIC, sent), LOW, {}, Words())
    patch = patch_of(sent, decided, Words.name)
    assert apply_edits(sent, patch.edits) is sent
    assert patch.defects == 1
    assert patch.reasons["unsound"]
    warm = decide(read(Format.ANTHROPIC, sent), LOW, plan_of(patch.forms), Words(), warm=[decided.conversation])
    assert not patch_of(sent, warm, Words.name).edits


# ---------------------------------------------------------------- the plan


def test_as_sent_wins_over_what_would_be_decided_now():
    body = anthropic(REPEATED, REPEATED, REPEATED)
    chains = [form.chain for form in worked(body).forms]
    literal = worked(body, forms=(Form(chains[1]),))
    assert [form.chain for form in literal.forms] == [chains[0], chains[2]]
    assert len(literal.edits) == 1
    first_wins = worked(body, forms=(Form(chains[1]), *worked(body).forms))
    assert len(first_wins.edits) == 1


def test_the_plan_hash_names_the_edited_forms():
    body = anthropic(REPEATED, REPEATED)
    assert worked(body, OFF).plan == EMPTY_PLAN_HASH
    assert worked(body).plan == worked(body, OFF, worked(body).forms).plan != EMPTY_PLAN_HASH


def test_a_plan_made_otherwise_is_sent_but_nothing_new_is_built_on_it():
    body = anthropic(REPEATED, REPEATED, REPEATED)
    forms = worked(body).forms
    odd = Form(forms[1].chain, (Change(0, 3, 9, "~", "other", 1),))
    patch = worked(body, forms=(odd,))
    assert [edit.new for edit in patch.edits] == [b"~"]
    assert patch.reasons["unsound"] == 1
    assert patch == worked(body, forms=(odd,))


@pytest.mark.parametrize("change", [Change(0, 5, 3, "", "x", 0), Change(0, 0, 10**6, "", "x", 0)])
def test_a_plan_that_does_not_fit_is_told(change: Change):
    body = anthropic(REPEATED, REPEATED)
    forms = (Form(worked(body).forms[1].chain, (change,)),)
    with pytest.raises(BadEdits):
        patch_of(body, replay(read(Format.ANTHROPIC, body), plan_of(forms)), "x")
    with pytest.raises(BadEdits):
        worked(body, forms=forms)


def test_replay_takes_the_plan_and_leaves_all_else_literal():
    body = anthropic(REPEATED, REPEATED, REPEATED)
    forms = worked(anthropic(REPEATED, REPEATED)).forms
    patch = patch_of(body, replay(read(Format.ANTHROPIC, body), plan_of(forms)), "x")
    assert patch.edits == worked(anthropic(REPEATED, REPEATED)).edits
    assert [form.changes for form in patch.forms] == [()]
    assert (patch.defects, patch.reasons) == (0, {})


def test_an_untouched_body_has_a_patch_too():
    patch = untouched(b"{", "why", "x")
    assert apply_edits(b"{", patch.edits) == b"{"
    assert patch.reasons == {"why": 1}


# ---------------------------------------------------------------- warm workers


def test_a_warm_conversation_is_gone_on_from():
    class Counting(Words):
        asked = 0

        def at_least(self, text: str) -> int:
            Counting.asked += 1
            return super().at_least(text)

    body = anthropic(REPEATED, REPEATED)
    decided = decide(read(Format.ANTHROPIC, body), LOW, {}, Counting())
    Counting.asked = 0
    view = read(Format.ANTHROPIC, anthropic(REPEATED, REPEATED, "short"))
    again = decide(view, LOW, plan_of(patch_of(body, decided, "x").forms), Counting(), warm=[decided.conversation])
    assert again.conversation is decided.conversation
    assert Counting.asked == 0
    assert again.decisions[4].changes == decided.decisions[4].changes


@pytest.mark.parametrize(
    ("policy", "top"),
    [
        (OFF, {}),
        (Policy(floor_tokens=10**6), {}),
        (LOW, {"context_management": {"edits": [{"type": "clear_tool_uses"}]}}),
    ],
)
def test_an_answer_that_was_not_remembered_does_not_decide_the_next(policy: Policy, top: dict[str, Any]):
    """A count under other terms leaves a warm conversation in which blocks are literal; they have no form yet."""
    counted = anthropic(REPEATED, REPEATED, **top)
    warm = decide(read(Format.ANTHROPIC, counted), policy, {}, Words()).conversation
    body = anthropic(REPEATED, REPEATED)
    assert patch_of(body, decide(read(Format.ANTHROPIC, body), LOW, {}, Words(), warm=[warm]), "x").edits


def test_a_count_on_the_same_terms_saves_the_next_the_walk():
    body = anthropic(REPEATED, REPEATED)
    cold = decide(read(Format.ANTHROPIC, body), LOW, {}, Words())
    warm = decide(read(Format.ANTHROPIC, body), LOW, {}, Words(), warm=[cold.conversation])
    assert warm.conversation is cold.conversation
    assert [each[:3] for each in warm.decisions] == [each[:3] for each in cold.decisions]
    assert patch_of(body, warm, "x").forms == patch_of(body, cold, "x").forms


def test_an_empty_conversation_of_another_format_is_not_gone_on_from():
    empty = decide(read(Format.OPENAI_CHAT, b'{"messages":[]}'), LOW, {}, Words()).conversation
    assert patch_of(
        anthropic(REPEATED, REPEATED),
        decide(read(Format.ANTHROPIC, anthropic(REPEATED, REPEATED)), LOW, {}, Words(), warm=[empty]),
        "x",
    ).edits


def wrong(index: Any, target: Any, weigher: Any) -> list[Change]:
    return [Change(target.place.part, 0, 20, "~", "line-runs", 5)]


def test_a_conversation_that_met_a_defect_is_not_gone_on_from(monkeypatch: pytest.MonkeyPatch):
    warm = decide(read(Format.ANTHROPIC, anthropic(REPEATED)), LOW, {}, Words()).conversation
    body = anthropic(REPEATED, REPEATED)
    with monkeypatch.context() as patched:
        patched.setattr("tokenpak.core.passes.line_runs.propose", wrong)
        decided = decide(read(Format.ANTHROPIC, body), LOW, {}, Words(), warm=[warm])
    assert decided.defects
    assert decided.conversation is not warm
    again = decide(read(Format.ANTHROPIC, body), LOW, {}, Words(), warm=[warm])
    assert again.conversation is not warm
    assert patch_of(body, again, "x").edits


def test_a_wrong_proposal_is_a_counted_defect_and_goes_literally(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tokenpak.core.passes.line_runs.propose", wrong)
    body = anthropic(REPEATED, "x" + REPEATED)
    patch = worked(body)
    assert apply_edits(body, patch.edits) is body
    assert patch.defects == 1
    assert patch.reasons == {"below_floor": 1, "defect": 1}
    assert [form.changes for form in patch.forms] == [(), ()]


def test_conversations_of_a_defect_know_nothing_of_it(monkeypatch: pytest.MonkeyPatch):
    """What was never sent must not become a source: the walk after a defect equals one that never had it."""
    from tokenpak.core.passes import line_runs

    honest = line_runs.propose

    def sometimes_wrong(index: Any, target: Any, weigher: Any) -> list[Change]:
        if "DEFECT" in target.text:
            return [Change(target.place.part, 0, len(target.text) - 1, "~", "line-runs", 5)]
        return honest(index, target, weigher)

    monkeypatch.setattr(line_runs, "propose", sometimes_wrong)
    other = REPEATED.replace("file", "FILE") + "\nDEFECT"
    body = anthropic(REPEATED, other, other.replace("DEFECT", ""), REPEATED)
    patch = worked(body)
    monkeypatch.setattr(line_runs, "propose", honest)
    literal = tuple(form for form in patch.forms if not form.changes)
    assert worked(body, forms=literal).edits == patch.edits
    assert len(patch.edits) == 2


# ---------------------------------------------------------------- edits in the client's bytes


@FORMATS
def test_edits_do_not_depend_on_how_the_client_writes(fmt: Format):
    """Whatever the writing, the same texts are sent."""
    session, rng = agent_session(50, 10), Random(5)
    body = body_of(fmt, session, len(session.messages))
    told = set()
    for style in [PLAIN, *(any_style(rng) for _ in range(12))]:
        raw = restyled(body, style, rng)
        patch = worked(raw, fmt=fmt)
        sent = apply_edits(raw, patch.edits)
        assert sent != raw
        told.add((canonical(read(fmt, sent)), patch.forms, patch.plan))
    assert len(told) == 1


def test_places_known_from_an_earlier_turn_are_used_only_for_the_same_changes():
    placed: Any = {}
    body = anthropic(REPEATED, REPEATED)
    decided = decide(read(Format.ANTHROPIC, body), LOW, {}, Words())
    first = patch_of(body, decided, "x", placed)
    assert placed
    assert patch_of(body, decided, "x", placed).edits == first.edits
    shorter = Form(first.forms[1].chain, (Change(0, 0, 4, "~", "other", 1),))
    other = decide(read(Format.ANTHROPIC, body), LOW, plan_of((shorter,)), Words())
    assert [edit.new for edit in patch_of(body, other, "x", placed).edits] == [b"~"]


def test_tools_and_system_behind_the_messages():
    top = json.loads(anthropic(REPEATED, REPEATED))
    body = written({"messages": top["messages"], "system": "x" * 99, "tools": [{"name": "t"}]})
    sent = apply_edits(body, worked(body).edits)
    assert canonical(read(Format.ANTHROPIC, expand_body(Format.ANTHROPIC, sent))) == canonical(
        read(Format.ANTHROPIC, body)
    )
    assert len(changed_blocks(Format.ANTHROPIC, body, sent)) == 1


def test_conversations_remember_no_more_than_their_blocks():
    conversation = Conversation(Format.ANTHROPIC)
    assert not conversation.precedes((), {}, None)


@pytest.mark.parametrize("end", ["d", "\n"])
def test_a_change_that_would_land_elsewhere_is_not_sent(end: str, monkeypatch: pytest.MonkeyPatch):
    """In another character, or in the middle of an escape."""
    text = REPEATED + end
    body = anthropic(text, text)
    decided = decide(read(Format.ANTHROPIC, body), LOW, {}, Words())
    located = pipeline.offsets
    monkeypatch.setattr(pipeline, "offsets", lambda *told: [*located(*told)[:-1], located(*told)[-1] - 1])
    with pytest.raises(Unreadable, match="misplaced"):
        patch_of(body, decided, Words.name)
