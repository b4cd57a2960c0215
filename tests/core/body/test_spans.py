"""Spans against the standard library's reading of the same JSON, in random writings."""

import json
import re
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.writing import any_style, written
from tokenpak.core.body import spans
from tokenpak.core.body.model import Unreadable
from tokenpak.core.body.spans import elements, members, offsets, string

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["a/b", "\n\n", '\\n"', "😀\n", "\\u000a", "T\tT", "\x7f\x01"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
SEEDS = st.integers(0, 2**32)


def escaped(raw: bytes, rng: Random) -> bytes:
    """The same JSON with some characters of its strings written as \\uXXXX, astral ones as pairs."""

    def renewed(match: re.Match[str]) -> str:
        text = match[0]
        if len(text) > 1 or rng.random() < 0.6:
            return text
        units = text.encode("utf-16-be")
        style = rng.choice(["{:04x}", "{:04X}"])
        return "".join("\\u" + style.format(units[i] * 256 + units[i + 1]) for i in range(0, len(units), 2))

    def strings(match: re.Match[str]) -> str:
        return '"' + re.sub(r"\\u[0-9a-fA-F]{4}|\\.|.", renewed, match[1], flags=re.DOTALL) + '"'

    return re.sub(r'"((?:[^"\\]|\\.)*)"', strings, raw.decode()).encode()


def at(raw: bytes, span: tuple[int, int]) -> Any:
    assert raw[span[0] : span[1]].strip() == raw[span[0] : span[1]]
    return json.loads(raw[span[0] : span[1]])


@given(st.dictionaries(TEXT, VALUES, max_size=6), SEEDS)
def test_members_are_those_of_the_object(value: dict[str, Any], seed: int):
    rng = Random(seed)
    raw = escaped(written(value, any_style(rng)), rng)
    before = b" " * rng.randint(0, 3)
    found = members(before + raw + b"]}", (len(before), len(before) + len(raw)))
    assert {key: at(before + raw, span) for key, span in found.items()} == value


@given(st.lists(VALUES, max_size=6), SEEDS)
def test_elements_are_those_of_the_array(value: list[Any], seed: int):
    rng = Random(seed)
    raw = escaped(written(value, any_style(rng)), rng)
    before = b" " * rng.randint(0, 3)
    found = elements(before + raw + b"]}", (len(before), len(before) + len(raw)))
    assert [at(before + raw, span) for span in found] == value


@given(VALUES, SEEDS)
def test_string_is_the_string_or_none(value: Any, seed: int):
    rng = Random(seed)
    raw = escaped(written(value), rng)
    assert string(raw, (0, len(raw))) == (value if isinstance(value, str) else None)


@given(st.lists(TEXT, max_size=8).map("\n".join), SEEDS, st.lists(st.floats(0, 1), max_size=6))
def test_offsets_cut_the_raw_string_where_the_text_is_cut(text: str, seed: int, places: list[float]):
    rng = Random(seed)
    raw = escaped(written(text, any_style(rng)._replace(pad="")), rng)[1:-1]
    positions = sorted(int(place * len(text)) for place in places)
    cuts = [0, *positions, len(text)]
    found = [0, *offsets(raw, positions, len(text)), len(raw)]
    pieces = [json.loads(b'"' + raw[a:b] + b'"') for a, b in pairwise(found)]
    assert pieces == [text[a:b] for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("raw", "position", "offset"),
    [
        (rb"a\\nb\ncd", 5, 7),
        (rb"\\\\n\nx", 4, 7),
        (rb"\\\nx", 2, 4),
        (rb"\u005cn\nx", 3, 9),
        (rb"a\u000ab\ncd", 4, 10),
        (rb"\ud83d\ude00\nx", 2, 14),
        (rb"\\u000a\nx", 7, 9),
        ("é\\nü".encode(), 2, 4),
    ],
)
def test_offsets_by_hand(raw: bytes, position: int, offset: int):
    assert offsets(raw, [position], 99) == [offset]


def test_offsets_in_long_lines_of_wide_characters():
    text = "é" * 5000 + "\n" + "x" * 5000
    raw = json.dumps(text).encode()[1:-1]
    assert offsets(raw, [5000, 5001, 10_001], 10_001) == [30_000, 30_002, len(raw)]


def test_offsets_of_a_text_that_is_not_what_stands_there_are_unreadable():
    with pytest.raises(Unreadable):
        offsets(b"\\n\xff", [3], 4)
    with pytest.raises(Unreadable):
        offsets(b"\\n\xffxxxxxxxxxxxx", [9], 14)


ONE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*",
    re.DOTALL,
)
DENSE = ["\n", "\n123", "\\", "\\ud83d", "é", "中", "😀", "x", "\\n", '"', "\x01", "plain text"]


