"""Edits into bytes, changes into texts."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.patch import NUMBERS, Change, Edit
from tokenpak.core.splice import BadEdits, apply_changes, apply_edits, sent_of, spliced

BODY = json.dumps({"a": 'one "two" \\ três\n', "b": [1, "x"]}).encode()


def edit(start: int, end: int, new: bytes) -> Edit:
    return Edit(start, end, new, "test")


def test_no_edits_is_the_same_object():
    assert apply_edits(BODY, ()) is BODY


@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=8),
    st.lists(st.binary(max_size=3).map(lambda b: b.hex().encode()), min_size=8, max_size=8),
)
def test_everything_outside_is_kept(places: list[int], news: list[bytes]):
    body = b"abcdefghijklmnopqrst"
    cuts = sorted(places)
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    sent = apply_edits(body, [edit(a, b, new) for (a, b), new in zip(spans, news, strict=False)])
    wanted, at = b"", 0
    for (a, b), new in zip(spans, news, strict=False):
        wanted, at = wanted + body[at:a] + new, b
    assert sent == wanted + body[at:]


@pytest.mark.parametrize(
    "edits",
    [
        [edit(5, 3, b"")],
        [edit(-1, 3, b"")],
        [edit(0, len(BODY) + 1, b"")],
        [edit(8, 10, b""), edit(9, 11, b"")],
        [edit(9, 11, b""), edit(6, 7, b"")],
        [edit(0, 3, b"")],
        [edit(7, 12, b"")],
        [edit(12, 14, b"")],
        [edit(7, 9, b'"')],
        [edit(7, 9, b"\\")],
        [edit(7, 9, b"\n")],
        [edit(7, 9, b"\xff")],
        [edit(7, 9, b"\\ud800")],
        [edit(7, BODY.index(b"\\"), b"x"), edit(BODY.index(b'\\"'), BODY.index(b'\\"') + 1, b"")],
    ],
)
def test_edits_that_are_not_inside_one_string_are_refused(edits: list[Edit]):
    with pytest.raises(BadEdits):
        apply_edits(BODY, edits)


def test_splicing_looks_at_order_and_bounds_alone():
    assert spliced(BODY, ()) is BODY
    assert spliced(BODY, [edit(0, 3, b'"')]) == b'"' + BODY[3:]
    for edits in ([edit(5, 3, b"")], [edit(0, len(BODY) + 1, b"")], [edit(8, 10, b""), edit(9, 11, b"")]):
        with pytest.raises(BadEdits):
            spliced(BODY, edits)


def test_edits_inside_a_string_are_applied():
    at = BODY.index(b"one")
    sent = apply_edits(BODY, [edit(at, at + 3, b"1\\n\xc3\xa9"), edit(at + 6, at + 9, b"")])
    assert json.loads(sent) == {"a": '1\né "" \\ três\n', "b": [1, "x"]}


@given(st.text(max_size=20), st.lists(st.integers(0, 20), max_size=6))
def test_changes_replace_what_they_say(text: str, places: list[int]):
    cuts = sorted(min(place, len(text)) for place in places)
    changes = [Change(0, a, b, "~", "x", 0) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    out = apply_changes(text, changes)
    kept = [0, *(c for change in changes for c in (change.start, change.end)), len(text)]
    assert out == "~".join(text[a:b] for a, b in list(pairwise(kept))[::2])


def test_what_is_sent_tells_what_stands_in_the_place_of_each_change():
    changes = [
        Change(0, 0, 3, "~", "x", 0),
        Change(0, 5, 16, "!", "x", 0, cut=2),
        Change(0, 16, 26, "", "x", 0, NUMBERS),
    ]
    sent = sent_of("abc--> one\n> two\n    7\tend", changes)
    assert sent.news == ["~", "!\none\ntwo", "\n7\tend"]
    assert sent.text == "~--!\none\ntwo\n7\tend"


@pytest.mark.parametrize(
    "changes",
    [
        [Change(0, 2, 1, "", "x", 0)],
        [Change(0, 0, 9, "", "x", 0)],
        [Change(0, 2, 3, "", "x", 0), Change(0, 0, 1, "", "x", 0)],
    ],
)
def test_changes_that_do_not_fit_are_refused(changes: list[Change]):
    with pytest.raises(BadEdits):
        apply_changes("abc", changes)
