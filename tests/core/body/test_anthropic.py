"""Anthropic messages as blocks: what two writings of the same request have in common, and what tells requests apart."""

from random import Random
from typing import Any

import pytest

from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import Block, Kind, blocks_of, canonical, read
from tokenpak.core.body.anthropic import message_unit, system_unit
from tokenpak.core.patch import Format

FMT = Format.ANTHROPIC
BODY = {
    "model": "m",
    "system": "You are",
    "tools": [{"name": "Read", "input_schema": {"type": "object", "properties": {"a": {}, "b": {}}}}],
    "messages": [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a", "n": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "one\ntwo"},
                {"type": "text", "text": "note"},
            ],
        },
    ],
}


def canonical_of(body: Any) -> tuple[bytes, ...]:
    return canonical(read(FMT, body if isinstance(body, bytes) else written(body)))


def blocks(message: dict[str, Any]) -> tuple[Block, ...]:
    return message_unit(written(message)).blocks


@pytest.mark.parametrize("seed", range(12))
def test_a_request_written_anew_is_the_same(seed: int):
    rng = Random(seed)
    session = agent_session(seed, 6)
    body = body_of(FMT, session, len(session.messages))
    assert canonical_of(restyled(body, any_style(rng), rng)) == canonical_of(body)


def changed(**top: Any) -> dict[str, Any]:
    return {**BODY, **top}


def with_message(index: int, **members: Any) -> dict[str, Any]:
    messages = list(BODY["messages"])  # type: ignore[call-overload]
    messages[index] = {**messages[index], **members}
    return changed(messages=messages)


CALL = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a", "n": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "one\ntwo"}
NOTE = {"type": "text", "text": "note"}
MARK = {"cache_control": {"type": "ephemeral"}}
SAME = [
    changed(system=[{"type": "text", "text": "You are"}]),
    changed(system=[{"text": "You are", "cache_control": {"type": "ephemeral", "ttl": "1h"}, "type": "text"}]),
    changed(
        tools=[
            {"cache_control": {}, "input_schema": {"properties": {"b": {}, "a": {}}, "type": "object"}, "name": "Read"}
        ]
    ),
    changed(model="other", stream=True, metadata={"user_id": "x"}),
    with_message(0, content=[{"type": "text", "text": "go"}]),
    with_message(0, content=[{"type": "text", "text": "go", **MARK}]),
    with_message(1, content=[{"type": "text", "text": "ok"}, {**CALL, "input": {"n": 1, "file_path": "/a"}, **MARK}]),
    with_message(2, content=[{**RESULT, "content": [{"type": "text", "text": "one\ntwo", **MARK}], **MARK}, NOTE]),
    dict(reversed(BODY.items())),
]
DIFFERENT = [
    changed(system="You are "),
    changed(system=None),
    changed(system=[{"type": "text", "text": "You"}, {"type": "text", "text": " are"}]),
    changed(tools=[]),
    changed(tools=[{"name": "Read", "input_schema": {"type": "object", "properties": {"a": {}}}}]),
    changed(messages=BODY["messages"][:2]),  # type: ignore[index]
    with_message(0, content="go "),
    with_message(0, content="gö"),
    with_message(0, role="assistant"),
    with_message(0, name="x"),
    with_message(0, content=[{"type": "text", "text": "g"}, {"type": "text", "text": "o"}]),
    with_message(0, content=[{"type": "text", "text": "go", "citations": []}]),
    with_message(1, content=[{"type": "text", "text": "ok"}, {**CALL, "input": {"file_path": "/a", "n": "1"}}]),
    with_message(
        1, content=[{"type": "text", "text": "ok"}, {**CALL, "input": {"file_path": "/a", "n": 1, "m": None}}]
    ),
    with_message(1, content=[{"type": "text", "text": "ok"}, {**CALL, "id": "t2"}]),
    with_message(1, content=[{"type": "text", "text": "ok"}, {**CALL, "name": "Write"}]),
    with_message(1, content=[CALL, {"type": "text", "text": "ok"}]),
    with_message(2, content=[{**RESULT, "content": "one\ntwo\n"}, NOTE]),
    with_message(2, content=[{**RESULT, "is_error": True}, NOTE]),
    with_message(2, content=[{**RESULT, "tool_use_id": "t2"}, NOTE]),
    with_message(
        2, content=[{**RESULT, "content": [{"type": "text", "text": "one\n"}, {"type": "text", "text": "two"}]}, NOTE]
    ),
    with_message(
        2,
        content=[{**RESULT, "content": [{"type": "text", "text": "one\ntwo"}, {"type": "image", "source": {}}]}, NOTE],
    ),
    with_message(2, content=[{**RESULT, "content": None}, NOTE]),
    with_message(2, content=[{**RESULT, "content": [None]}, NOTE]),
    with_message(2, content=[{**RESULT, "content": {"a": 1}}, NOTE]),
    with_message(2, content=[{**RESULT, "content": [{"a": 1}]}, NOTE]),
    with_message(2, content=[RESULT]),
    with_message(2, content=[NOTE, RESULT]),
    changed(
        messages=[*BODY["messages"][:2], {"role": "user", "content": [RESULT]}, {"role": "user", "content": [NOTE]}]
    ),  # type: ignore[index]
]


