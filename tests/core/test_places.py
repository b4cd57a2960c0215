"""What a body tells about marks: its blocks, the client's marks, where one of ours may stand."""

import json
from random import Random

import pytest

from tests.core import agent_loop
from tests.core.agent_loop import HOUR, MARK, SYSTEM, TOOLS, loop, on_last, request, text, user
from tests.core.sessions import agent_session, body_of
from tests.core.writing import Style, written
from tokenpak.core.body import Unreadable
from tokenpak.core.patch import Format
from tokenpak.core.places import lay_out, seems_covered


def laid(body):
    return lay_out(body, b"")


def fits(content, role="user"):
    messages = [user(text("x")), {"role": role, "content": content}]
    places = laid(request(messages)).places
    return [place.fit for place in places[len(TOOLS) + 2 :]]


def test_order_and_head():
    layout = laid(agent_loop.plain(1))
    assert [each.section for each in layout.elements] == [
        "tools",
        "tools",
        "system",
        "messages",
        "messages",
        "messages",
    ]
    assert (layout.head, len(layout.places)) == (3, 6)
    tokens = [place.prefix.tokens for place in layout.places]
    assert tokens == sorted(tokens)
    assert tokens[2] - tokens[1] >= len(SYSTEM) // 4


@pytest.mark.parametrize(
    ("block", "fit"),
    [
        (text("words"), True),
        (text(""), False),
        (text(" \n"), False),
        ({"type": "text"}, False),
        ({"type": "tool_result", "tool_use_id": "t", "content": "x"}, True),
        ({"type": "tool_result", "tool_use_id": "t", "content": []}, False),
        ({"type": "tool_result", "tool_use_id": "t"}, False),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, True),
        ({"type": "document", "source": {"type": "text", "data": "x"}}, True),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, False),
        ({"type": "redacted_thinking", "data": "x"}, False),
        ({"type": "web_search_tool_result", "tool_use_id": "t", "content": []}, False),
        ({"type": "new_kind", "text": "x"}, False),
        (text("x", MARK), False),
        ({**text("x"), "cache_control": None}, False),
        ("loose", False),
    ],
)
def test_where_a_mark_may_stand(block, fit):
    assert fits([block]) == [fit]


def test_a_string_is_one_text_block_and_may_be_marked():
    assert fits("words") == [True]
    assert fits("") == [False]
    assert laid(request(loop(0), SYSTEM)).prefixes == laid(request(loop(0))).prefixes
    assert laid(request([{"role": "user", "content": "x"}])).prefixes == laid(request([user(text("x"))])).prefixes


@pytest.mark.parametrize("role", ["assistant", "system", "other"])
def test_only_what_the_user_says_may_be_marked(role):
    assert fits([text("words")], role) == [False]


@pytest.mark.parametrize(
    ("tool", "fit"),
    [
        ({}, True),
        ({"type": "custom"}, True),
        ({"type": "web_search_20250305"}, False),
        ({"defer_loading": True}, False),
        ({"defer_loading": False}, True),
    ],
)
def test_which_tools_may_be_marked(tool, fit):
    assert laid(request(loop(0), tools=[{**TOOLS[0], **tool}])).places[0].fit is fit


def test_the_clients_marks_are_found_with_their_lives():
    part = {**text("part"), "cache_control": MARK}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [part], "cache_control": HOUR}
    messages = [user(text("x", HOUR)), {"role": "assistant", "content": [text("ok")]}, user(result)]
    layout = laid(request(messages, [text(SYSTEM, MARK)], [TOOLS[0], {**TOOLS[1], "cache_control": MARK}]))
    assert [place.marks for place in layout.places] == [(), ("5m",), ("5m",), ("1h",), (), ("1h", "5m")]
    assert layout.client_marks == {1: "5m", 2: "5m", 3: "1h", 5: "1h"}


def test_marks_and_styles_do_not_change_what_a_block_is():
    plain, rng = laid(agent_loop.plain(3)).prefixes, Random(1)
    body = json.loads(agent_loop.plain(3))
    marked = [on_last(message) if message["role"] == "user" else message for message in body["messages"]]
    assert laid(request(marked)).prefixes == plain
    for ascii_only in (False, True):
        style = Style(", ", " : ", "\n", ascii=ascii_only, slashes=rng.random() < 0.5)
        assert laid(written(body, style)).prefixes == plain


