"""Padding of displayed numbers: taken and put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.numbers import paddable, padded, unpadded

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
def test_what_is_paddable_comes_back(text: str):
    if paddable(text):
        assert padded(unpadded(text)) == text


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
