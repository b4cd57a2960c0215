import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.version import RANGE, VERSION, TipVersion, VersionRange, numbers, within

NUMBERS = st.tuples(st.integers(0, 200), st.integers(0, 200))


def text(version):
    return f"TIP-{version[0]}.{version[1]}"


@given(NUMBERS)
def test_a_version_is_its_numbers(version):
    assert numbers(text(version)) == version
    assert msgspec.convert(text(version), TipVersion) == text(version)


@given(NUMBERS, NUMBERS)
def test_conditions_compare_numbers(one, other):
    for sign, holds in {
        ">=": one >= other,
        ">": one > other,
        "<=": one <= other,
        "<": one < other,
        "==": one == other,
        "!=": one != other,
    }.items():
        assert within(text(one), sign + text(other)) == holds


def test_every_condition_must_hold():
    assert within(VERSION, RANGE)
    assert within("TIP-1.10", RANGE)
    assert not within("TIP-2.0", RANGE)
    assert not within("TIP-0.9", RANGE)
    assert not within("TIP-1.1", ">=TIP-1.0,!=TIP-1.1")


@pytest.mark.parametrize("wrong", ["1.0", "TIP-1", "tip-1.0", "TIP-1.0.0", "TIP-1.0 ", "TIP--1.0", ""])
def test_what_is_no_version_is_refused(wrong):
    with pytest.raises(ValueError, match="no version"):
        numbers(wrong)
    with pytest.raises(ValueError, match="no version"):
        within(wrong, RANGE)


@pytest.mark.parametrize("wrong", [">=1.0.0,<2.0.0", "TIP-1.0", ">=TIP-1.0,", ">=TIP-1.0 <TIP-2.0", "=TIP-1.0", ""])
def test_what_is_no_range_is_refused(wrong):
    with pytest.raises(ValueError, match="no range"):
        within(VERSION, wrong)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, VersionRange)
