import json
from itertools import pairwise

import pytest
from estimate_lab import FILE, Codex, recording, text_of, working

from tokenpak.cli.estimate import claude_code, codex, recordings
from tokenpak.cli.estimate.request import STAND_IN, body_of
from tokenpak.cli.estimate.turns import Turn
from tokenpak.core.body import Kind, blocks_of, read
from tokenpak.core.patch import Format


def turns(read_):
    return [each for each in read_ if isinstance(each, Turn)]


CLAUDE = turns(claude_code.turns(working().raw(), "x"))


def body(turn, missing=0):
    return json.loads(body_of(turn, missing))


def test_marks_stand_where_the_client_puts_them():
    told = body(CLAUDE[3], 1000)
    last = told["messages"][-1]["content"][-1]
    assert last["type"] == "tool_result"
    assert last["cache_control"] == told["tools"][0]["cache_control"] == {"type": "ephemeral"}
    assert json.dumps(told).count("cache_control") == 2


def test_the_tail_of_a_turn_extends_that_of_the_turn_before():
    views = [read(Format.ANTHROPIC, body_of(turn, 1000)) for turn in CLAUDE[:4]]
    for before, after in pairwise(views):
        digests = [[block.digest for block in blocks_of(view)] for view in (before, after)]
        assert digests[1][: len(digests[0])] == digests[0]


def test_the_stand_in_is_as_large_as_what_is_missing_and_cannot_be_edited():
    for turn in (CLAUDE[0], *turns(recordings.turns(recording(format="openai"), "x"))[:1]):
        view = read(turn.format, body_of(turn, 5000))
        (tool,) = [block for block in blocks_of(view) if block.kind is Kind.TOOL]
        assert tool.size // 4 == pytest.approx(5000, rel=0.02)
        assert not tool.texts


def test_nothing_stands_in_for_nothing():
    assert "tools" not in body(CLAUDE[0])


def test_what_a_recording_holds_is_sent():
    tools, system = [{"name": "Read", "input_schema": {}}], "be good"
    (first, *_) = turns(recordings.turns(recording(tools=tools, system=system), "x"))
    told = body(first, 100)
    assert [tool["name"] for tool in told["tools"]] == [STAND_IN, "Read"]
    assert told["system"] == [{"type": "text", "text": "be good", "cache_control": {"type": "ephemeral"}}]


def test_an_hour_is_an_hour():
    hour = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    (first, *_) = turns(recordings.turns(recording(system=hour), "x"))
    assert body(first)["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_responses_as_codex_sends_them():
    log = Codex()
    log.user(text_of(FILE))
    log.call("c1")
    (turn,) = turns(codex.turns(log.raw(), "x", counted=False))
    told = body(turn, 50)
    assert told["instructions"] == "be a good agent"
    assert told["prompt_cache_key"] == "r1 main"
    assert told["tools"][0]["name"] == STAND_IN
    assert read(Format.OPENAI_RESPONSES, body_of(turn, 50)).units


def test_chat_puts_a_recorded_system_prompt_first():
    plain = [{"role": "user", "content": "go"}]
    (first,) = turns(recordings.turns(recording(format="openai", messages=plain, turn_ends=[0], system="be good"), "x"))
    assert [message["role"] for message in body(first)["messages"]] == ["system", "user"]
    own = [{"role": "system", "content": "own"}, *plain]
    (first,) = turns(recordings.turns(recording(format="openai", messages=own, turn_ends=[1], system="be good"), "x"))
    assert [message["content"] for message in body(first)["messages"]] == ["own", "go"]
