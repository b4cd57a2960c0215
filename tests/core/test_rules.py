"""Which rule holds for whom, and what it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.patch import Policy
from tokenpak.core.rules import Rule, Terms, fits, refined, resolved

BASE = Terms(Policy("lossless", ("a", "b", "c"), 100))


def test_without_rules_the_base_holds():
    assert resolved((), BASE, "codex", "gpt-5") is BASE


def test_a_rule_sets_what_it_names_and_leaves_the_rest():
    assert refined(BASE, Rule(level="off")) == Terms(Policy("off", ("a", "b", "c"), 100))
    assert refined(BASE, Rule(passes=("b",))) == Terms(Policy("lossless", ("b",), 100))
    assert refined(BASE, Rule(without=("b", "x"))) == Terms(Policy("lossless", ("a", "c"), 100))
    assert refined(BASE, Rule(floor_tokens=0)) == Terms(Policy("lossless", ("a", "b", "c"), 0))
    assert refined(BASE, Rule(cache_marks=False)) == Terms(BASE.policy, cache_marks=False)
    assert refined(BASE, Rule(passes=())) == Terms(Policy("lossless", (), 100))


def test_answers_are_given_again_only_where_a_rule_says_so():
    rules = (
        Rule(client="evals", response_cache=True, response_cache_s=60),
        Rule(model="live-*", response_cache=False),
        Rule(single_flight=True),
    )
    assert not BASE.response_cache
    found = resolved(rules, BASE, "evals", "m")
    assert (found.response_cache, found.response_cache_s, found.single_flight) == (True, 60, True)
    assert found.policy == BASE.policy
    assert not resolved(rules, BASE, "evals", "live-1").response_cache
    assert not resolved(rules, BASE, "codex", "m").response_cache
    raised = resolved(rules, BASE, "evals", "claude-haiku-4-5")
    assert (raised.policy.floor_tokens, raised.response_cache) != (100, False)


def test_later_rules_refine_earlier_ones():
    rules = (
        Rule(level="off", floor_tokens=7),
        Rule(client="codex", level="lossless", cache_marks=False),
        Rule(model="gpt-5*", without=("a",)),
        Rule(client="codex", without=("c",)),
    )
    assert resolved(rules, BASE, "codex", "gpt-5-mini") == Terms(Policy("lossless", ("b",), 7), cache_marks=False)
    assert resolved(rules, BASE, "codex", "o3") == Terms(Policy("lossless", ("a", "b"), 7), cache_marks=False)
    assert resolved(rules, BASE, "cline", "gpt-5") == Terms(Policy("off", ("b", "c"), 7))
    assert resolved(rules[::-1], BASE, "codex", "o3").policy.level == "off"


def test_a_later_list_of_passes_brings_back_what_was_taken_away():
    assert resolved((Rule(without=("a",)), Rule(passes=("a", "b"))), BASE, None, None).policy.passes == ("a", "b")


@pytest.mark.parametrize(
    ("rule", "client", "model", "expected"),
    [
        (Rule(), None, None, True),
        (Rule(client="codex"), "codex", None, True),
        (Rule(client="codex"), "codex-2", None, False),
        (Rule(client="codex"), None, None, False),
        (Rule(client="Codex"), "codex", None, True),
        (Rule(client="mozilla"), "Mozilla", None, True),
        (Rule(client="*"), None, None, True),
        (Rule(client="?*"), None, None, False),
        (Rule(client="?*"), "x", None, True),
        (Rule(model="gpt-5*"), None, "gpt-5", True),
        (Rule(model="gpt-5*"), None, "gpt-5.1-codex", True),
        (Rule(model="gpt-5*"), None, "my-gpt-5", False),
        (Rule(model="gpt-?"), None, "gpt-5", True),
        (Rule(model="gpt-?"), None, "gpt-55", False),
        (Rule(model="a.c"), None, "abc", False),
        (Rule(model="claude-sonnet-4-5[1m]"), None, "claude-sonnet-4-5[1m]", True),
        (Rule(model="claude-sonnet-4-5[1m]"), None, "claude-sonnet-4-5m", False),
        (Rule(model="a*"), None, "a\nb", True),
        (Rule(client="codex", model="gpt*"), "codex", "o3", False),
        (Rule(client="codex", model="gpt*"), "cline", "gpt-5", False),
        (Rule(client="codex", model="gpt*"), "codex", "gpt-5", True),
    ],
)
def test_whom_a_rule_fits(rule, client, model, expected):
    assert fits(rule, client, model) is expected


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_name_fits_itself_and_any_name_fits_the_star(name, other):
    plain = name.replace("*", "x").replace("?", "x")
    assert fits(Rule(model=plain), None, plain)
    assert fits(Rule(model="*", client="*"), name, other)
    assert fits(Rule(model=f"{plain}*"), None, plain + other)


NAMES = st.sampled_from("abc")
RULES = st.builds(
    Rule,
    client=st.sampled_from([None, "codex", "c*"]),
    level=st.sampled_from([None, "off", "lossless"]),
    passes=st.none() | st.lists(NAMES, unique=True).map(tuple),
    without=st.lists(NAMES).map(tuple),
    floor_tokens=st.none() | st.integers(0, 9),
    cache_marks=st.none() | st.booleans(),
)


@given(st.lists(RULES, max_size=5), st.lists(RULES, max_size=5), st.sampled_from([None, "codex", "cline", "zed"]))
def test_rules_are_resolved_one_after_the_other(first, then, client):
    whole = resolved([*first, *then], BASE, client, None)
    assert whole == resolved(then, resolved(first, BASE, client, None), client, None)
    for field in ("level", "floor_tokens"):
        named = [getattr(r, field) for r in [*first, *then] if fits(r, client, None) and getattr(r, field) is not None]
        assert getattr(whole.policy, field) == (named[-1] if named else getattr(BASE.policy, field))
