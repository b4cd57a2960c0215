import tomllib

import msgspec
import pytest

from tokenpak.config import budgets, keys, prices, redaction, rules
from tokenpak.config.settings import Settings, load
from tokenpak.config.words import words_of
from tokenpak.core import budget, recall, redaction_terms
from tokenpak.core import rules as terms

WORDS = words_of(Settings)


def fields(struct):
    return {field.name for field in msgspec.structs.fields(struct)}


@pytest.mark.parametrize("name", Settings.__struct_fields__)
def test_every_key_has_words_and_an_example_of_it_that_can_be_used(name, tmp_path):
    words = WORDS[name]
    assert words.text.endswith(".")
    assert list(tomllib.loads(words.example)) == [name]
    file = tmp_path / "config.toml"
    file.write_text(words.example)
    load(file, {}, {})


@pytest.mark.parametrize(("ending", "unit"), [("_s", "seconds"), ("_bytes", "bytes"), ("_days", "days")])
def test_a_key_is_named_by_its_unit(ending, unit):
    told = {name for name, words in WORDS.items() if name.endswith(ending)}
    assert told
    assert {WORDS[name].unit for name in told} == {unit}


@pytest.mark.parametrize(
    ("words", "struct"),
    [
        (rules.WORDS, terms.Rule),
        (budgets.WORDS, budget.Budget),
        (redaction.WORDS, redaction_terms.Terms),
        (redaction.OF_RULE, redaction_terms.Rule),
        (keys.RESPONSE_CACHE, recall.Bounds),
    ],
)
def test_every_key_of_a_table_has_words_and_no_other(words, struct):
    assert words.keys() == fields(struct)
    assert all(each.text for each in words.values())


def test_a_model_may_have_the_prices_that_are_told():
    stated = {**dict.fromkeys(prices.KEYS, 1), prices.SEARCH: 1, "above": 1, "long": {"input": 1}}
    assert prices.WORDS.keys() == stated.keys()
    prices.prices_in(stated)
