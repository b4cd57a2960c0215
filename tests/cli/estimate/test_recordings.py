import json

import pytest
from estimate_lab import recording

from tokenpak.cli.estimate.recordings import is_one, turns
from tokenpak.cli.estimate.turns import Broken
from tokenpak.core.patch import Format

CALL = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": '{"a":1}'}}
CHAT = [
    {"role": "system", "content": "be good"},
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": "I will", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
    {"role": "assistant", "content": "done"},
]


def read(raw):
    return list(turns(raw, "name"))


def test_turns_end_where_the_recording_says():
    found = read(recording(model="claude-opus-4-6"))
    assert [len(turn.items) for turn in found] == [1, 3, 5, 7]
    assert {(turn.session, turn.agent, turn.model, turn.format, turn.tail_marks) for turn in found} == {
        ("rec", "an agent", "claude-opus-4-6", Format.ANTHROPIC, True)
    }


def test_or_where_the_assistant_answers():
    told = json.loads(recording())
    del told["turn_ends"], told["id"]
    found = read(json.dumps(told).encode())
    assert [len(turn.items) for turn in found] == [1, 3, 5]
    assert found[0].session == "name"


@pytest.mark.parametrize(
    ("fields", "totals"),
    [
        ({"recorded_usage": [[0, 100], [4, 300]]}, [100, None, 300, None]),
        ({"recorded_input_tokens": [100, 200, None, 400]}, [100, 200, None, 400]),
        ({}, [None] * 4),
    ],
)
def test_totals_are_of_their_turns(fields, totals):
    assert [turn.total for turn in read(recording(**fields))] == totals


def test_marks_of_the_last_request_are_taken_off_all():
    mark = {"type": "ephemeral", "ttl": "1h"}
    raw = recording(system=[{"type": "text", "text": "x", "cache_control": mark}])
    (first, *_) = read(raw)
    assert b"cache_control" not in first.system
    assert first.life == "1h"


def test_chat_stays_chat_and_responses_become_items():
    chat = read(recording(format="openai", messages=CHAT, turn_ends=[1, 3]))
    assert [len(turn.items) for turn in chat] == [2, 4]
    assert chat[0].format is Format.OPENAI_CHAT
    (_, second) = read(recording(format="openai", native_api="responses", messages=CHAT, turn_ends=[1, 3]))
    kinds = [json.loads(item)["type"] for item in second.items]
    assert kinds == ["message", "message", "message", "function_call", "function_call_output"]
    assert json.loads(second.items[3])["arguments"] == '{"a":1}'


@pytest.mark.parametrize(
    "raw", [b"{}", b"[]", b"no json", b"\xff", b'{"model":"m","messages":[{"role":"user","content":"x"}]}']
)
def test_other_files_are_none(raw):
    assert not is_one(raw)
    assert read(raw) == [Broken("recording")]


def test_messages_that_are_none():
    assert read(recording(messages=[7])) == [Broken("recording")]
    assert read(recording(messages=[])) == []


def test_a_recording_is_one():
    assert is_one(recording())
