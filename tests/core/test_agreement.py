"""Scores and intervals, against values worked out elsewhere and against what must hold for any."""

from itertools import product

import pytest

from tokenpak.core.agreement import Pair, compared, is_right, paired_difference, wilson


def pairs(both, only_original, only_compressed, neither):
    """A fourfold table as pairs."""
    return (
        [Pair(True, True)] * both
        + [Pair(True, False)] * only_original
        + [Pair(False, True)] * only_compressed
        + [Pair(False, False)] * neither
    )


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (18, 20, 0.6990, 0.9721), (81, 263, 0.2553, 0.3662)],
)
def test_wilson(right, asked, low, high):
    found = wilson(right, asked)
    assert found == pytest.approx((right / asked, low, high), abs=1e-4)


def test_newcombes_interval_by_hand():
    """41 pairs, 14 right twice, 5 on one side alone, 22 never: p1 19/41, p2 14/41, phi (14*22-0-20.5)/sqrt(19*22*14*27)."""
    found = paired_difference(pairs(14, 0, 5, 22))
    assert found == pytest.approx((5 / 41, 0.0114, 0.2266), abs=1e-3)


def test_the_sides_may_be_swapped():
    for both, original, compressed, neither in product((0, 3, 9), repeat=4):
        if both + original + compressed + neither:
            one = paired_difference(pairs(both, original, compressed, neither))
            other = paired_difference(pairs(both, compressed, original, neither))
            assert one == pytest.approx((-other.value, -other.high, -other.low))
            assert -1 <= one.low <= one.value <= one.high <= 1


def test_a_perfect_score_leaves_doubt():
    found = compared(pairs(20, 0, 0, 0))
    assert found.difference.value == 0
    assert found.difference.low < -0.1
    assert found.difference.high > 0.1
    assert found.compressed.low < 0.9


def test_answers_that_go_together_narrow_the_difference():
    tables = (pairs(10, 0, 0, 10), pairs(5, 5, 5, 5), pairs(0, 10, 10, 0))
    together, by_chance, apart = (paired_difference(table) for table in tables)
    assert together.value == by_chance.value == apart.value == 0
    assert together.high < by_chance.high < apart.high


def test_what_is_counted():
    found = compared(pairs(5, 3, 1, 2))
    assert (found.asked, found.only_original, found.only_compressed) == (11, 3, 1)
    assert found.original.value == pytest.approx(8 / 11)
    assert found.compressed.value == pytest.approx(6 / 11)
    assert found.difference.value == pytest.approx(-2 / 11)


@pytest.mark.parametrize(
    "answer", ["\treturn x", "return x\n", "`return x`", "```go\n\treturn x\n```", "```\nreturn x\n```"]
)
def test_white_space_and_fences_are_set_aside(answer):
    assert is_right(answer, "    return x")


@pytest.mark.parametrize(
    "answer", ["", "return X", "57: return x", "The line is return x", "return  x", "return x\nreturn y"]
)
def test_anything_else_is_wrong(answer):
    assert not is_right(answer, "    return x")
