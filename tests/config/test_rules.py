"""Rules as they are written: what is taken, and what a refusal says."""

import pytest

from tokenpak.config.rules import CLIENTS, Unusable, meant, passes_in, rules_in
from tokenpak.core.client import identify
from tokenpak.core.passes import PASSES
from tokenpak.core.rules import Rule


def test_a_rule_of_every_key():
    table = {
        "client": "codex",
        "model": "gpt-5*",
        "level": "off",
        "passes": list(PASSES[::-1]),
        "without": [PASSES[0]],
        "floor_tokens": 0,
        "cache_marks": False,
        "response_cache": True,
        "response_cache_s": 60,
        "single_flight": True,
    }
    (rule,) = rules_in([table])
    expected = Rule(client="codex", model="gpt-5*", level="off", floor_tokens=0, cache_marks=False)
    assert (rule.client, rule.model, rule.level) == (expected.client, expected.model, expected.level)
    assert (rule.floor_tokens, rule.cache_marks) == (0, False)
    assert (rule.response_cache, rule.response_cache_s, rule.single_flight) == (True, 60, True)
    assert (rule.passes, rule.without) == (PASSES, (PASSES[0],))


def test_passes_come_in_the_order_they_work_in(monkeypatch):
    monkeypatch.setattr("tokenpak.config.rules.PASSES", ("one", "two", "three"))
    assert passes_in(["three", "one", "three"]) == ("one", "three")
    assert passes_in([]) == ()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"modle": "x"}, ["unknown key 'modle'", "Did you mean 'model'?"]),
        ({"port": 1}, ["unknown key 'port'", "Known: client, model, level", "above the first [[rules]]"]),
        ({"level": "max"}, ["level = 'max'", "Correct the value"]),
        ({"without": ["line-rums"]}, ["unknown pass 'line-rums'", "Did you mean 'line-runs'?"]),
        ({"passes": ["zzz"]}, ["unknown pass 'zzz'", "Known: ", *PASSES]),
        ({"passes": "line-runs"}, ["passes = 'line-runs'"]),
        ({"without": [1]}, ["without = [1]"]),
        ({"floor_tokens": -1}, ["floor_tokens = -1: must be a whole number of at least 0"]),
        ({"floor_tokens": "8"}, ["floor_tokens = '8'"]),
        ({"cache_marks": "no"}, ["cache_marks = 'no'"]),
        ({"response_cache": {}}, ["response_cache = {}"]),
        ({"response_cache_s": 0}, ["response_cache_s = 0: must be a whole number of at least 1"]),
        ({"client": 3, "level": "off"}, ["client = 3"]),
        ({"client": "claude_code", "level": "off"}, ["'claude_code'", "'claude-code'", "'claude_code*'"]),
        ({"client": "clin", "level": "off"}, ["Did you mean 'cline'?"]),
        ({"client": "codex"}, ["changes nothing", "level, passes, without, floor_tokens, cache_marks"]),
        ({}, ["changes nothing"]),
    ],
)
def test_a_refusal_names_rule_word_and_remedy(table, words):
    with pytest.raises(Unusable, match=r"^rule 2: ") as caught:
        rules_in([{"level": "off"}, table])
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("value", [7, {}, "x", [1], [[]]])
def test_rules_are_a_list_of_tables(value):
    with pytest.raises(Unusable, match=r"Write \[\[rules\]\] above each"):
        rules_in(value)


@pytest.mark.parametrize("client", ["Codex", "claude-code", "clin*", "?odex", "my-own-tool", "node", "Mozilla"])
def test_a_client_that_is_known_wild_or_like_none_is_taken(client):
    assert rules_in([{"client": client, "level": "off"}])[0].client == client


def test_the_names_of_clients_are_those_their_headers_give():
    assert {"claude-code", "codex", "cline", "opencode"} <= set(CLIENTS)
    assert identify({b"user-agent": b"cline/1"}).name in CLIENTS


def test_what_was_meant():
    assert meant("lvel", ("level", "rules")) == "Did you mean 'level'?"
    assert meant("zzz", ("level", "rules")) == "Known: level, rules."
