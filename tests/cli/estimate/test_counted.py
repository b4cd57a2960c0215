import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.cli.estimate.counted import LEAST, Counted, verdict


def test_one_request_has_no_interval():
    found = verdict([Counted("a", 1000, 100, 1500, 1350)])
    assert (found.ratio.value, found.ratio.low) == (1.5, None)
    assert found.claimed == 150
    assert found.error.value == pytest.approx(0.0)


def test_a_claim_that_is_too_high_is_above_zero():
    assert verdict([Counted("a", 1000, 100, 1500, 1380)]).error.value == pytest.approx(150 / 120 - 1)


def test_a_claim_of_what_was_never_removed():
    found = verdict([Counted("a", 1000, 100, 1500, 1500)] * LEAST)
    assert found.error is None
    assert found.ratio.value == 0


counts = st.builds(
    lambda ours, share, factor, off: Counted("x", ours, ours // share, round(ours * factor), round(ours * factor - ours // share * off)),
    st.integers(1000, 90_000), st.integers(3, 30), st.floats(0.8, 1.8), st.floats(0.8, 1.8),
)  # fmt: skip


@given(st.lists(counts, min_size=LEAST, max_size=12))
def test_the_interval_holds_the_value_and_narrows_with_more_of_the_same(requests):
    found, more = verdict(requests), verdict(requests * 8)
    assert found.ratio.low <= found.ratio.value + 1e-9
    assert found.ratio.value <= found.ratio.high + 1e-9
    assert more.ratio.value == pytest.approx(found.ratio.value)
    assert more.ratio.high - more.ratio.low <= found.ratio.high - found.ratio.low + 1e-9
