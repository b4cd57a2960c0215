"""The walk over a conversation: steps, sources as they are sent, and going on where it stood."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.contract import Words
from tests.core.writing import written
from tokenpak.core.body import Kind, chains_of, read
from tokenpak.core.conversation import Conversation, Defect, Means, _long_enough, _stays, sent_form, steps
from tokenpak.core.lines import ESCAPED_END, taken_apart
from tokenpak.core.passes.index import Index, Read
from tokenpak.core.passes.line_runs import SHORTEST_RUN
from tokenpak.core.patch import Change, Format
from tokenpak.core.splice import BadEdits, apply_changes

TEXT = "\n".join(f"{n:>6}→some line of a file, long enough, number {n}" for n in range(1, 31))


MEANS = Means(("line-runs",), Words())


def view_of(*messages: dict[str, Any]):
    return read(Format.ANTHROPIC, written({"system": "s", "messages": list(messages)}))


def reading(ident: str, text: str | list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    call = {"type": "tool_use", "id": ident, "name": "Read", "input": {"path": "/r/a.py"}}
    return {"role": "assistant", "content": [call]}, {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": ident, "content": text}],
    }


def session(*texts: str):
    turns = [message for n, text in enumerate(texts) for message in reading(f"t{n}", text)]
    return view_of({"role": "user", "content": "go"}, *turns)


def read_of(text: str) -> Read:
    return Index().read(text, taken_apart(text))


def walked(view: Any, means: Means | None = None) -> tuple[Conversation, list[tuple[Change, ...]]]:
    conversation = Conversation(view.format)
    return conversation, [conversation.advance(step, None if step.target else (), means) for step in steps(view)]


def test_steps_have_the_chains_and_name_the_targets():
    view = view_of(
        {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "text", "text": "also first"}]},
        {"role": "assistant", "content": "said"},
        *reading("t", "shown"),
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image", "source": {}}]},
    )
    walk = list(steps(view))
    assert [step.chain for step in walk] == chains_of(view)
    assert [(step.block.kind, step.target) for step in walk] == [
        (Kind.SYSTEM, False),
        (Kind.USER, False),
        (Kind.USER, False),
        (Kind.ASSISTANT, False),
        (Kind.CALL, False),
        (Kind.RESULT, True),
        (Kind.USER, True),
        (Kind.OPAQUE, False),
    ]
    assert [step.place for step in walk] == [0, 0, 1, 0, 0, 0, 0, 1]


def test_a_result_before_the_first_user_text_is_a_target_and_that_text_none():
    *result, user = *reading("t", "shown"), {"role": "user", "content": "first"}
    assert [step.target for step in steps(view_of(*result, user, user))] == [False, False, True, False, True]


def test_what_was_decided_is_what_goes_on():
    conversation, decided = walked(session(TEXT, TEXT), MEANS)
    assert [len(changes) for changes in decided] == [0, 0, 0, 0, 0, 1]
    walk = list(steps(session(TEXT, TEXT, "more")))
    assert conversation.precedes(walk, {}, None)
    assert conversation.resume(walk, {}, None) == decided
    assert not conversation.precedes(walk, {}, "other terms")
    assert not conversation.precedes(walk[:3], {}, None)
    assert not conversation.precedes(list(steps(session(TEXT, TEXT + "x"))), {}, None)
    plan = {step.chain: changes for step, changes in zip(walk, decided, strict=False) if step.target}
    assert conversation.precedes(walk, plan, "other terms")
    assert not conversation.precedes(walk, {**plan, walk[5].chain: ()}, None)


def test_what_the_plan_has_is_not_held_twice():
    conversation, decided = walked(session(TEXT, TEXT), MEANS)
    walk = list(steps(session(TEXT, TEXT)))
    plan = {step.chain: changes for step, changes in zip(walk, decided, strict=True) if step.target}
    assert conversation._taken
    conversation.resume(walk, plan, None)
    assert not conversation._taken


def test_a_defect_is_raised_and_leaves_a_conversation_nobody_goes_on_from(monkeypatch: pytest.MonkeyPatch):
    view = session(TEXT, TEXT)
    monkeypatch.setattr(
        "tokenpak.core.passes.line_runs.propose", lambda index, target, weigher: [Change(0, 0, 3, "~", "x", 1)]
    )
    conversation, walk = Conversation(view.format), list(steps(view))
    for step in walk[:3]:
        conversation.advance(step, (), None)
    with pytest.raises(Defect):
        conversation.advance(walk[3], None, MEANS)
    assert not conversation.precedes(walk, {}, None)


def test_so_does_a_plan_that_does_not_fit():
    view = session(TEXT)
    conversation, walk = Conversation(view.format), list(steps(view))
    conversation.advance(walk[0], (), None)
    with pytest.raises(BadEdits):
        conversation.advance(walk[3], (Change(0, 9, 3, "", "x", 0),), None)
    assert not conversation.precedes(walk, {}, None)


def test_behind_a_planned_form_that_cannot_be_expanded_nothing_new_is_edited():
    view = session(TEXT, TEXT, TEXT)
    conversation, walk = Conversation(view.format), list(steps(view))
    for step in walk[:5]:
        conversation.advance(step, (), None)
    assert conversation.sound
    conversation.advance(walk[5], (Change(0, 0, 3, "~", "x", 1),), None)
    assert not conversation.sound
    assert conversation.advance(walk[7], None, MEANS) == ()


@pytest.mark.parametrize("literal", [True, False])
def test_only_what_is_sent_literally_is_a_source(literal: bool):
    conversation, walk = Conversation(Format.ANTHROPIC), list(steps(session(TEXT, TEXT)))
    for step in walk[:5]:
        conversation.advance(step, (), None)
    changes = conversation.advance(walk[5], () if literal else None, None if literal else MEANS)
    assert bool(changes) is not literal
    first, second = conversation._index.named("Read r/a.py")
    assert first.by_number(1, 30) is not None
    assert (second.by_number(1, 30) is not None) is literal


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ((), [(0, 5)]),
        (("b\nc",), [(0, 1), (3, 5)]),
        (("a",), [(0, 0), (1, 5)]),
        (("e",), [(0, 4), (5, 5)]),
        (("a\nb\nc\nd\ne",), [(0, 0), (5, 5)]),
        (("a", "c"), [(0, 0), (1, 2), (3, 5)]),
        (("a\n", "d"), [(0, 0), (2, 3), (4, 5)]),
        (("\nb",), [(0, 0), (2, 5)]),
        (("b", "\nd"), [(0, 1), (2, 2), (4, 5)]),
    ],
)
def test_lines_that_stay(changes: tuple[str, ...], stays: list[tuple[int, int]]):
    text = "a\nb\nc\nd\ne"
    made = [Change(0, text.index(each), text.index(each) + len(each), "~", "x", 0) for each in changes]
    assert _stays(read_of(text), made) == stays
    kept = [line for a, b in stays for line in text.split("\n")[a:b]]
    assert [line for line in apply_changes(text, made).split("\n") if "~" not in line] == kept


def test_lines_that_stay_where_literal_line_ends_count():
    text = "head\n" + ESCAPED_END.join("abcdefghijkl") + "\ntail"
    start, end = text.index("c"), text.index("ne") + 2
    assert _stays(read_of(text), [Change(0, start, end, "~", "x", 0)]) == [(0, 3), (6, 14)]


@given(st.text(st.sampled_from(["a", "\n", "\\", "n"]), max_size=12))
def test_a_text_is_long_enough_by_its_line_ends_of_both_kinds(text: str):
    assert _long_enough(text) == (text.count("\n") + text.count(ESCAPED_END) + 1 >= SHORTEST_RUN)


def test_what_was_sent_last_is_told_for_changed_blocks_alone():
    conversation, walk = Conversation(Format.ANTHROPIC), list(steps(session(TEXT, TEXT, "other")))
    for step in walk[:5]:
        conversation.advance(step, (), None)
    (change,) = conversation.advance(walk[5], None, MEANS)
    assert [sent.news for sent in conversation.sent] == [[change.new]]
    assert [sent.text for sent in conversation.sent] == [sent_form(walk[5].block, (change,)).texts[0].text]
    conversation.advance(walk[6], (), None)
    assert conversation.sent == ()


def test_several_changes_in_one_line():
    text = "ab\ncd\nef"
    made = [Change(0, 0, 1, "~", "x", 0), Change(0, 1, 2, "~", "x", 0), Change(0, 6, 7, "~", "x", 0)]
    assert _stays(read_of(text), made) == [(0, 0), (1, 1), (1, 2), (3, 3)]


def test_the_sent_form_of_a_block():
    view = view_of(
        {"role": "user", "content": "go"},
        *reading("t", [{"type": "text", "text": "abc"}, {"type": "text", "text": "def"}]),
    )
    block = list(steps(view))[-1].block
    assert sent_form(block, ()) is block
    sent = sent_form(block, (Change(1, 0, 2, "~", "x", 0),))
    assert [text.text for text in sent.texts] == ["abc", "~f"]
    other = view_of(
        {"role": "user", "content": "go"},
        *reading("t", [{"type": "text", "text": "abc"}, {"type": "text", "text": "~f"}]),
    )
    assert sent.digest == list(steps(other))[-1].block.digest
