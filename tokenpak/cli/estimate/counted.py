"""Our counts held against a provider's: how many tokens edits removed, and how wrong the saving claimed was.

The ledger claims what our counter says was removed, times the factor that a request's whole counts tell. With a handful of
requests chance is large, so both ratios have an interval: of 95 %, by drawing the same requests again with a seed.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

import msgspec

DRAWS = 2000
SEED = 1
LEAST = 3
"""Requests below which no interval is told."""


class Counted(msgspec.Struct, frozen=True):
    """One request. ours: tokens of the original and removed, by our counter; the provider's counts of both forms."""

    name: str
    ours: int
    ours_removed: int
    original: int
    sent: int

    @property
    def removed(self) -> int:
        """Tokens removed, by the provider."""
        return self.original - self.sent

    @property
    def claimed(self) -> float:
        """What the ledger would claim, with this request's own factor."""
        return self.ours_removed * self.original / self.ours


class Ratio(msgspec.Struct, frozen=True):
    """A ratio of sums, and its interval of 95 %, None with too few requests for one."""

    value: float
    low: float | None = None
    high: float | None = None


class Verdict(msgspec.Struct, frozen=True):
    """ratio: the provider's removed tokens for one of ours. error: of the claim, as a share of the truth; above zero: too
    much was claimed. None where the provider saw nothing removed.
    """

    requests: int
    ours_removed: int
    removed: int
    claimed: int
    ratio: Ratio
    error: Ratio | None


class _Sums(NamedTuple):
    ours: int
    theirs: int
    claimed: float


def verdict(counted: Sequence[Counted]) -> Verdict:
    """What all requests come to. counted: at least one."""
    sums = _sums(counted)
    ratio = _ratio(counted, lambda each: each.theirs / each.ours)
    error = _ratio(counted, lambda each: each.claimed / each.theirs - 1) if sums.theirs > 0 else None
    return Verdict(len(counted), sums.ours, sums.theirs, round(sums.claimed), ratio, error)


def _sums(counted: Sequence[Counted]) -> _Sums:
    return _Sums(
        sum(each.ours_removed for each in counted),
        sum(each.removed for each in counted),
        sum(each.claimed for each in counted),
    )


def _ratio(counted: Sequence[Counted], of: Callable[[_Sums], float]) -> Ratio:
    value = of(_sums(counted))
    if len(counted) < LEAST:
        return Ratio(value)
    pick, drawn = Random(SEED), []
    for _ in range(DRAWS):
        sums = _sums(pick.choices(counted, k=len(counted)))
        if sums.theirs > 0:
            drawn.append(of(sums))
    drawn.sort()
    return Ratio(value, drawn[int(0.025 * len(drawn))], drawn[int(0.975 * len(drawn))]) if drawn else Ratio(value)
