"""A question goes behind the history as it is; an answer is read from what the mock provider replies in each format."""

import json
import time

import pytest

from tokenpak.core.asking import CannotBeAsked, NoAnswer, answer_in, asked
from tokenpak.core.patch import Format
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Answer
from tokenpak.mock_provider.faults import Send
from tokenpak.mock_provider.reply import Request

PATHS = {
    Format.ANTHROPIC: "/v1/messages",
    Format.OPENAI_CHAT: "/v1/chat/completions",
    Format.OPENAI_RESPONSES: "/v1/responses",
}
HISTORY = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": "I went."},
    {"role": "user", "content": "and?"},
]


def body(fmt, history=HISTORY, **more):
    key = "input" if fmt is Format.OPENAI_RESPONSES else "messages"
    return json.dumps({"model": "m", key: history, **more}).encode()


def put(fmt, raw, **more):
    return json.loads(asked(fmt, raw, "Which line?", 64, **more))


@pytest.mark.parametrize("fmt", list(Format))
def test_a_message_is_appended_and_nothing_before_it_changed(fmt):
    made = put(fmt, body(fmt, system="s", instructions="i", metadata={"a": 1.5}))
    history = made["input" if fmt is Format.OPENAI_RESPONSES else "messages"]
    assert history[:-1] == HISTORY
    kind = "input_text" if fmt is Format.OPENAI_RESPONSES else "text"
    assert history[-1] == {"role": "user", "content": [{"type": kind, "text": "Which line?"}]}
    assert (made["model"], made["system"], made["instructions"], made["metadata"]) == ("m", "s", "i", {"a": 1.5})


@pytest.mark.parametrize(
    ("fmt", "bound"),
    [
        (Format.ANTHROPIC, "max_tokens"),
        (Format.OPENAI_CHAT, "max_completion_tokens"),
        (Format.OPENAI_RESPONSES, "max_output_tokens"),
    ],
)
def test_only_a_short_text_can_come_back(fmt, bound):
    told = {"stream": True, "stream_options": {}, "thinking": {"type": "enabled"}, "tool_choice": "required", "n": 3}
    made = put(fmt, body(fmt, tools=[{"name": "Read"}], max_tokens=9000, **told))
    assert made[bound] == 64
    assert not {"stream", "stream_options", "thinking", "n"} & made.keys()
    assert {key for key in made if key.startswith("max_")} == {bound}
    assert made["tools"] == [{"name": "Read"}]
    assert made["tool_choice"] == ({"type": "none"} if fmt is Format.ANTHROPIC else "none")


def test_without_tools_there_is_no_tool_choice():
    assert "tool_choice" not in put(Format.OPENAI_CHAT, body(Format.OPENAI_CHAT, tool_choice="auto"))


def test_an_input_that_is_a_string_becomes_a_message():
    made = put(Format.OPENAI_RESPONSES, body(Format.OPENAI_RESPONSES, "go"))
    assert made["input"][0] == {"role": "user", "content": "go"}


def test_another_model_may_be_asked():
    assert put(Format.ANTHROPIC, body(Format.ANTHROPIC), model="other")["model"] == "other"


@pytest.mark.parametrize(
    ("last", "fmt"),
    [
        ({"role": "tool", "tool_call_id": "t", "content": "x"}, Format.OPENAI_CHAT),
        ({"type": "function_call_output", "call_id": "t", "output": "x"}, Format.OPENAI_RESPONSES),
    ],
)
def test_a_question_may_follow_tool_results(last, fmt):
    assert put(fmt, body(fmt, [*HISTORY, last]))


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b'{"model":"m"}',
        b'{"model":"m","messages":[]}',
        b'{"messages":[{"role":"user","content":"go"}]}',
        body(Format.ANTHROPIC, HISTORY[:2]),
        body(Format.ANTHROPIC, ["x"]),
    ],
)
def test_what_cannot_be_asked_is_refused(raw):
    with pytest.raises(CannotBeAsked):
        put(Format.ANTHROPIC, raw)


@pytest.mark.parametrize("fmt", list(Format))
def test_the_answer_of_a_provider(fmt):
    provider = Provider(time.monotonic)
    provider.answers.append(Answer("\treturn “x”\n"))
    reply, _ = provider.receive(Request("POST", PATHS[fmt], [], asked(fmt, body(fmt), "Which?", 64)))
    whole = b"".join(action.data for action in reply.script if isinstance(action, Send))
    assert answer_in(fmt, whole) == "\treturn “x”\n"


@pytest.mark.parametrize(
    ("fmt", "reply", "answer"),
    [
        (Format.ANTHROPIC, {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]}, "a"),
        (Format.ANTHROPIC, {"content": []}, ""),
        (Format.OPENAI_CHAT, {"choices": [{"message": {"content": None, "refusal": "no"}}]}, ""),
        (Format.OPENAI_CHAT, {"choices": []}, ""),
        (
            Format.OPENAI_RESPONSES,
            {
                "output": [
                    {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
                    {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                ]
            },
            "a",
        ),
        (Format.OPENAI_RESPONSES, {"output": [{"type": "reasoning", "summary": []}]}, ""),
    ],
)
def test_only_what_the_model_says_is_its_answer(fmt, reply, answer):
    assert answer_in(fmt, json.dumps(reply).encode()) == answer


@pytest.mark.parametrize("fmt", list(Format))
@pytest.mark.parametrize("reply", [b"", b"<html>", b"{}", b"\xff"])
def test_what_is_no_reply_is_told(fmt, reply):
    with pytest.raises(NoAnswer):
        answer_in(fmt, reply)
