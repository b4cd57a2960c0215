"""OpenAI Responses items as blocks."""

from random import Random
from typing import Any

import pytest

from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import Kind, blocks_of, canonical, read
from tokenpak.core.body.openai_responses import input_unit, instructions_unit, item_unit
from tokenpak.core.patch import Format

FMT = Format.OPENAI_RESPONSES
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]}
CALL = {"type": "function_call", "call_id": "c1", "name": "read", "arguments": '{"path": "/a"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "one\ntwo"}
ITEMS = [USER, CALL, OUTPUT]


def canonical_of(items: Any, **top: Any) -> tuple[bytes, ...]:
    return canonical(read(FMT, written({"input": items, **top})))


@pytest.mark.parametrize("seed", range(8))
def test_a_request_written_anew_is_the_same(seed: int):
    rng = Random(seed)
    session = agent_session(seed, 6)
    body = body_of(FMT, session, len(session.messages))
    assert canonical(read(FMT, restyled(body, any_style(rng), rng))) == canonical(read(FMT, written(body)))


def test_what_clients_write_otherwise_is_the_same_request():
    assert canonical_of([{"role": "user", "content": "go"}, CALL, OUTPUT]) == canonical_of(ITEMS)
    assert canonical_of(
        [USER, CALL, {**OUTPUT, "output": [{"type": "input_text", "text": "one\ntwo"}]}]
    ) == canonical_of(ITEMS)
    assert canonical_of([dict(reversed(each.items())) for each in ITEMS]) == canonical_of(ITEMS)
    assert canonical_of("go") == canonical_of([USER]) == canonical_of([{"role": "user", "content": "go"}])


DIFFERENT: list[tuple[Any, dict[str, Any]]] = [
    (ITEMS, {"instructions": "x"}),
    (ITEMS, {"tools": [{"type": "function", "name": "read"}]}),
    (ITEMS[:2], {}),
    ([USER, CALL, {**OUTPUT, "output": "one\ntwo\n"}], {}),
    ([USER, CALL, {**OUTPUT, "call_id": "c2"}], {}),
    ([USER, CALL, {**OUTPUT, "type": "custom_tool_call_output"}], {}),
    ([USER, CALL, {**OUTPUT, "status": "completed"}], {}),
    ([USER, {**CALL, "name": "write"}, OUTPUT], {}),
    ([USER, {**CALL, "id": "fc_1"}, OUTPUT], {}),
    ([USER, {**CALL, "arguments": '{"path":"/a"}'}, OUTPUT], {}),
    ([{**USER, "role": "developer"}, CALL, OUTPUT], {}),
    ([{**USER, "role": "assistant"}, CALL, OUTPUT], {}),
    ([{**USER, "id": "m"}, CALL, OUTPUT], {}),
    ([USER, {"type": "reasoning", "encrypted_content": "a"}, CALL, OUTPUT], {}),
    ([USER, {"type": "reasoning", "encrypted_content": "b"}, CALL, OUTPUT], {}),
]


def test_what_differs_is_another_request():
    told = [canonical_of(ITEMS), *(canonical_of(items, **top) for items, top in DIFFERENT)]
    assert len(set(told)) == len(told)


def test_kinds_and_ids():
    body = {"instructions": "You", "tools": [{"name": "read"}], "input": [*ITEMS, {"type": "reasoning"}]}
    found = list(blocks_of(read(FMT, written(body))))
    assert [b.kind for b in found] == [Kind.TOOL, Kind.SYSTEM, Kind.USER, Kind.CALL, Kind.RESULT, Kind.OPAQUE]
    assert (found[3].call_id, found[3].name, found[3].arguments) == ("c1", "read", (("path", "/a"),))


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin"}, Kind.CALL),
        ({"type": "custom_tool_call_output", "call_id": "c", "output": "x"}, Kind.RESULT),
        ({"type": "local_shell_call_output", "call_id": "c", "output": "x"}, Kind.RESULT),
        ({"type": "local_shell_call", "call_id": "c", "action": {}}, Kind.OPAQUE),
        ({"type": "item_reference", "id": "x"}, Kind.OPAQUE),
        ({"type": "compaction", "encrypted_content": "x"}, Kind.OPAQUE),
        ({"type": None, "role": "user", "content": "x"}, Kind.OPAQUE),
        ({"type": "message", "role": "critic", "content": "x"}, Kind.OPAQUE),
        ({"type": "message", "role": "user"}, Kind.OPAQUE),
        ({"type": "something_new", "output": "x"}, Kind.OPAQUE),
    ],
)
def test_items(item: dict[str, Any], kind: Kind):
    (found,) = item_unit(written(item)).blocks
    assert found.kind is kind
    assert found.texts == () or kind is Kind.RESULT


def test_the_input_string_and_the_instructions():
    unit = input_unit(b'"go"')
    assert unit.user
    assert [(b.kind, b.texts[0].text) for b in unit.blocks] == [(Kind.USER, "go")]
    assert instructions_unit(b'"You"').blocks[0].kind is Kind.SYSTEM
    assert instructions_unit(b"[]").blocks[0].kind is Kind.OPAQUE
