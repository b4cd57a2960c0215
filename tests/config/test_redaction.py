import re
import tomllib
from pathlib import Path

import pytest

from tokenpak.config.budgets import budgets_in
from tokenpak.config.redaction import redaction_in
from tokenpak.config.rules import Unusable
from tokenpak.core.budget import Budget
from tokenpak.core.detectors import NAMES
from tokenpak.core.redaction_terms import Policy, Rule, Terms

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "guard.md").read_text()


def test_base_and_rules():
    made = redaction_in(
        {
            "secrets": "redact",
            "without": ["jwt"],
            "billed": "redact",
            "rules": [{"client": "codex", "pii": "warn"}, {"secrets": "off"}],
        }
    )
    rules = (Rule(client="codex", pii="warn"), Rule(secrets="off"))
    assert made == Policy(Terms(secrets="redact", without=("jwt",), billed="redact"), rules)
    assert redaction_in({}) == Policy()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("redact", ["Write [redaction] above its keys"]),
        ({"secret": "redact"}, ["unknown key 'secret'", "Did you mean 'secrets'?"]),
        ({"secrets": "mask"}, ["secrets = 'mask'"]),
        ({"without": ["jwtt"]}, ["unknown detector 'jwtt'", "Did you mean 'jwt'?"]),
        ({"without": "jwt"}, ["without = 'jwt'"]),
        ({"rules": {"client": "x"}}, ["Write [[redaction.rules]] above each"]),
        ({"rules": [{"client": "codex"}]}, ["rule 1: it changes nothing"]),
        ({"rules": [{"pii": "warn"}, {"client": "claud-code", "pii": "warn"}]}, ["rule 2: client", "'claude-code'"]),
        ({"rules": [{"model": "x", "pii": "warn"}]}, ["rule 1: unknown key 'model'"]),
    ],
)
def test_what_cannot_be_used_is_refused(table, said):
    with pytest.raises(Unusable) as refused:
        redaction_in(table)
    assert [each for each in said if each not in str(refused.value)] == []


def test_the_pages_examples_are_configurations():
    limits, looked_for = (tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    assert [each.per for each in budgets_in(limits["budgets"])] == ["day", "session", "month"]
    assert redaction_in(looked_for["redaction"]).base == Terms(secrets="redact", without=("jwt",))


def test_the_page_names_every_detector_and_every_key_of_a_budget():
    rows = re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`([a-z0-9_-]+)`", row)}
    assert told == NAMES.keys() | set(Budget.__struct_fields__)
