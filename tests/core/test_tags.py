"""Blocks between the lines of a tag."""

import pytest

from tokenpak.core.tags import LONGEST, tagged


def found(text: str) -> list[tuple[str, str]]:
    return [(tag, text[a:b]) for tag, a, b in tagged(text, 0, len(text))]


BLOCK = "<system-reminder>\nBe careful.\n</system-reminder>"


def test_blocks_of_whole_lines():
    assert found(f"a\n{BLOCK}\nb\n{BLOCK}") == [("system-reminder", BLOCK)] * 2


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


def test_a_range_ends_the_search():
    text = f"{BLOCK}\nx"
    assert list(tagged(text, 0, len(BLOCK) - 1)) == []
    assert len(list(tagged(text, 0, len(BLOCK)))) == 1
