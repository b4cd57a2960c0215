"""OpenAI chat messages as blocks."""

import json
from random import Random
from typing import Any

import pytest

from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import Kind, blocks_of, canonical, read
from tokenpak.core.body.openai_chat import content_blocks, message_unit
from tokenpak.core.patch import Format

FMT = Format.OPENAI_CHAT
CALL = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "/a", "n": 1}'}}
ASSISTANT = {"role": "assistant", "content": "ok", "tool_calls": [CALL]}
TOOL = {"role": "tool", "tool_call_id": "c1", "content": "one\ntwo"}
BODY = [
    {"role": "system", "content": "You are"},
    {"role": "user", "content": "go"},
    ASSISTANT,
    TOOL,
    {"role": "user", "content": "note"},
]


def canonical_of(messages: list[Any]) -> tuple[bytes, ...]:
    return canonical(read(FMT, written({"messages": messages})))


def put(index: int, message: Any) -> list[Any]:
    return [*BODY[:index], message, *BODY[index + 1 :]]


@pytest.mark.parametrize("seed", range(8))
def test_a_request_written_anew_is_the_same(seed: int):
    rng = Random(seed)
    session = agent_session(seed, 6)
    body = body_of(FMT, session, len(session.messages))
    assert canonical(read(FMT, restyled(body, any_style(rng), rng))) == canonical(read(FMT, written(body)))


SAME = [
    put(1, {"content": [{"text": "go", "type": "text"}], "role": "user"}),
    put(1, {"role": "user", "content": [{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}}]}),
    put(
        2,
        {
            "tool_calls": [dict(reversed(CALL.items()))],
            "content": [{"type": "text", "text": "ok"}],
            "role": "assistant",
        },
    ),
    put(3, {**TOOL, "content": [{"type": "text", "text": "one\ntwo"}]}),
    put(4, {"role": "user", "content": "note", "cache_control": {"type": "ephemeral"}}),
    put(4, {"role": "user", "content": "note"}),
]
DIFFERENT = [
    put(0, {"role": "developer", "content": "You are"}),
    put(1, {"role": "user", "content": "go\n"}),
    put(1, {"role": "user", "content": "go", "name": "x"}),
    put(1, {"role": "user", "content": "go", "tool_calls": [CALL]}),
    put(1, {"role": "user", "content": "go", "tool_call_id": "c1"}),
    put(2, {**ASSISTANT, "content": None}),
    put(2, {**ASSISTANT, "tool_calls": []}),
    put(2, {**ASSISTANT, "tool_calls": {"id": "c1"}}),
    put(2, {**ASSISTANT, "tool_calls": "x"}),
    put(2, {**ASSISTANT, "tool_calls": [CALL, CALL]}),
    put(2, {**ASSISTANT, "tool_calls": [{**CALL, "id": "c2"}]}),
    put(2, {**ASSISTANT, "tool_calls": [{**CALL, "function": {"name": "read", "arguments": '{"path":"/a","n":1}'}}]}),
    put(2, {**ASSISTANT, "refusal": "no"}),
    put(3, {**TOOL, "tool_call_id": "c2"}),
    put(3, {**TOOL, "content": "one\ntwo "}),
    put(3, {**TOOL, "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "\ntwo"}]}),
    put(3, {**TOOL, "tool_calls": []}),
    put(3, {**TOOL, "name": "read"}),
    put(3, {"role": "function", "name": "read", "content": "one\ntwo"}),
    BODY[:4],
    [*BODY[:4], BODY[4], BODY[4]],
]


@pytest.mark.parametrize("messages", SAME)
def test_what_clients_write_otherwise_is_the_same_request(messages: list[Any]):
    assert canonical_of(messages) == canonical_of(BODY)


def test_what_differs_is_another_request():
    told = [canonical_of(messages) for messages in [BODY, *DIFFERENT]]
    assert len(set(told)) == len(told)


def test_no_calls_is_no_calls_however_written():
    plain = {"role": "assistant", "content": "ok"}
    told = {canonical_of(put(2, plain | more)) for more in ({}, {"tool_calls": []}, {"tool_calls": None})}
    assert len(told) == 1


def test_kinds_and_ids():
    found = list(blocks_of(read(FMT, written({"tools": [{"type": "function"}], "messages": BODY}))))
    assert [b.kind for b in found] == [
        Kind.TOOL,
        Kind.SYSTEM,
        Kind.USER,
        Kind.ASSISTANT,
        Kind.CALL,
        Kind.RESULT,
        Kind.USER,
    ]
    assert (found[4].call_id, found[4].name, found[4].arguments) == ("c1", "read", (("path", "/a"),))
    assert found[5].call_id == "c1"


def test_arguments_that_are_no_json_and_custom_calls():
    custom = {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin\nx"}}
    odd = {"id": "d", "type": "function", "function": {"name": "f", "arguments": '{"a": "\\ud800"}'}}
    empty = {"id": "e", "type": "function"}
    found = message_unit(written({"role": "assistant", "tool_calls": [custom, odd, empty]})).blocks
    assert [(b.kind, b.name, b.arguments) for b in found] == [
        (Kind.CALL, "patch", (("input", "*** Begin\nx"),)),
        (Kind.CALL, "f", (("input", '{"a": "\\ud800"}'),)),
        (Kind.OPAQUE, "", ()),
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "x", "content": "y"},
        {"content": "y"},
        {"role": "assistant"},
        {"role": "user", "content": None},
        {"role": "user", "content": []},
        {"role": None},
    ],
)
def test_messages_of_another_shape_are_one_opaque_block(message: dict[str, Any]):
    assert [block.kind for block in message_unit(written(message)).blocks] == [Kind.OPAQUE]


def test_only_texts_are_texts():
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:"}},
        "b",
        {"type": "text", "text": "c", "x": 1},
    ]
    raw = json.dumps(parts).encode()
    found = content_blocks(raw, (0, len(raw)), Kind.USER, b"")
    assert [block.kind for block in found] == [Kind.USER, Kind.OPAQUE, Kind.OPAQUE, Kind.OPAQUE]
