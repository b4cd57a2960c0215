"""What --explain knows of each text: its place, its name, its tokens, and why."""

import json
from typing import Any

import pytest

from tests.cli.thirds import Thirds
from tests.core.contract import OFF
from tests.core.readings import BILLING, REPEATED, anthropic, responses
from tests.core.sessions import agent_session, body_of
from tests.core.writing import written
from tokenpak.cli.explanation import COLUMNS, GOES_ON, KINDS, Made, Told, clipped, never_edited, table, told, why_not
from tokenpak.cli.reasons import SENTENCES
from tokenpak.core.body import Kind, read
from tokenpak.core.patch import Format, Policy
from tokenpak.core.pipeline import decide

LOW = Policy(passes=("line-runs",), floor_tokens=40)


def explained(body: bytes, fmt: Format = Format.ANTHROPIC, policy: Policy = LOW) -> list[Told]:
    view = read(fmt, body)
    return told(body, view, decide(view, policy, {}, Thirds()), Thirds())


def test_texts_stand_where_the_body_would_be_indexed():
    body = anthropic(REPEATED, REPEATED)
    messages = json.loads(body)["messages"]
    first, second = explained(body)
    assert (first.place, second.place) == ("messages[2]", "messages[4]")
    assert messages[4]["content"][0]["content"] == REPEATED
    assert (first.kind, first.name, second.name) == ("tool result", "Read r/a.py", "Read r/a.py")
    assert (first.before, first.after, first.edits) == (len(REPEATED) // 3, len(REPEATED) // 3, ())
    assert (first.why, first.meaning) == ("below_floor", SENTENCES["below_floor"])
    assert (second.why, second.meaning) == (None, None)
    (made,) = second.edits
    assert made.name == "line-runs"
    assert second.after == len(made.new) // 3
    assert made.saved > 0


def test_blocks_and_texts_are_numbered_where_there_are_several():
    call = {"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "ls"}}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    result = {"type": "tool_result", "tool_use_id": "a", "content": parts}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result, {"type": "text", "text": "and now?"}]},
    ]
    found = explained(written({"system": "s", "messages": messages, "tools": [{"name": "Bash"}]}))
    assert [(t.place, t.name) for t in found] == [
        ("messages[2] #1.1", "Bash ls"),
        ("messages[2] #1.2", "Bash ls"),
        ("messages[2] #2", "user text"),
    ]


def test_the_items_of_responses():
    found = explained(responses(REPEATED, REPEATED, instructions="be brief"), Format.OPENAI_RESPONSES)
    assert [t.place for t in found] == ["input[2]", "input[4]"]
    assert found[1].edits


@pytest.mark.parametrize("fmt", Format)
def test_every_place_leads_to_the_text(fmt: Format):
    session = agent_session(5, 20)
    body = body_of(fmt, session, max(session.turns()))
    raw = written(body)
    found = explained(raw, fmt)
    assert found
    for text in found:
        name, _, rest = text.where.partition("[")
        at = body[name][int(rest.removesuffix("]"))]
        assert text.kind in KINDS.values()
        assert at.get("role") in ("user", "tool", None)


def test_reasons_for_the_whole_body():
    assert {t.why for t in explained(anthropic(REPEATED, REPEATED), policy=OFF)} == {"level_off"}
    assert {t.why for t in explained(anthropic(REPEATED, REPEATED, system=BILLING))} == {"billing_cch"}


def test_a_text_beside_an_edited_one_has_a_reason():
    call = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/r/a.py"}}
    parts = [{"type": "text", "text": "nothing known"}, {"type": "text", "text": REPEATED}]
    messages = json.loads(anthropic(REPEATED))["messages"]
    messages += [
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": parts}]},
    ]
    _, beside, edited = explained(written({"messages": messages}))
    assert (beside.why, beside.edits, bool(edited.edits), edited.why) == ("no_match", (), True, None)


def test_what_is_never_edited():
    body = anthropic(REPEATED, system="s" * 400, tools=[{"name": "Read"}])
    view = read(Format.ANTHROPIC, body)
    found = never_edited([d.step for d in decide(view, LOW, {}, Thirds()).decisions])
    assert {kind: blocks for kind, (blocks, _) in found.items()} == {
        "tool definition": 1,
        "system text": 1,
        "first user text": 1,
        "tool call": 1,
    }
    assert found["system text"] == (1, 100)


def test_every_kind_has_its_words():
    assert KINDS.keys() == set(Kind)


def text_of(where: str, name: str, before: int, why: str | None, *edits: Made) -> Told:
    return Told(where, None, None, "tool result", name, before, before // 2, edits, why, why)


def test_the_table_stays_within_its_columns():
    long = text_of("messages[1234]", "Bash " + "x" * 200, 1234567, None, Made("deltas", "[a\nb" + "y" * 200, 9))
    short = text_of("messages[2]", "Read a", 5, "previous_response_id")
    head, first, edit, second = table([long, short]).splitlines()
    assert [len(head.rstrip()) <= COLUMNS, len(first) <= COLUMNS, len(edit)] == [True, True, COLUMNS]
    assert edit.startswith("    deltas, 9 saved: [a ⏎ byy")
    assert first.split()[0] == "messages[1234]"
    assert first.endswith("…  1,234,567  617,283")
    assert second.split() == ["messages[2]", "Read", "a", "5", "2", "previous_response_id"]
    assert len(second) <= COLUMNS
    assert second.index("5") + 1 == first.index("1,234,567") + len("1,234,567")


def test_an_edit_without_words_goes_on_from_the_one_before():
    text = text_of("messages[2]", "Read a", 5, None, Made("padding", "[x]", 9), Made("padding", "", 0))
    assert table([text]).splitlines()[2:] == ["    padding, 9 saved: [x]", f"    padding, 0 saved: {GOES_ON}"]


def test_the_table_of_nothing():
    assert table([]).split() == ["WHERE", "TEXT", "TOKENS", "SENT", "WHY", "NOT"]


def test_reasons_come_with_the_heaviest_first():
    texts = [text_of("a", "", 5, "one_shot"), text_of("b", "", 3, "no_match"), text_of("c", "", 4, "no_match")]
    assert why_not([*texts, text_of("d", "", 9, None)]).splitlines() == [
        "  no_match: 2 texts, 7 tokens",
        "    " + SENTENCES["no_match"],
        "  one_shot: 1 text, 5 tokens",
        "    " + SENTENCES["one_shot"],
    ]


def test_clipping():
    assert clipped("abc", 3) == "abc"
    assert clipped("abcd", 3) == "ab…"
    assert clipped("a\nb", 9) == "a ⏎ b"
