"""Padding of displayed numbers: taken and put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.numbers import paddable, padded, padding_begins, padding_in, unpadded

LINES = st.lists(
    st.tuples(
        st.sampled_from(["", " ", "     ", "    "]),
        st.sampled_from(["1", "12", "99999", "x"]),
        st.sampled_from(["→", "\t", ":"]),
        st.text(max_size=5),
    ).map("".join),
    max_size=9,
)


@given(LINES.map("\n".join))
def test_paddable_is_what_comes_back(text: str):
    assert paddable(text) == (padded(unpadded(text)) == text)


@given(LINES.map("\n".join))
def test_padding_is_what_is_taken_and_begins_where_the_text_first_differs(text: str):
    taken = sum(map(len, padding_in(text)))
    assert taken == len(text) - len(unpadded(text))
    begins = padding_begins(text)
    assert unpadded(text[:begins]) == text[:begins]
    assert (begins < len(text)) == (taken > 0)
    assert not taken or text[begins] == " "


@pytest.mark.parametrize("text", ["     1→a\n    10→b\n   100→", " 12345→x", "head\n     7\t\n     8\tend", ""])
def test_padded_numbers_come_back(text: str):
    assert paddable(text)
    assert not text or unpadded(text) != text
    assert padded(unpadded(text)) == text


@pytest.mark.parametrize("text", ["1→a\n     2→b", "  1→a", "12\tx", "     1→a\n7\tb"])
def test_a_text_with_any_other_number_is_not(text: str):
    assert not paddable(text)


def test_an_empty_numbered_line_keeps_its_number():
    assert unpadded("     7\t\n     8\tx") == "7\t\n8\tx"
