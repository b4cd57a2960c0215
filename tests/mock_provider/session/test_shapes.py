import json
from itertools import pairwise

import pytest

from tokenpak.core.body import canonical, read
from tokenpak.core.patch import Format
from tokenpak.mock_provider.session import STYLES, session


def encoded(body):
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("style", STYLES)
def test_each_request_continues_the_one_before(style):
    made = session(5, style)
    views = [canonical(read(Format(made.format), encoded(body))) for body in made.requests()]
    assert len(views) >= 30
    for before, after in pairwise(views):
        assert after[: len(before)] == before
        assert len(after) > len(before)


def test_claude_code_marks_the_system_and_the_last_two_user_messages():
    for body in session(5).requests():
        assert "cache_control" in body["system"][-1]
        users = [message for message in body["messages"] if message["role"] == "user"]
        marked = ["cache_control" in m["content"][-1] for m in users if isinstance(m["content"], list)]
        assert all(marked[-2:])
        assert not any(marked[:-2])
        assert encoded(body).count(b"cache_control") <= 4


def test_an_older_message_of_the_user_has_become_a_string():
    bodies = session(5).requests()
    assert isinstance(bodies[0]["messages"][0]["content"], list)
    assert isinstance(bodies[-1]["messages"][0]["content"], str)


@pytest.mark.parametrize("style", STYLES[:2])
def test_roles_alternate_and_results_answer_calls(style):
    messages = session(5, style).requests()[-1]["messages"]
    assert [m["role"] for m in messages] == [("user", "assistant")[n % 2] for n in range(len(messages))]
    for reply, answer in zip(messages[1::2], messages[2::2], strict=True):
        called = [block["id"] for block in reply["content"] if block["type"] == "tool_use"]
        assert called == [b["tool_use_id"] for b in answer["content"] if b["type"] == "tool_result"]


def test_chat_results_answer_calls():
    messages = session(5, "chat").requests()[-1]["messages"]
    called = [call["id"] for m in messages for call in m.get("tool_calls", [])]
    assert called == [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert messages[0]["role"] == "system"


def test_responses_are_stateless():
    body = session(5, "responses").requests()[-1]
    assert body["store"] is False
    called = [item["call_id"] for item in body["input"] if item["type"] == "function_call"]
    assert called == [item["call_id"] for item in body["input"] if item["type"] == "function_call_output"]
    assert any(item["type"] == "reasoning" for item in body["input"])


def test_all_formats_show_the_same_work():
    results = {
        style: [s.result for turn in session(5, style).turns for s in turn.steps]
        for style in ("claude-code", "chat", "responses")
    }
    assert results["claude-code"] == results["chat"] == results["responses"]
