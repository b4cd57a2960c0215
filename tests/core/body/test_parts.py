"""What the formats share."""

from typing import Any

import pytest

from tests.core.writing import written
from tokenpak.core.body.model import IMAGE_SIZE, Kind, Unit
from tokenpak.core.body.parts import (
    arguments_in,
    call,
    decoded,
    extras,
    opaque,
    remembered,
    result,
    stable,
    text_at,
    text_part,
    tool_unit,
)
from tokenpak.core.body.spans import members


def whole(raw: bytes) -> tuple[int, int]:
    return 0, len(raw)


def test_stable_is_one_writing_for_all():
    one, two = (
        b'{"b": [1, "\\u00e9/"],\n"a":null, "cache_control": {}}',
        '{"a":null,"b":[1,"é\\/"],"cache_control":{}}'.encode(),
    )
    assert stable(one, whole(one)) == stable(two, whole(two))
    assert b"cache_control" not in stable(one, whole(one), ("cache_control",))
    assert stable(b"1.0", (0, 3)) != stable(b"1", (0, 1))
    assert stable(b'"1"', (0, 3)) != stable(b"1", (0, 1))


@pytest.mark.parametrize("raw", [b'"\xff"', b"1e999", b"[" * 50_000 + b"]" * 50_000, b'{"\xff":1}'])
def test_what_cannot_be_decoded_is_known_by_its_bytes(raw: bytes):
    assert stable(raw, whole(raw)) == raw
    assert decoded(raw, whole(raw)) is None
    assert opaque(raw, whole(raw)).kind is Kind.OPAQUE


def extras_of(value: dict[str, Any]) -> bytes:
    raw = written(value)
    return extras(raw, members(raw, whole(raw)), frozenset({"role"}))


def test_extras_tell_members_apart():
    told = [
        extras_of(value) for value in ({}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 2}, {"a:1,b": 2}, {"a": "1,b:2"})
    ]
    assert len(set(told)) == len(told)
    assert extras_of({"role": "x"}) == extras_of({}) == b""
    assert extras_of({"a": 1, "b": 2}) == extras_of({"b": 2, "role": "y", "a": 1})


def test_text_parts():
    plain = b'{"type":"text","text":"x"}'
    part = text_part(plain, whole(plain))
    assert part is not None
    assert plain[part.start : part.end] == b"x"
    assert text_at(b'"\xff"', (0, 3)) is None
    for raw in (
        b'{"type":"text"}',
        b'{"text":"x"}',
        b'{"type":"image","text":"x"}',
        b'{"type":"text","text":"x","z":1}',
        b'{"type":"text","text":1}',
    ):
        assert text_part(raw, whole(raw)) is None


def result_of(content: Any) -> tuple[bytes, list[str], int]:
    raw = written(content)
    block = result(raw, whole(raw), "id")
    return block.digest, [text.text for text in block.texts], block.size


def test_results():
    assert result_of("x") == result_of([{"type": "text", "text": "x"}])
    assert result_of([{"type": "text", "text": "x"}, {"type": "image"}, {"type": "text", "text": "y"}])[1] == ["x", "y"]
    contents: list[Any] = [
        "",
        None,
        [None],
        [],
        ["x"],
        5,
        [5],
        {},
        [{}],
        [{"type": "text", "text": ""}, {}],
        [{}, {"type": "text", "text": ""}],
    ]
    told = [result_of(content)[0] for content in contents]
    assert len(set(told)) == len(told)
    assert result(b"", None, "id").digest == result_of([])[0]


def test_pictures_count_as_pictures_and_not_by_their_bytes():
    assert result_of([{"type": "image", "source": {"data": "A" * 10**5}}])[2] == IMAGE_SIZE
    assert result_of([{"type": "image", "source": {"data": "A"}}])[2] < 100
    assert result_of([{"type": "other", "data": "A" * 10**5}])[2] > 10**5


def test_arguments_are_named_alike_whatever_their_order():
    one, two = written({"input": {"b": "x", "a": "y"}}), written({"input": {"a": "y", "b": "x"}})
    calls = [call(raw, whole(raw), "c", "n", decoded(raw, members(raw, whole(raw))["input"])) for raw in (one, two)]
    assert calls[0].arguments == calls[1].arguments == (("a", "y"), ("b", "x"))
    assert calls[0].digest == calls[1].digest


def test_which_arguments_are_texts():
    value = {"s": "x", "l": ["bash", "-lc", "ls"], "n": 1, "e": [], "m": ["a", 1], "d": {"s": "x"}, "z": None}
    assert call(b"{}", (0, 2), "c", "n", value).arguments == (("l", "ls"), ("s", "x"))
    assert call(b"{}", (0, 2), "c", "n", ["x"]).arguments == ()


@pytest.mark.parametrize("text", ["not json", '{"a": "\\ud800"}', "[" * 50_000])
def test_arguments_that_are_no_json_are_one_text(text: str):
    assert arguments_in(text) == {"input": text}


def test_arguments_in_json():
    assert arguments_in('{"a": 1}') == {"a": 1}
    assert arguments_in(None) is None


def test_remembered_units_are_found_by_section_and_bytes():
    asked: list[bytes] = []

    def parse(raw: bytes) -> Unit:
        asked.append(raw)
        return tool_unit(raw)

    memo: dict[bytes, Unit] = {}
    raw = b'[{"a":1},{"a":1},{"a": 1}]'
    first = remembered(memo, "tool", raw, (1, 8), parse)
    assert remembered(memo, "tool", raw, (9, 16), parse) == first
    assert remembered(memo, "tool", raw, (17, 25), parse)[0] != first[0]
    assert remembered(memo, "system", raw, (1, 8), parse)[0] != first[0]
    assert remembered(None, "tool", raw, (1, 8), parse) == first
    assert asked == [b'{"a":1}', b'{"a": 1}', b'{"a":1}', b'{"a":1}']
