from typing import Annotated

import msgspec

from tokenpak.config.words import Words, words_of

Count = Annotated[int, msgspec.Meta(ge=1), Words("How many.", unit="pieces")]


class Told(msgspec.Struct):
    count: Count = 1
    other: Annotated[str | None, Words("Another.")] = None
    silent: int = 0


def test_the_words_of_fields_that_carry_some():
    assert words_of(Told) == {"count": Words("How many.", unit="pieces"), "other": Words("Another.")}


def test_a_value_is_checked_as_without_them():
    assert msgspec.convert({"count": 3, "other": None}, Told) == Told(3)
