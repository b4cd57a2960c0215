import json

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tip_lab import SCHEMAS

from tokenpak.tip.capabilities import PUBLISHED
from tokenpak.tip.schema import WORDS, document, schema

HINT = "python tests/tip_lab.py"


@pytest.mark.parametrize("word", WORDS)
def test_the_committed_schema_is_the_one_the_structs_make(word):
    assert (SCHEMAS / f"{word}.json").read_bytes() == document(word), HINT


def test_there_is_no_other_file():
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{word}.json" for word in WORDS}, HINT


@pytest.mark.parametrize("word", WORDS)
def test_a_schema_is_one_and_has_its_own_name(word):
    made = schema(word)
    Draft202012Validator.check_schema(made)
    assert made["$id"] == f"urn:tokenpak:tip-1.0:{word}"
    assert json.loads(document(word)) == made


def test_what_we_publish_is_a_catalog():
    assert Draft202012Validator(schema("capabilities")).is_valid(json.loads(msgspec.json.encode(PUBLISHED)))
