"""Budgets as a user writes them: dollars into nano-dollars, checked word by word.

A limit that is misread protects nobody, in silence. So an unknown key, an amount that is no amount and limits in the wrong
order are refused, by the budget's name or its number.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from itertools import pairwise

import msgspec

from tokenpak.config.dollars import Amount, dollars_in
from tokenpak.config.rules import Unusable, converted, meant
from tokenpak.config.words import Words
from tokenpak.core.budget import NANOS, Budget

AMOUNT = Amount("amount", Decimal(10_000_000), "Write dollars, such as 5 or 0.25.")
"""More dollars are a slip."""
LONGEST_NAME = 40

_DOLLARS = partial(Words, unit="dollars", kind="number or text", range=f"0 to {AMOUNT.largest:,}")
WORDS: Mapping[str, Words] = {
    "name": Words("Its name, each its own; refusals quote it.", unit="characters", range=f"1 to {LONGEST_NAME}"),
    "per": Words(
        "What it is counted for: all requests of a `day` or a `month` that it fits; each `client` by itself, a day; each "
        "`session` by itself, a month."
    ),
    "client": Words("Pattern, as in a rule; left out, it fits all.", kind="pattern"),
    "model": Words("Pattern, as in a rule; left out, it fits all.", kind="pattern"),
    "warn": _DOLLARS("Spent, from which on rows and statistics tell of it."),
    "block": _DOLLARS("Spent, at which no new request is sent; what is under way at that moment still ends."),
    "ceiling": _DOLLARS("That requests cannot pass: each counts at the worst its bytes tell of until it has ended."),
    "unpriced": _DOLLARS(
        "That a request without a price counts as; left out, such a request is refused under `block` or `ceiling`."
    ),
}
"""What a budget may hold; one of warn, block and ceiling it must."""

_AMOUNTS = ("warn", "block", "ceiling", "unpriced")
_WORDS = {field.name: field.type for field in msgspec.structs.fields(Budget) if field.name not in _AMOUNTS}
_KEYS = (*_WORDS, *_AMOUNTS)


def budgets_in(value: object) -> tuple[Budget, ...]:
    """Budgets from a list of tables. Raises Unusable, naming a budget by its place, counted from 1, and its name."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise Unusable("budgets must be a list of tables. Write [[budgets]] above each.")
    out: list[Budget] = []
    for number, each in enumerate(value, 1):
        try:
            made = _budget(each)
            _check_name(made.name, out)
        except Unusable as error:
            name = f" ({each['name']!r})" if isinstance(each.get("name"), str) else ""
            raise Unusable(f"budget {number}{name}: {error}") from error
        out.append(made)
    return tuple(out)


def _budget(table: Mapping[str, object]) -> Budget:
    for key in table:
        if key not in _KEYS:
            raise Unusable(f"unknown key {key!r}. {meant(key, _KEYS)}")
    name = table.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise Unusable(f"name = {name!r}: give it a name of up to {LONGEST_NAME} characters; refusals quote it.")
    words = {key: converted(key, value, _WORDS[key]) for key, value in table.items() if key in _WORDS}
    amounts = {key: int(dollars_in(key, value, AMOUNT) * NANOS) for key, value in table.items() if key in _AMOUNTS}
    if amounts.keys() <= {"unpriced"}:
        raise Unusable("it limits nothing. Add one of: warn, block, ceiling; in dollars.")
    _check_order(amounts)
    return msgspec.convert({**words, **amounts}, Budget)


def _check_name(name: str, others: Iterable[Budget]) -> None:
    if name in (other.name for other in others):
        raise Unusable("another budget has this name. Give each its own.")


def _check_order(amounts: Mapping[str, int]) -> None:
    """A warning that comes after the end, and an end that a harder limit never lets come, are slips."""
    given = [key for key in ("warn", "block", "ceiling") if key in amounts]
    for lower, upper in pairwise(given):
        if amounts[lower] > amounts[upper]:
            raise Unusable(f"{lower} is more than {upper}, so it would never be reached. Lower it, or raise {upper}.")
