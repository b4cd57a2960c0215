import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.integrations.splices import (
    DoesNotFit,
    Splice,
    line_break,
    replaced,
    reversed_splices,
    spliced,
    whole_lines,
)

TEXT = st.text("ab\n", max_size=12)


@st.composite
def changes(draw):
    text = first = draw(TEXT)
    made = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        made.append(replaced(text, start, end, draw(TEXT)))
        text = spliced(text, made[-1:])
    return first, made, text


@given(changes())
def test_a_sequence_and_its_reverse(case):
    first, made, last = case
    assert spliced(first, made) == last
    assert spliced(last, reversed_splices(made)) == first


def test_another_text_is_not_touched():
    with pytest.raises(DoesNotFit):
        spliced("abc", [Splice(1, "x", "y")])


@pytest.mark.parametrize(
    ("text", "line", "left"),
    [("a\nb\nc\n", "b", "a\nc\n"), ("a\nb", "b", "a"), ("b", "b", ""), ("a\r\nb", "b", "a"), ("b\r\nc", "b", "c")],
)
def test_lines_go_with_one_line_break(text, line, left):
    start = text.index(line)
    assert spliced(text, [whole_lines(text, start, start + 1)]) == left


def test_most_lines_say_how_they_end():
    assert line_break("a\r\nb\r\nc\n") == "\r\n"
    assert line_break("a\nb\n") == line_break("") == "\n"