@given(
    st.lists(st.tuples(st.sampled_from(DENSE), st.integers(1, 5)), max_size=12).map(
        lambda runs: "".join(piece * times for piece, times in runs)
    ),
    SEEDS,
)
def test_offsets_are_those_of_a_walk_over_the_characters_one_by_one(text: str, seed: int):
    rng = Random(seed)
    raw = escaped(written(text), rng)[1:-1] if seed % 2 else json.dumps(text, ensure_ascii=seed % 4 == 0).encode()[1:-1]
    slow = [0, *(match.end() for match in ONE.finditer(raw))]
    assert len(slow) == len(text) + 1
    assert offsets(raw, range(len(text) + 1), len(text)) == slow
    assert [offsets(raw, [position], len(text)) for position in range(len(text) + 1)] == [[each] for each in slow]


@pytest.mark.parametrize("piece", ["\n123", "\n", "\\", "a\\\n", "\\ud83d", "😀", "é\n12", "\x01"])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_offsets_in_nothing_but_escapes_take_few_steps(piece: str, ensure_ascii: bool, monkeypatch: pytest.MonkeyPatch):
    """A step decodes what is left; one by one it would be a step for each of the 20,000 characters."""
    text = piece * 20_000
    raw = json.dumps(text, ensure_ascii=ensure_ascii).encode()[1:-1]
    steps: list[int] = []
    monkeypatch.setattr(spans, "_whole", lambda *told, whole=spans._whole: steps.append(1) or whole(*told))
    last = json.dumps(text[-1], ensure_ascii=ensure_ascii).encode()[1:-1]
    assert offsets(raw, [len(text) - 1], len(text)) == [len(raw) - len(last)]
    assert len(steps) < 200


DUPLICATES = [
    b'{"a":1,"a":1}',
    b'{"a":1,"a":2,"b":3}',
    b'{"b":3,"a":1,"a":2}',
    b'{"a":"x}y","a":12}',
    b'{"a":[1,{"k":2},3],"a":[1,{"k":2}',
    b'{"a":"}","a":""}',
    b'{"a":{},"b":1,"\\u0061":{}}',
    b'{"a":123,"a":1}',
]


@pytest.mark.parametrize("raw", DUPLICATES)
def test_duplicate_keys_are_unreadable(raw: bytes):
    with pytest.raises(Unreadable):
        members(raw, (0, len(raw)))


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), VALUES), min_size=2, max_size=5), SEEDS)
def test_duplicate_keys_are_unreadable_whatever_their_values(pairs: list[tuple[str, Any]], seed: int):
    rng = Random(seed)
    raw = b"{" + b",".join(written(key) + b":" + written(value, any_style(rng)) for key, value in pairs) + b"}"
    if len({key for key, _ in pairs}) == len(pairs):
        assert len(members(raw, (0, len(raw)))) == len(pairs)
    else:
        with pytest.raises(Unreadable):
            members(raw, (0, len(raw)))


BROKEN = [
    b"",
    b" ",
    b"{",
    b'{"a"}',
    b'{"a":1,}',
    b'{"a":1}}',
    b'{"a":1} x',
    b"{'a':1}",
    b'{"a":\x00}',
    b'{"a":"\n"}',
    b'{"a":"\\x"}',
    b'{"\\ud800":1}',
    b'{"a":"\\ud800"}',
    b'{"\xff":1}',
    b'{"a":NaN}',
    b"\xef\xbb\xbf{}",
    b'{"a":' * 100_000,
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"[" * 100_000 + b"]" * 100_000,
    b"null",
    b'"a"',
]


@pytest.mark.parametrize("raw", BROKEN, ids=lambda raw: repr(raw[:20]))
def test_what_is_no_object_is_unreadable_and_nothing_else(raw: bytes):
    with pytest.raises(Unreadable):
        members(raw, (0, len(raw)))


@pytest.mark.parametrize(
    "raw",
    [*BROKEN[:2], b"[1,]", b"[1 2]", b"[", b"{}", b"[\xff]", b'["\\udc00"]', b"[" * 100_000],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_no_array_is_unreadable_and_nothing_else(raw: bytes):
    with pytest.raises(Unreadable):
        elements(raw, (0, len(raw)))


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\ua0 1\n', max_size=24).map(str.encode))
def test_any_bytes_are_read_or_unreadable(raw: bytes):
    for reader in (members, elements):
        try:
            reader(raw, (0, len(raw)))
        except Unreadable:
            continue
        json.loads(raw)
    string(raw, (0, len(raw)))


@pytest.mark.parametrize(
    "raw", [b'"\xff"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"a', b'"a"b"', b"1", b""]
)
def test_strings_that_are_not_valid_unicode_are_none(raw: bytes):
    assert string(raw, (0, len(raw))) is None


def test_invalid_unicode_elsewhere_does_not_hide_the_rest():
    raw = b'{"a":"\xff","b":[1,"\xff"],"c":"x"}'
    found = members(raw, (0, len(raw)))
    assert string(raw, found["c"]) == "x"
    assert string(raw, found["a"]) is None
    assert len(elements(raw, found["b"])) == 2
