"""Answers to the same questions on two versions of a request, scored and compared.

With twenty questions chance is large, so no score stands without an interval. One share has Wilson's; the difference of
the two shares is paired, every question being asked of both, and has Newcombe's (Statistics in Medicine 17, 1998,
method 10: the Wilson intervals of both, corrected for how far the answers go together). Both are honest where a score
is perfect, which is where the textbook interval shrinks to nothing.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

Z95 = 1.959964
"""Quantile of the normal distribution for intervals of 95 %."""


class Interval(NamedTuple):
    """A share or a difference of shares, as a fraction, with its interval."""

    value: float
    low: float
    high: float


class Pair(NamedTuple):
    """Whether one question was answered right on the original, and on the compressed request."""

    original: bool
    compressed: bool


class Agreement(NamedTuple):
    """asked: questions. original, compressed: shares answered right. difference: compressed minus original.

    only_original, only_compressed: questions answered right on that version alone.
    """

    asked: int
    original: Interval
    compressed: Interval
    difference: Interval
    only_original: int
    only_compressed: int


def is_right(answer: str, expected: str) -> bool:
    """True for the exact text; white space at both ends, and a code fence or back-ticks around it, are set aside."""
    return _bare(answer) == expected.strip()


def _bare(answer: str) -> str:
    told = answer.strip()
    if told.startswith("```") and told.endswith("```") and "\n" in told:
        told = told[told.index("\n") + 1 : -3]
    return told.strip().strip("`").strip()


def compared(pairs: Sequence[Pair]) -> Agreement:
    """The scores of both versions and their difference. pairs: at least one."""
    original, compressed = sum(p.original for p in pairs), sum(p.compressed for p in pairs)
    return Agreement(
        asked=len(pairs),
        original=wilson(original, len(pairs)),
        compressed=wilson(compressed, len(pairs)),
        difference=paired_difference(pairs),
        only_original=sum(p.original and not p.compressed for p in pairs),
        only_compressed=sum(p.compressed and not p.original for p in pairs),
    )


def wilson(right: int, asked: int) -> Interval:
    """The share of `right` in `asked` with Wilson's score interval of 95 %."""
    share, square = right / asked, Z95 * Z95
    middle = (share + square / (2 * asked)) / (1 + square / asked)
    half = Z95 * sqrt(share * (1 - share) / asked + square / (4 * asked * asked)) / (1 + square / asked)
    low = 0.0 if right == 0 else middle - half
    high = 1.0 if right == asked else middle + half
    return Interval(share, low, high)


def paired_difference(pairs: Sequence[Pair]) -> Interval:
    """Share right on the compressed minus share right on the original, with Newcombe's interval of 95 %."""
    one = wilson(sum(p.compressed for p in pairs), len(pairs))
    two = wilson(sum(p.original for p in pairs), len(pairs))
    together = _correlation(pairs)
    difference = one.value - two.value
    below = _distance(one.value - one.low, two.high - two.value, together)
    above = _distance(two.value - two.low, one.high - one.value, together)
    return Interval(difference, max(-1.0, difference - below), min(1.0, difference + above))


def _distance(a: float, b: float, together: float) -> float:
    return sqrt(max(0.0, a * a - 2 * together * a * b + b * b))


def _correlation(pairs: Sequence[Pair]) -> float:
    """The phi coefficient of the fourfold table, with Newcombe's correction for continuity where it is positive."""
    both = sum(p.original and p.compressed for p in pairs)
    neither = sum(not p.original and not p.compressed for p in pairs)
    only_original = sum(p.original and not p.compressed for p in pairs)
    only_compressed = len(pairs) - both - neither - only_original
    margins = (
        (both + only_original) * (neither + only_compressed) * (both + only_compressed) * (neither + only_original)
    )
    if margins == 0:
        return 0.0
    product = both * neither - only_original * only_compressed
    if product > 0:
        product_corrected = max(0.0, product - len(pairs) / 2)
        return product_corrected / sqrt(margins)
    return product / sqrt(margins)
