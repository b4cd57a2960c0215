"""Amounts as users write them: kept to the last digit, or refused with the key, the value and what to write."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.config.dollars import Amount, dollars_in
from tokenpak.config.rules import Unusable

FEE = Amount("fee", Decimal(100), "Write dollars.")


@given(st.decimals(0, 100, places=9))
def test_an_amount_is_kept_to_the_last_digit(amount):
    assert dollars_in("fee", str(amount), FEE) == amount


def test_numbers_are_taken_as_they_are_written():
    assert [dollars_in("fee", value, FEE) for value in (0, 0.1, 100, "0.10")] == list(
        map(Decimal, ("0", "0.1", "100", "0.10"))
    )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (True, "fee = True is no fee. Write dollars."),
        (None, "fee = None is no fee. Write dollars."),
        ([1], "fee = [1] is no fee. Write dollars."),
        ("much", "fee = 'much' is no number. Write dollars."),
        ("NaN", "fee = 'NaN' must lie between 0 and 100. Write dollars."),
        (float("inf"), "fee = inf must lie between 0 and 100. Write dollars."),
        (-0.01, "fee = -0.01 must lie between 0 and 100. Write dollars."),
        ("100.01", "fee = '100.01' must lie between 0 and 100. Write dollars."),
    ],
)
def test_what_is_no_amount_is_refused(value, why):
    with pytest.raises(Unusable) as refused:
        dollars_in("fee", value, FEE)
    assert str(refused.value) == why
