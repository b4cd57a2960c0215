import json
from itertools import pairwise

import pytest

from tests.shared_place import shared
from tokenpak.cli.demonstration.client import encoded
from tokenpak.cli.demonstration.replay import (
    BadSession,
    Recording,
    anthropic_body,
    chat_body,
    made_up,
    marked,
    minimal_tools,
    recorded,
    responses_body,
)
from tokenpak.core.body import canonical, read
from tokenpak.core.patch import Format

CALL = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "a"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "x"}
MESSAGES = [
    {"role": "user", "content": [{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": [CALL]},
    {"role": "user", "content": [RESULT]},
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": "more"},
]
CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "Read", "arguments": '{"path":"a"}'}}
CHAT = [
    {"role": "system", "content": "be good"},
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
]


def written(folder, name, **fields):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"id": name, "system": None, "tools": None, **fields}))
    return path


def test_made_up_sessions_cover_every_format():
    replays = made_up()
    assert {replay.format for replay in replays} == set(Format)
    for replay in replays:
        assert replay.turns == len(list(replay.bodies()))


def test_recordings_become_requests_turn_by_turn(tmp_path):
    written(tmp_path, "b", agent="Claude Code", format="anthropic", messages=MESSAGES, turn_ends=[0, 2, 4])
    written(tmp_path, "a", agent="Codex", format="openai", messages=CHAT, turn_ends=[1, 3])
    written(tmp_path, "c", agent="SWE-agent", format="openai", messages=CHAT, turn_ends=[1, 3])
    replays = recorded(tmp_path)
    assert [replay.ident for replay in replays] == ["a", "b", "c"]
    assert [replay.format for replay in replays] == [
        Format.OPENAI_RESPONSES,
        Format.ANTHROPIC,
        Format.OPENAI_CHAT,
    ]
    for replay in replays:
        views = [canonical(read(replay.format, encoded(body))) for body in replay.bodies()]
        assert len(views) == replay.turns
        for before, after in pairwise(views):
            assert after[: len(before)] == before


def test_marks_stand_where_claude_code_sets_them():
    found = Recording("x", MESSAGES, [4])
    body = anthropic_body(found, MESSAGES[:1] + MESSAGES[1:])
    assert "cache_control" in body["system"][-1]
    assert "cache_control" in body["messages"][2]["content"][-1]
    assert body["messages"][4]["content"] == [{"type": "text", "text": "more", "cache_control": {"type": "ephemeral"}}]


def test_recorded_marks_are_taken_off_first(tmp_path):
    written(tmp_path, "m", format="anthropic", messages=MESSAGES, turn_ends=[4])
    (body,) = recorded(tmp_path)[0].bodies()
    assert "cache_control" not in body["messages"][0]["content"][0]
    assert encoded(body).count(b"cache_control") == 3


def test_a_mark_falls_on_what_can_carry_one():
    assert "cache_control" not in marked([{"type": "thinking", "thinking": "x"}])[0]
    assert marked(None) == []
    blocks = marked([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "x"}])
    assert ["cache_control" in block for block in blocks] == [True, False]


def test_tools_and_system_are_made_up_where_they_are_missing():
    found = Recording("x", MESSAGES, [4])
    body = anthropic_body(found, MESSAGES)
    assert body["tools"][0]["name"] == "Read"
    assert body["tools"][0]["input_schema"]["properties"] == {"file_path": {"type": "string"}}
    assert body["system"][0]["text"]
    assert chat_body(Recording("y", CHAT, [3]), CHAT)["tools"][0]["function"]["parameters"]["properties"] == {
        "path": {"type": "string"}
    }
    assert minimal_tools(
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}], dict_of
    )


def dict_of(name, schema):
    return {"name": name, "schema": schema}


def test_codex_speaks_responses():
    body = responses_body(Recording("y", CHAT, [3]), CHAT)
    assert body["instructions"] == "be good"
    assert [item["type"] for item in body["input"]] == ["message", "function_call", "function_call_output"]
    assert body["store"] is False


@pytest.mark.parametrize("text", ["", "{}", '{"id": 1}', "[]"])
def test_what_is_no_recording_is_named(tmp_path, text):
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(BadSession, match="odd"):
        recorded(tmp_path)


def test_an_empty_directory_is_named(tmp_path):
    with pytest.raises(BadSession, match="no recorded sessions"):
        recorded(tmp_path)


def test_the_corpus_if_it_is_there():
    place = shared()
    if place is None:
        pytest.skip("no shared place; the other tests of this file need none")
    replays = recorded(place / "corpus" / "dev")
    assert len(replays) == 24
    for replay in replays:
        first = next(replay.bodies())
        assert read(replay.format, encoded(first)).units
