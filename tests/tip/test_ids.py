import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.ids import RANDOM_BYTES, uuid7

RANDOM = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
TIME = st.integers(0, 2**48 - 1)


@given(TIME, RANDOM)
def test_an_identity_is_a_uuid_of_version_7_that_tells_its_time(now_ms, random_bytes):
    text = uuid7(now_ms, random_bytes)
    made = uuid.UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now_ms


def test_the_example_of_the_standard():
    # RFC 9562, appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    random_bytes = bytes.fromhex("7cc398c4dc0c0c07398f")
    assert uuid7(0x017F22E279B0, random_bytes) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(TIME, TIME, RANDOM, RANDOM)
def test_identities_sort_by_time(one, other, first, second):
    if one < other:
        assert uuid7(one, first) < uuid7(other, second)


@given(RANDOM, RANDOM)
def test_all_but_version_and_variant_is_random(first, second):
    fixed = (0xF << 76) | (0x3 << 62)
    differ = (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")) & ~fixed
    assert (uuid7(1, first) == uuid7(1, second)) == (differ == 0)


@pytest.mark.parametrize(
    ("now_ms", "random_bytes"), [(-1, bytes(10)), (2**48, bytes(10)), (1, bytes(9)), (1, bytes(16))]
)
def test_what_does_not_fit_is_refused(now_ms, random_bytes):
    with pytest.raises(ValueError, match="48 bits"):
        uuid7(now_ms, random_bytes)
