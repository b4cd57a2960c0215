"""Amounts of money as a user writes them: a number, or a string of one, never rounded on the way."""

from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from tokenpak.config.rules import Unusable


class Amount(NamedTuple):
    """What an amount is called when it is none, the largest that is no slip, and how to write one."""

    name: str
    largest: Decimal
    advice: str


def dollars_in(key: str, value: object, amount: Amount) -> Decimal:
    """The dollars of a key's value. Raises Unusable."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable(f"{key} = {value!r} is no {amount.name}. {amount.advice}")
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        raise Unusable(f"{key} = {value!r} is no number. {amount.advice}") from None
    if not dollars.is_finite() or not 0 <= dollars <= amount.largest:
        raise Unusable(f"{key} = {value!r} must lie between 0 and {amount.largest:,}. {amount.advice}")
    return dollars
