import pytest

from tokenpak.config.response_cache import bounds_in
from tokenpak.config.rules import Unusable
from tokenpak.core.recall import Bounds


def test_what_is_left_out_keeps_its_default():
    assert bounds_in({}) == Bounds()
    assert bounds_in({"max_age_s": 60}) == Bounds(max_age_s=60)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "must be a table"),
        ({"max_byte": 1}, "unknown key 'max_byte'. Did you mean 'max_bytes'?"),
        ({"colour": 1}, "Known: max_bytes, max_entry_bytes, max_age_s"),
        ({"max_entry_bytes": 1}, "max_entry_bytes = 1: must be a whole number from 1024 to 16777216"),
    ],
)
def test_a_refusal_names_the_key(value, words):
    with pytest.raises(Unusable) as caught:
        bounds_in(value)
    assert words in str(caught.value)
