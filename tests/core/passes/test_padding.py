"""Line numbers without their padding."""

import pytest

from tests.core.passes.asked import sent, words


def shown(first: int, last: int, end: str = "→") -> str:
    return "\n".join(f"{n:>6}{end}line {n}" for n in range(first, last + 1))


@pytest.mark.parametrize("end", ["→", "\t"])
def test_numbers_stand_at_the_beginning(end: str):
    (text,) = sent(["padding"], "Here it is:\n" + shown(8, 60, end), name="Read", path="a.py")
    lines = words(text).split("\n")
    assert lines[:4] == ["Here it is:", "[line numbers: shown without padding]", f"8{end}line 8", f"9{end}line 9"]


def test_beside_references():
    changed = shown(1, 60).replace("line 30", "another line that is new")
    one, two = sent(["line-runs", "padding"], shown(1, 60), changed, name="Read", path="a.py")
    assert words(one).startswith("[line numbers: shown without padding]\n1→line 1\n")
    assert "30→another line that is new" in two
    assert two.count("same as") == 2


def test_a_text_with_a_number_of_its_own_is_left_alone():
    text = shown(1, 60) + "\n12→never padded"
    assert sent(["padding"], text, name="Read", path="a.py") == [text]


def test_few_lines_are_not_worth_a_marker():
    assert sent(["padding"], shown(1, 5), name="Read", path="a.py") == [shown(1, 5)]


def test_an_empty_line_keeps_its_number():
    text = shown(1, 40, "\t") + "\n    41\t\n    42\tend"
    assert "\n41\t\n42\tend" in sent(["padding"], text, name="Read", path="a.py")[0]
