"""The client's cache marks on the blocks of an element, read from its bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.agent_loop import HOUR, MARK, text
from tokenpak.core.body import outline, read
from tokenpak.core.body.marks import life_of, marks_of
from tokenpak.core.patch import Format


def marks(value):
    return marks_of(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"name": "read", "cache_control": MARK}, ((0, "5m"),)),
        ({"name": "read", "cache_control": HOUR}, ((0, "1h"),)),
        ({"name": "read", "input_schema": {"properties": {"cache_control": {"type": "string"}}}}, ()),
        (text("a system block", HOUR), ((0, "1h"),)),
        ({"role": "user", "content": [text("a"), text("b", MARK), text("c", HOUR)]}, ((1, "5m"), (2, "1h"))),
        ({"role": "user", "content": [{"type": "tool_result", "content": [text("a"), text("b", MARK)]}]}, ((0, "5m"),)),
        ({"role": "user", "content": [{"type": "tool_result", "content": [text("b", HOUR)], "cache_control": MARK}]}, ((0, "5m"),)),
        ({"role": "user", "content": [text("a", {"type": "ephemeral", "ttl": "5m"})]}, ((0, "5m"),)),
        ({"role": "user", "content": [{**text("a"), "cache_control": None}]}, ()),
        ({"role": "user", "content": [{**text("a"), "cache_control": "yes"}]}, ()),
        ({"role": "user", "content": 'it says "cache_control": {"type": "ephemeral"}'}, ()),
        ({"role": "user", "content": []}, ()),
        ({"role": "user", "content": None, "cache_control": 1}, ()),
        ("a string", ()),
    ],
)  # fmt: skip
def test_by_hand(value, found):
    assert marks(value) == found


def test_what_cannot_be_read_has_none():
    assert marks_of(b'{"cache_control"') == ()
    assert marks_of(b"[" * 100_000 + b'"cache_control"') == ()
    assert marks_of(b'"cache_control" \xff') == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=4) | st.just(MARK),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "cache_control", "text", "ttl"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_positions_ascend_whatever_stands_there(value):
    places = [place for place, _ in marks(value)]
    assert places == sorted(set(places))


@given(JSON)
def test_a_life_is_one_of_two_or_none(value):
    assert life_of(value) in {None, "5m", "1h"}


def test_marks_are_no_part_of_the_canonical_request():
    bare, marked = ({"messages": [{"role": "user", "content": [text("a", mark)]}]} for mark in (None, MARK))
    views = [read(Format.ANTHROPIC, json.dumps(body).encode()) for body in (bare, marked)]
    assert [unit.marks for view in views for _, _, unit in view.units] == [(), ((0, "5m"),)]
    assert views[0].units[0][2].blocks[0].digest == views[1].units[0][2].blocks[0].digest


def test_a_mark_on_the_request_is_in_its_outline():
    body = {"messages": [], "cache_control": HOUR}
    assert outline(Format.ANTHROPIC, json.dumps(body).encode()).mark == "1h"
    assert outline(Format.OPENAI_CHAT, json.dumps(body).encode()).mark is None


def test_what_a_cache_of_the_messages_depends_on_besides():
    def setting(fmt=Format.ANTHROPIC, **more):
        return outline(fmt, json.dumps({"messages": [], **more}).encode()).setting

    plain = setting()
    assert plain == b""
    chosen, thinking = setting(tool_choice={"type": "any"}), setting(thinking={"type": "adaptive"})
    assert len({plain, chosen, thinking}) == 3
    assert chosen == setting(tool_choice={"type": "any"}, temperature=1)
    assert setting(Format.OPENAI_CHAT, tool_choice="auto") == b""
    assert outline(Format.OPENAI_RESPONSES, b'{"input":"a","prompt_cache_key":"k"}').scope == "k"
