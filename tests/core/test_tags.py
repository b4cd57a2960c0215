"""Blocks between the lines of a tag."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.tags import LONGEST, tagged


def found(text: str) -> list[tuple[str, str]]:
    return [(tag, text[a:b]) for tag, a, b in tagged(text, 0, len(text))]


BLOCK = "<system-reminder>\nBe careful.\n</system-reminder>"


def test_blocks_of_whole_lines():
    assert found(f"a\n{BLOCK}\nb\n{BLOCK}") == [("system-reminder", BLOCK)] * 2
    assert found("<tag>\nx\n</tag>") == [("tag", "<tag>\nx\n</tag>")]


@pytest.mark.parametrize(
    "text",
    [
        f"x{BLOCK}",
        f"{BLOCK}x",
        "<system-reminder>\nno end",
        "<System>\nx\n</System>",
        "<div class='x'>\nx\n</div>",
        "<tag>" + "\n" + "x" * LONGEST + "\n</tag>",
    ],
)
def test_what_is_none(text: str):
    assert found(text) == []


@given(st.lists(st.sampled_from([BLOCK, "<tag>", "</tag>", "a < b", "</x>", "a", ""]), max_size=7), st.data())
def test_blocks_are_those_of_a_walk_over_the_lines(lines: list[str], data: st.DataObject):
    text = "\n".join(lines)
    starts = [0, *(at + 1 for at, sign in enumerate(text) if sign == "\n")]
    start = data.draw(st.sampled_from(starts))
    walked, rest = [], text[start:].split("\n")
    while rest:
        opens = rest.pop(0)
        closing = f"</{opens[1:]}"
        if opens in {"<tag>", "<system-reminder>"} and closing in rest:
            end = rest.index(closing) + 1
            walked.append("\n".join([opens, *rest[:end]]))
            rest = rest[end:]
    assert [text[a:b] for _, a, b in tagged(text, start, len(text))] == walked


def test_a_range_ends_the_search():
    text = f"{BLOCK}\nx"
    assert list(tagged(text, 0, len(BLOCK) - 1)) == []
    assert len(list(tagged(text, 0, len(BLOCK)))) == 1
