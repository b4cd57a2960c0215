import pytest

from tokenpak.config.budgets import budgets_in
from tokenpak.config.paths import prepare
from tokenpak.config.rules import Unusable
from tokenpak.config.settings import SETTINGS_VARIABLE, ConfigError, load, read_settings, write_settings
from tokenpak.core.budget import NANOS, Budget
from tokenpak.core.redaction_terms import Policy, Rule, Terms


def test_dollars_become_nano_dollars():
    table = {"name": "a day", "warn": 1, "block": 4.5, "ceiling": "5.25", "unpriced": 0.1, "client": "codex"}
    (made,) = budgets_in([table])
    assert made == Budget(
        name="a day",
        client="codex",
        warn=NANOS,
        block=4_500_000_000,
        ceiling=5_250_000_000,
        unpriced=100_000_000,
    )
    assert made.per == "day"
    assert budgets_in([{"name": "m", "per": "month", "model": "gpt-*", "ceiling": 0}])[0].ceiling == 0


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("5", ["Write [[budgets]] above each"]),
        ([5], ["Write [[budgets]] above each"]),
        ([{"name": "x", "ceilling": 5}], ["budget 1 ('x'): unknown key 'ceilling'", "Did you mean 'ceiling'?"]),
        ([{"ceiling": 5}], ["budget 1: name = None", "refusals quote it"]),
        ([{"name": "a\nb", "ceiling": 5}], ["up to 40 characters"]),
        ([{"name": "x" * 41, "ceiling": 5}], ["up to 40 characters"]),
        ([{"name": "x"}], ["it limits nothing", "warn, block, ceiling"]),
        ([{"name": "x", "unpriced": 1}], ["it limits nothing"]),
        ([{"name": "x", "block": "five"}], ["block = 'five' is no number", "Write dollars"]),
        ([{"name": "x", "block": True}], ["block = True is no amount"]),
        ([{"name": "x", "block": -1}], ["must lie between 0 and"]),
        ([{"name": "x", "block": float("nan")}], ["must lie between 0 and"]),
        ([{"name": "x", "block": 1, "per": "week"}], ["per = 'week'"]),
        ([{"name": "x", "block": 1, "client": 3}], ["client = 3"]),
        ([{"name": "x", "warn": 3, "block": 2}], ["warn is more than block"]),
        ([{"name": "x", "block": 3, "ceiling": 2}], ["block is more than ceiling", "raise ceiling"]),
        ([{"name": "x", "warn": 3, "ceiling": 2}], ["warn is more than ceiling"]),
        ([{"name": "x", "block": 3}, {"name": "x", "block": 3}], ["budget 2 ('x'): another budget has this name"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tables, said):
    with pytest.raises(Unusable) as refused:
        budgets_in(tables)
    assert [each for each in said if each not in str(refused.value)] == []


def test_from_the_file_to_a_child_process(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(
        '[[budgets]]\nname = "day"\nceiling = 5\n[redaction]\nsecrets = "redact"\n[[redaction.rules]]\npii = "warn"\n'
    )
    settings = load(file, {}, {"state_dir": str(tmp_path / "state")})
    assert settings.budgets == (Budget(name="day", ceiling=5 * NANOS),)
    assert settings.redaction == Policy(Terms(secrets="redact"), (Rule(pii="warn"),))
    prepare(settings.paths)
    write_settings(settings)
    assert read_settings({SETTINGS_VARIABLE: str(settings.paths.settings_file)}) == settings


def test_from_the_environment(tmp_path):
    environ = {"TOKENPAK_BUDGETS": '[{name = "x", block = 2}]', "TOKENPAK_REDACTION": '{secrets = "off"}'}
    settings = load(None, environ, {})
    assert settings.budgets == (Budget(name="x", block=2 * NANOS),)
    assert settings.redaction.base.secrets == "off"
    with pytest.raises(
        ConfigError, match=r"environment: TOKENPAK_BUDGETS: budget 1: unknown key 'nam'. Did you mean 'name'"
    ):
        load(None, {"TOKENPAK_BUDGETS": '[{nam = "x"}]'}, {})
