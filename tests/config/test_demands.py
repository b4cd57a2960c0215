from typing import Annotated, Literal

import msgspec
import pytest

from tokenpak.config.demands import demand, mistake, shown
from tokenpak.config.settings import Settings
from tokenpak.config.words import Words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Literal["b", "a"], 'one of "b", "a"'),
        (Annotated[Literal["b", "a"], Words("what")] | None, 'one of "b", "a"'),
        (bool, "true or false"),
        (str | None, "a text"),
        (float, "a number"),
        (Annotated[int, msgspec.Meta(ge=2)], "a whole number of at least 2"),
        (Annotated[int, msgspec.Meta(ge=2, le=5)] | None, "a whole number from 2 to 5"),
        (tuple[str, ...], "a list of texts"),
        (dict[str, int], "a table"),
    ],
)
def test_in_the_words_of_the_file(kind, words):
    assert demand(kind) == words


@pytest.mark.parametrize("field", msgspec.structs.fields(Settings), ids=lambda field: field.name)
def test_there_are_words_for_every_setting(field):
    assert demand(field.type)


def test_a_refusal_names_key_value_and_remedy():
    told = mistake("cache_marks", 1, bool)
    assert told == "cache_marks = 1: must be true or false. Correct the value or remove the key."


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), ("a", "'a'"), (3, "3"), (["a"], "['a']")]
)
def test_values_as_a_file_holds_them(value, text):
    assert shown(value) == text
