import json

from tokenpak.mock_provider import openai_chat
from tokenpak.mock_provider.call import Answer, Call, Refusal, ToolCall, Used

DONE = Answer("Done.")


def call(answer=DONE, **body):
    return Call(1, "gpt-x", Used(100, 1024), answer, 3, body)


def keys(*messages, **body):
    return [block.key for block in openai_chat.prompt({"messages": list(messages), **body})]


def test_order_is_tools_then_messages():
    body = {
        "messages": [{"role": "system", "content": "s"}],
        "tools": [{"type": "function", "function": {"name": "t"}}],
    }
    assert [block.text for block in openai_chat.prompt(body)] == ['{"type":"function","function":{"name":"t"}}', "s"]


def test_a_string_is_one_text_part():
    part = {"type": "text", "text": "a"}
    assert keys({"role": "user", "content": "a"}) == keys({"content": [part], "role": "user"})


def test_ids_and_calls_count():
    tool = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    assert keys(tool) != keys({**tool, "tool_call_id": "c2"})
    function = {"name": "Read", "arguments": '{"p":"a"}'}
    assistant = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    assert keys(assistant) != keys({"role": "assistant", "content": None})
    assert openai_chat.prompt({"messages": [assistant]})[0].text == 'Read {"p":"a"}'


def test_pictures_are_counted_not_read():
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    block = openai_chat.prompt({"messages": [{"role": "user", "content": [part]}]})[0]
    assert (block.images, block.text) == (1, "")


def test_life_is_a_day_where_asked_for():
    assert openai_chat.life_of({}) == 600.0
    assert openai_chat.life_of({"prompt_cache_retention": "24h"}) == 86_400.0


def test_objections():
    assert openai_chat.objection({"model": "m", "messages": [{}]}) is None
    assert openai_chat.objection({"messages": [{}]})
    assert openai_chat.objection({"model": "m", "messages": []})


def test_a_whole_completion_has_inclusive_totals():
    told = json.loads(openai_chat.whole(call(Answer("Hi", (ToolCall("Read", {"p": 1}),)))))
    message = told["choices"][0]["message"]
    assert message["content"] == "Hi"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"p": 1}
    assert told["choices"][0]["finish_reason"] == "tool_calls"
    assert told["usage"]["prompt_tokens"] == 1124
    assert told["usage"]["prompt_tokens_details"]["cached_tokens"] == 1024


def chunks(events):
    lines = [event.decode().removeprefix("data: ").removesuffix("\n\n") for event in events]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_stream_says_the_same_as_the_whole_completion():
    given = call(Answer("Hello there", (ToolCall("Read", {"path": "a/b.py"}),)), stream_options={"include_usage": True})
    whole, told = json.loads(openai_chat.whole(given)), chunks(openai_chat.events(given))
    assert told[-1]["choices"] == []
    assert told[-1]["usage"] == whole["usage"]
    deltas = [chunk["choices"][0]["delta"] for chunk in told[:-1]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello there"
    parts = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    arguments = "".join(part["function"]["arguments"] for part in parts)
    assert json.loads(arguments) == {"path": "a/b.py"}
    assert parts[0]["id"] == whole["choices"][0]["message"]["tool_calls"][0]["id"]
    assert told[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_usage_is_streamed_only_when_asked_for():
    assert all(chunk["choices"] for chunk in chunks(openai_chat.events(call())))


def test_errors():
    told = json.loads(openai_chat.refusal(Refusal(429, "rate_limit_error", "slow down"), "req_1"))
    assert told["error"]["message"] == "slow down"
    assert openai_chat.broken("req_1").startswith(b'data: {"error"')


def test_models():
    assert json.loads(openai_chat.models())["object"] == "list"
