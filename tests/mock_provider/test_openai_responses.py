import json

from tokenpak.mock_provider import openai_responses
from tokenpak.mock_provider.call import Answer, Call, ToolCall, Used

DONE = Answer("Done.")


def call(answer=DONE, **body):
    return Call(1, "gpt-x", Used(100, 1024), answer, 3, body)


def test_order_is_tools_instructions_items():
    body = {
        "tools": [{"type": "function", "name": "t"}],
        "instructions": "i",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"}]},
            {"type": "reasoning", "encrypted_content": "zz" * 100, "summary": []},
            {"type": "function_call", "call_id": "c", "name": "Read", "arguments": '{"p":"a"}'},
            {"type": "function_call_output", "call_id": "c", "output": "a\nb"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "c"}]},
        ],
    }
    texts = [block.text for block in openai_responses.prompt(body)]
    assert texts == ['{"type":"function","name":"t"}', "i", "u", "", 'Read {"p":"a"}', "a\nb", "c"]


def test_strings_are_messages_and_text_parts():
    spelled = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "u"}]}]
    short = openai_responses.prompt({"input": "u"})
    assert [b.key for b in short] == [b.key for b in openai_responses.prompt({"input": spelled})]
    half = openai_responses.prompt({"input": [{"role": "user", "content": "u"}]})
    assert [b.key for b in half] == [b.key for b in short]


def test_objections():
    assert openai_responses.objection({"model": "m", "input": "x"}) is None
    assert openai_responses.objection({"input": "x"})
    assert openai_responses.objection({"model": "m"})


def test_a_whole_response():
    told = json.loads(openai_responses.whole(call(Answer("Hi", (ToolCall("Read", {"p": 1}),)), store=False)))
    assert told["output"][0]["content"][0]["text"] == "Hi"
    assert told["output"][1]["arguments"] == '{"p":1}'
    assert told["usage"]["input_tokens"] == 1124
    assert told["usage"]["input_tokens_details"] == {"cached_tokens": 1024}
    assert told["store"] is False


def test_a_stream_says_the_same_as_the_whole_response():
    given = call(Answer("Hello there", (ToolCall("Read", {"path": "a/b.py"}),)))
    whole, events = json.loads(openai_responses.whole(given)), []
    for event in openai_responses.events(given):
        name, data = event.decode().removesuffix("\n\n").split("\n")
        events.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    by_type = {}
    for event in events:
        by_type.setdefault(event["type"], []).append(event)
    assert "".join(e["delta"] for e in by_type["response.output_text.delta"]) == "Hello there"
    arguments = "".join(e["delta"] for e in by_type["response.function_call_arguments.delta"])
    assert json.loads(arguments) == {"path": "a/b.py"}
    assert [e["item"] for e in by_type["response.output_item.done"]] == whole["output"]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"] == whole
    assert by_type["response.created"][0]["response"]["usage"] is None


def test_an_error_inside_a_stream():
    assert openai_responses.broken("req_1").startswith(b"event: error\n")