def test_order_of_a_blocks_keys_does():
    turned = {"text": "Mend the parser.", "type": "text"}
    assert laid(request([user(turned)])).prefixes[-1] != laid(agent_loop.plain(0)).prefixes[-1]


def test_a_longer_request_begins_with_the_shorter_one():
    short, long = laid(agent_loop.plain(2)).prefixes, laid(agent_loop.plain(5)).prefixes
    assert long[: len(short)] == short


def test_what_ends_entries():
    one = laid(agent_loop.plain(1))
    other = lay_out(agent_loop.plain(1), b"other model")
    assert not {p.digest for p in one.prefixes} & {p.digest for p in other.prefixes}
    thinking = laid(request(loop(1), thinking={"type": "enabled", "budget_tokens": 1024}))
    assert thinking.prefixes[: one.head] == one.prefixes[: one.head]
    assert thinking.prefixes[one.head] != one.prefixes[one.head]


@pytest.mark.parametrize(
    ("body", "covered"),
    [
        (agent_loop.claude_code(3), True),
        (agent_loop.opencode(3), True),
        (agent_loop.cline(0), True),
        (agent_loop.cline(1), False),
        (agent_loop.continued(0), True),
        (agent_loop.continued(1), False),
        (agent_loop.plain(3), False),
        (request(loop(3), cache_control=MARK), True),
        (request(loop(3), cache_control=None), False),
        (request([*loop(2)[:-1], user(text("said"))], system=[text(SYSTEM, MARK)]), False),
    ],
    ids=[
        "claude code",
        "opencode",
        "cline 1",
        "cline 2",
        "continue 1",
        "continue 2",
        "sdk",
        "top",
        "null",
        "head only",
    ],
)
def test_covered(body, covered):
    assert laid(body).covered is covered
    assert seems_covered(body) is covered


def test_a_word_in_a_text_is_no_mark():
    quoted = request([*loop(1), user(text('"cache_control": {"type": "ephemeral"}'))])
    assert not seems_covered(quoted)
    assert not laid(quoted).client_marks


def test_answered():
    assert [laid(body).answered for body in (agent_loop.plain(0), agent_loop.plain(1))] == [False, True]
    assert not laid(request([user(text('{"role": "assistant"}'))])).answered


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({}, None),
        ({"system": [text("x-anthropic-billing-header: cc_version=2; cch=1a2;"), text(SYSTEM)]}, "billing_cch"),
        ({"system": [text("x-anthropic-billing-header: cc_version=2;"), text(SYSTEM)]}, None),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management"),
        ({"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}}, None),
    ],
)
def test_what_is_left_alone(more, kept):
    assert laid(request(loop(1), **more)).kept == kept


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"messages":1}',
        b'{"messages":[1]}',
        b'{"messages":[[]]}',
        b'{"messages":[null]}',
        b'{"messages":["x"]}',
        b'{"messages":"x"}',
        b'{"messages":{"role":"user","content":"x"}}',
        b'{"messages":[],"system":["x"]}',
        b'{"messages":[],"system":{"type":"text","text":"x"}}',
        b'{"messages":[{"role":"user","content":"x"}],"messages":[]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"messages":' + b"[" * 5000,
        b'{"messages":[],"thinking":' + b"9" * 5000 + b"}",
        b'{"messages":[],"thinking":"\xff"}',
        b'{"messages":[],"tool_choice":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"messages":[],"cache_control":"\\ud800"}',
        b'{"messages":[{"role":"user","content":[{"n":1e999}]}]}',
    ],
)
def test_a_body_that_cannot_be_read(body):
    with pytest.raises(Unreadable):
        lay_out(body, b"")


def test_a_glance_at_a_body_that_cannot_be_read():
    with pytest.raises(Unreadable):
        seems_covered(b'{"cache_control"')


def test_the_memo_only_saves_time():
    memo = {}
    for seed in range(5):
        session = agent_session(seed)
        for count in session.turns():
            body = written(body_of(Format.ANTHROPIC, session, count))
            assert lay_out(body, b"", memo) == lay_out(body, b"")
    assert memo


def test_a_picture_counts_as_one_wherever_it_stands():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}}
    shown = {"type": "tool_result", "tool_use_id": "t", "content": [text("seen"), picture]}
    tokens = [place.prefix.tokens for place in laid(request([user(picture, shown)])).places]
    assert 1500 <= tokens[-2] - tokens[-3] < 1550
    assert 1500 <= tokens[-1] - tokens[-2] < 1550