@pytest.mark.parametrize("body", SAME)
def test_what_clients_write_otherwise_is_the_same_request(body: dict[str, Any]):
    assert canonical_of(body) == canonical_of(BODY)


def test_what_differs_is_another_request():
    told = [canonical_of(body) for body in [BODY, *DIFFERENT]]
    assert len(set(told)) == len(told)


def test_kinds_and_ids():
    found = list(blocks_of(read(FMT, written(BODY))))
    kinds = [Kind.TOOL, Kind.SYSTEM, Kind.USER, Kind.ASSISTANT, Kind.CALL, Kind.RESULT, Kind.USER]
    assert [block.kind for block in found] == kinds
    assert (found[4].call_id, found[4].name, found[4].arguments) == ("t1", "Read", (("file_path", "/a"),))
    assert (found[5].call_id, [t.text for t in found[5].texts]) == ("t1", ["one\ntwo"])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "x", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "image", "source": {}},
        {"type": "document", "source": {"type": "text", "data": "x\n" * 9}},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "x", "citations": [{"cited_text": "x"}]},
        {"type": "text", "text": "x", "new_member": 1},
        {"type": "text", "text": None},
        {"type": "text"},
        {"type": "tool_use", "id": "x"},
        {"type": ["text"], "text": "x"},
        {"type": "something_new", "text": "x"},
        {"text": "x"},
        "text",
        None,
        7,
    ],
)
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_unknown_blocks_are_opaque(block: Any, role: str):
    (found,) = blocks({"role": role, "content": [block]})
    assert found.kind is Kind.OPAQUE
    assert found.texts == ()


def test_a_tool_result_is_one_only_in_a_message_of_the_users():
    assert blocks({"role": "user", "content": [RESULT]})[0].kind is Kind.RESULT
    assert blocks({"role": "assistant", "content": [RESULT]})[0].kind is Kind.OPAQUE


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": "x"},
        {"content": "x"},
        {"role": "user"},
        {"role": 1, "content": "x"},
        {"role": "user", "content": []},
        {"role": "user", "content": 5},
    ],
)
def test_messages_of_another_shape_are_one_opaque_block(message: dict[str, Any]):
    (found,) = blocks(message)
    assert found.kind is Kind.OPAQUE


def test_the_texts_lie_where_they_say():
    raw = written({"role": "user", "content": [RESULT, NOTE]})
    for block in message_unit(raw).blocks:
        for text in block.texts:
            assert raw[text.start - 1 : text.end + 1] == written(text.text)


def test_system_blocks():
    assert (
        system_unit(b'"x"').blocks[0].digest
        == system_unit(b'{"type":"text","text":"x","cache_control":{}}').blocks[0].digest
    )
    assert system_unit(b'{"type":"text","text":"x","y":1}').blocks[0].kind is Kind.OPAQUE
    assert system_unit(b"7").blocks[0].kind is Kind.OPAQUE
