import json

import pytest

from tokenpak.mock_provider import anthropic
from tokenpak.mock_provider.call import Answer, Call, Refusal, ToolCall, Used

EPHEMERAL = {"type": "ephemeral"}


def keys(body):
    return [block.key for block in anthropic.prompt(body)]


def user(content):
    return {"role": "user", "content": content}


def text(words, **more):
    return {"type": "text", "text": words, **more}


def test_order_is_tools_system_messages():
    body = {"messages": [user("u")], "system": "s", "tools": [{"name": "t"}]}
    assert [block.text for block in anthropic.prompt(body)] == ['{"name":"t"}', "s", "u"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"messages": [user("a")]}, {"messages": [user([text("a", cache_control=EPHEMERAL)])]}),
        ({"system": "a"}, {"system": [text("a")]}),
        ({"messages": [user("a")]}, {"messages": [{"content": "a", "role": "user"}]}),
        (
            {"messages": [user([{"type": "tool_result", "tool_use_id": "t", "content": [text("x")]}])]},
            {
                "messages": [
                    user([{"type": "tool_result", "tool_use_id": "t", "content": [text("x", cache_control=EPHEMERAL)]}])
                ]
            },
        ),
    ],
)
def test_what_a_provider_takes_for_the_same(one, other):
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    "change",
    [{"tool_choice": {"type": "any"}}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}],
)
def test_what_spoils_the_messages_leaves_what_stands_before(change):
    body = {"messages": [user("u"), {"role": "assistant", "content": "a"}], "system": "s", "tools": [{"name": "t"}]}
    before, after = keys(body), keys({**body, **change})
    assert before[:2] == after[:2]
    assert before[2] != after[2]
    assert before[3] == after[3]


def test_the_first_image_spoils_the_messages():
    image = {"type": "image", "source": {"type": "base64", "data": "AA=="}}
    without, with_one = ({"system": "s", "messages": [user([text("u"), *more])]} for more in ([], [image]))
    assert keys(without)[0] == keys(with_one)[0]
    assert keys(without)[1] != keys(with_one)[1]
    assert anthropic.prompt(with_one)[-1].images == 1


def test_roles_and_message_borders_count():
    split = {"messages": [user([text("a")]), user([text("b")])]}
    joined = {"messages": [user([text("a"), text("b")])]}
    assert keys(split) != keys(joined)


def test_marks_and_their_lives():
    system = [text("a"), text("b", cache_control={**EPHEMERAL, "ttl": "1h"})]
    result = {"type": "tool_result", "tool_use_id": "t", "content": [text("x", cache_control=EPHEMERAL)]}
    body = {"system": system, "messages": [user([result])]}
    assert [block.mark for block in anthropic.prompt(body)] == [None, "1h", "5m"]


def test_a_mark_on_the_body_falls_on_the_last_block():
    body = {"system": "s", "messages": [user("a"), user("b")], "cache_control": {**EPHEMERAL, "ttl": "1h"}}
    assert [block.mark for block in anthropic.prompt(body)] == [None, None, "1h"]


def test_texts_are_what_a_model_reads():
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "EqoC" * 50},
        {"type": "redacted_thinking", "data": "zzz" * 50},
        {"type": "tool_use", "id": "t", "name": "Read", "input": {"p": "é\n"}},
        {"type": "tool_result", "tool_use_id": "t", "content": [text("a\nb"), text("c")]},
    ]
    texts = [block.text for block in anthropic.prompt({"messages": [user(content)]})]
    assert texts == ["hm", "", 'Read {"p":"é\\n"}', "a\nb\nc"]


def test_objections():
    fine = {"model": "m", "messages": [user("a")]}
    assert anthropic.objection(fine) is None
    assert anthropic.objection({"messages": [user("a")]})
    assert anthropic.objection({"model": "m", "messages": []})
    marked = [text(str(n), cache_control=EPHEMERAL) for n in range(5)]
    assert anthropic.objection({**fine, "messages": [user(marked[:4])]}) is None
    assert "maximum of 4" in anthropic.objection({**fine, "messages": [user(marked)]}).message


def test_minimum_by_model_family():
    assert anthropic.minimum_of("claude-haiku-4-5-20251001") == 4096
    assert anthropic.minimum_of("claude-opus-5-1") == 512
    assert anthropic.minimum_of("something else") == 1024


DONE = Answer("Done.")


def call(answer=DONE, **body):
    return Call(1, "claude-x", Used(10, 20, 30, 40), answer, 3, body)


def test_a_whole_message():
    told = json.loads(anthropic.whole(call(Answer("Hi", (ToolCall("Read", {"p": 1}),)))))
    assert told["content"][0] == {"type": "text", "text": "Hi"}
    assert told["content"][1]["input"] == {"p": 1}
    assert told["stop_reason"] == "tool_use"
    assert told["usage"]["input_tokens"] == 10
    assert told["usage"]["cache_read_input_tokens"] == 20
    assert told["usage"]["cache_creation_input_tokens"] == 70
    assert told["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 40}


def parsed(events):
    out = []
    for event in events:
        name, data = event.decode().removesuffix("\n\n").split("\n")
        out.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return out


def test_a_stream_says_the_same_as_the_whole_message():
    given = call(Answer("Hello there", (ToolCall("Read", {"path": "a/b.py"}),)))
    whole, events = json.loads(anthropic.whole(given)), parsed(anthropic.events(given))
    assert all(name == data["type"] for name, data in events)
    blocks, partial = {}, {}
    for _, data in events:
        if data["type"] == "content_block_start":
            blocks[data["index"]] = data["content_block"]
        elif data["type"] == "content_block_delta" and data["delta"]["type"] == "text_delta":
            blocks[data["index"]]["text"] += data["delta"]["text"]
        elif data["type"] == "content_block_delta":
            partial[data["index"]] = partial.get(data["index"], "") + data["delta"]["partial_json"]
    for index, told in partial.items():
        blocks[index]["input"] = json.loads(told)
    assert [blocks[index] for index in sorted(blocks)] == whole["content"]
    assert events[0][1]["message"]["usage"]["cache_creation"] == whole["usage"]["cache_creation"]
    last = events[-2][1]
    assert last["delta"]["stop_reason"] == whole["stop_reason"]
    assert last["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert "cache_creation" not in last["usage"]
    assert [name for name, _ in events][-1] == "message_stop"


def test_a_prewarm_says_nothing():
    told = json.loads(anthropic.whole(call(max_tokens=0)))
    assert told["content"] == []
    assert told["usage"]["output_tokens"] == 0
    assert told["stop_reason"] == "max_tokens"


def test_errors():
    told = json.loads(anthropic.refusal(Refusal(529, "overloaded_error", "Overloaded"), "req_1"))
    assert told == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "req_1",
    }
    assert parsed([anthropic.broken("req_1")])[0][0] == "error"


def test_models_and_counts():
    assert json.loads(anthropic.models())["data"][0]["type"] == "model"
    assert json.loads(anthropic.counted(5)) == {"input_tokens": 5}
