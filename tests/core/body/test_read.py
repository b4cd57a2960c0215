"""Whole bodies: views, outlines, families."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import Kind, Unreadable, blocks_of, canonical, outline, read
from tokenpak.core.patch import Format

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
MINIMAL = {
    Format.ANTHROPIC: b'{"messages":[]}',
    Format.OPENAI_CHAT: b'{"messages":[]}',
    Format.OPENAI_RESPONSES: b'{"input":[]}',
}


@FORMATS
@pytest.mark.parametrize("seed", range(4))
def test_offsets_lead_to_the_texts_in_the_body(fmt: Format, seed: int):
    session, rng = agent_session(seed, 8), Random(seed)
    raw = restyled(body_of(fmt, session, len(session.messages)), any_style(rng), rng)
    view = read(fmt, raw)
    texts = 0
    for start, _, unit in view.units:
        for block in unit.blocks:
            for text in block.texts:
                assert (
                    raw[start + text.start - 1 : start + text.start]
                    == b'"'
                    == raw[start + text.end : start + text.end + 1]
                )
                texts += 1
    assert texts > 8


@FORMATS
def test_a_memo_only_saves_time(fmt: Format):
    session, rng, memo = agent_session(3, 8), Random(3), {}
    for count in session.turns():
        raw = restyled(body_of(fmt, session, count), any_style(rng), rng)
        assert read(fmt, raw, memo) == read(fmt, raw, memo) == read(fmt, raw)


def test_the_order_is_that_of_the_providers_cache():
    body = {"messages": [{"role": "user", "content": "u"}], "system": "s", "tools": [{"name": "t"}]}
    kinds = [block.kind for block in blocks_of(read(Format.ANTHROPIC, written(body)))]
    assert kinds == [Kind.TOOL, Kind.SYSTEM, Kind.USER]
    body = {"input": "u", "instructions": "s", "tools": [{"name": "t"}]}
    kinds = [block.kind for block in blocks_of(read(Format.OPENAI_RESPONSES, written(body)))]
    assert kinds == [Kind.TOOL, Kind.SYSTEM, Kind.USER]


def test_system_and_tools_may_be_null_or_missing():
    assert canonical(read(Format.ANTHROPIC, b'{"messages":[],"system":null,"tools":null}')) == ()
    assert canonical(read(Format.OPENAI_RESPONSES, b'{"input":[],"instructions":null}')) == ()


UNREADABLE = [
    b"",
    b"[]",
    b"{}",
    b"nonsense",
    b'{"messages":1,"input":1}',
    b'{"messages":{},"input":{}}',
    b'{"messages":[1],"input":[1]}',
    b'{"messages":["x"],"input":["x"]}',
    b'{"messages":[],"messages":[],"input":[],"input":[]}',
    b'{"messages":[{"role":"user","role":"user","content":"x"}],"input":[{"role":"user","role":"user","content":"x"}]}',
    b'{"tools":"x","messages":[],"input":[]}',
    b'{"messages":[{"role":"user","content":"\\ud800"}],"input":"\\ud800"}',
    b'{"messages":' + b"[" * 200_000,
]


@FORMATS
@pytest.mark.parametrize("raw", UNREADABLE, ids=lambda raw: repr(raw[:40]))
def test_what_cannot_be_read_exactly_is_unreadable(fmt: Format, raw: bytes):
    with pytest.raises(Unreadable):
        read(fmt, raw)


@FORMATS
@given(st.data())
def test_no_body_raises_anything_else(fmt: Format, data: st.DataObject):
    """Valid bodies with bytes cut out, put in or changed."""
    raw = bytearray(data.draw(st.sampled_from([MINIMAL[fmt], written(body_of(fmt, agent_session(1, 2), 5))])))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"null", b"{}", b'""', b"[", b'"', b"\\"])
        )
    for reader in (read, outline):
        try:
            reader(fmt, bytes(raw))
        except Unreadable:
            continue


# ---------------------------------------------------------------- outlines


def test_outlines_say_what_the_front_asks():
    told = outline(Format.ANTHROPIC, b'{"model":"m","stream":true,"max_tokens":0,"messages":[]}')
    assert (told.model, told.stream, told.max_tokens) == ("m", True, 0)
    told = outline(Format.OPENAI_CHAT, b'{"model":1,"stream":"yes","max_completion_tokens":7,"messages":[]}')
    assert (told.model, told.stream, told.max_tokens) == (None, False, 7)
    told = outline(Format.OPENAI_RESPONSES, b'{"max_output_tokens":true,"input":"x"}')
    assert (told.model, told.stream, told.max_tokens) == (None, False, None)


@FORMATS
@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{}", b'{"messages":1}', b'{"messages":[1]}', b'{"input":[1]}', b'{"messages":[' + b"[" * 200_000],
)
def test_what_is_no_request_has_no_outline(fmt: Format, raw: bytes):
    with pytest.raises(Unreadable):
        outline(fmt, raw)


@FORMATS
def test_a_family_is_the_first_user_message_however_written(fmt: Format):
    session, rng = agent_session(4, 6), Random(4)
    families = {outline(fmt, restyled(body_of(fmt, session, n), any_style(rng), rng)).family for n in session.turns()}
    assert len(families) == 1
    other = agent_session(5, 6)
    assert outline(fmt, written(body_of(fmt, other, 1))).family not in families
    assert outline(fmt, MINIMAL[fmt]).family not in families


def test_a_system_message_or_a_result_is_no_first_user_message():
    plain = {"role": "user", "content": "go"}
    body = [{"role": "system", "content": "s"}, {"role": "tool", "tool_call_id": "x", "content": "r"}, plain]
    assert (
        outline(Format.OPENAI_CHAT, written({"messages": body})).family
        == outline(Format.OPENAI_CHAT, written({"messages": [plain]})).family
    )
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "r"}]}
    one, two = written({"messages": [result, plain]}), written({"messages": [plain]})
    assert outline(Format.ANTHROPIC, one).family == outline(Format.ANTHROPIC, two).family


def test_the_view_says_why_nothing_may_be_edited():
    bill: dict[str, Any] = {"type": "text", "text": "x-anthropic-billing-header: cch=1"}
    assert (
        read(Format.ANTHROPIC, written({"messages": [], "system": [{"type": "text", "text": "x"}, bill]})).keep
        == "billing_cch"
    )
    assert read(Format.ANTHROPIC, written({"messages": [{"role": "user", "content": [bill]}]})).keep is None
    assert read(Format.ANTHROPIC, b'{"messages":[],"context_management":"x"}').unreferable == "context_management"
    assert read(Format.ANTHROPIC, b'{"messages":[],"truncation":"auto"}').unreferable is None
