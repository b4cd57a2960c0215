import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.budget import (
    NANOS,
    UNBOUNDED_OUTPUT,
    Admitted,
    Asked,
    Budget,
    Payer,
    Purse,
    Refused,
    Warned,
    decide,
    dollars,
    is_billed,
    most_tokens,
    reserve,
    scope_of,
    settle,
    words,
    worst_case,
)
from tokenpak.core.cost import ModelPrices, cost
from tokenpak.core.usage import Usage

DAY = "2026-11-28"
PRICES = ModelPrices(
    uncached=3_000_000, cache_read=300_000, cache_write_5m=3_750_000, cache_write_1h=6_000_000, output=15_000_000
)


def asked(purse=Purse(), **limits):  # noqa: B008 a frozen value
    return Asked(Budget(name="b", **limits), purse)


def test_scopes():
    payer = Payer(DAY, "codex", "s1", "gpt-5")
    other = Payer(DAY, "aider", "s2", "gpt-5")
    tomorrow = Payer("2026-11-29", "codex", "s1", "gpt-5")
    december = Payer("2026-12-01", "codex", "s1", "gpt-5")

    def same(per, a, b):
        budget = Budget(name="b", per=per)
        return scope_of(budget, a) == scope_of(budget, b)

    assert [same("day", payer, each) for each in (other, tomorrow, december)] == [True, False, False]
    assert [same("month", payer, each) for each in (other, tomorrow, december)] == [True, True, False]
    assert [same("client", payer, each) for each in (other, tomorrow, december)] == [False, False, False]
    assert [same("session", payer, each) for each in (other, tomorrow, december)] == [False, True, False]


def test_a_budget_is_for_whom_its_patterns_fit():
    budget = Budget(name="b", client="c*", model="gpt-?")
    assert scope_of(budget, Payer(DAY, "codex", "", "GPT-5")) == DAY
    assert scope_of(budget, Payer(DAY, "aider", "", "gpt-5")) is None
    assert scope_of(budget, Payer(DAY, "codex", "", "gpt-5-mini")) is None
    assert scope_of(budget, Payer(DAY)) is None


def test_block_looks_at_what_is_spent_and_ceiling_at_the_worst_of_all():
    assert decide([asked(Purse(9, 90), block=10)], 50) == Admitted()
    refused = decide([asked(Purse(10, 0), block=10)], 1)
    assert isinstance(refused, Refused)
    assert (refused.why, refused.limit, refused.spent) == ("block", 10, 10)
    assert decide([asked(Purse(4, 3), ceiling=10)], 3) == Admitted()
    refused = decide([asked(Purse(4, 3), ceiling=10)], 4)
    assert isinstance(refused, Refused)
    assert (refused.why, refused.limit, refused.spent, refused.worst) == ("ceiling", 10, 7, 4)


def test_what_has_no_price_is_refused_under_a_limit_unless_a_price_is_stated_for_it():
    for limit in ("block", "ceiling"):
        refused = decide([asked(**{limit: 10})], None)
        assert isinstance(refused, Refused)
        assert refused.why == "unpriced"
    assert decide([asked(ceiling=10, unpriced=10)], None) == Admitted()
    assert isinstance(decide([asked(ceiling=10, unpriced=11)], None), Refused)
    assert decide([asked(warn=10)], None) == Warned(("b",))


def test_warnings_of_all_and_the_first_refusal():
    one, two = Budget(name="one", warn=5), Budget(name="two", warn=6)
    assert decide([Asked(one, Purse(5)), Asked(two, Purse(5))], 1) == Warned(("one",))
    assert decide([Asked(one, Purse(6)), Asked(two, Purse(6))], 1) == Warned(("one", "two"))
    hard = Budget(name="hard", block=1)
    refused = decide([Asked(one, Purse(6)), Asked(hard, Purse(6))], 1)
    assert isinstance(refused, Refused)
    assert refused.budget is hard
    assert decide([], None) == Admitted()


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=30), st.integers(0, 500))
def test_a_ceiling_is_never_passed_whatever_is_under_way(requests, ceiling):
    """Each request may cost as much as it reserved; all are open at once, and settle afterwards in any order."""
    budget = Budget(name="b", ceiling=ceiling)
    purse, open_ = Purse(), []
    for worst, share in requests:
        if not isinstance(decide([Asked(budget, purse)], worst), Refused):
            purse = reserve(purse, budget, worst)
            open_.append((worst, worst * share // 100))
        assert purse.spent + purse.held <= ceiling
    for worst, came in reversed(open_):
        purse = settle(purse, budget, worst, came)
    assert purse == Purse(sum(came for _, came in open_), 0)


def test_what_has_no_price_settles_as_it_was_reserved():
    budget = Budget(name="b", ceiling=10, unpriced=4)
    purse = reserve(Purse(), budget, None)
    assert purse == Purse(0, 4)
    assert settle(purse, budget, None, None) == Purse(4, 0)
    assert settle(purse, budget, None, 0) == Purse(0, 0)
    assert settle(purse, budget, None, 7) == Purse(7, 0)


TOKENS = st.integers(0, 10_000)


@given(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_no_request_costs_more_than_its_worst_case(uncached, read, write, long, output):
    usage = Usage(uncached=uncached, cache_read=read, cache_write_5m=write, cache_write_1h=long, output=output)
    tokens = uncached + read + write + long
    prices = ModelPrices(
        **{**_named(PRICES), "above": 8000, "long": ModelPrices(**{k: 2 * v for k, v in _named(PRICES).items()})}
    )
    for each in (PRICES, prices):
        assert cost(usage, each) <= worst_case(each, tokens, output)


def _named(prices):
    return {name: price for name in prices.__struct_fields__ if (price := getattr(prices, name)) is not None}


def test_worst_cases():
    assert worst_case(PRICES, 1000, 100) == 1000 * 6000 + 100 * 15_000
    assert worst_case(PRICES, 0, None) == UNBOUNDED_OUTPUT * 15_000
    assert worst_case(ModelPrices(output=5), 1, 1) is None
    assert worst_case(ModelPrices(uncached=20_000), 10, None) == 200
    assert worst_case(ModelPrices(uncached=1), 1, 0) == 1, "never rounded to nothing"


def test_tokens_at_worst():
    assert most_tokens(None, 3001) == 1001
    assert most_tokens([10, 10], 10**9) == 31


@pytest.mark.parametrize(
    ("method", "path", "billed"),
    [
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages/count_tokens", False),
        ("POST", "/v1/messages/batches", True),
        ("POST", "/v1/chat/completions", True),
        ("POST", "/v1/embeddings", True),
        ("POST", "/v1/files", False),
        ("POST", "/v1beta/models/gemini-2.5-pro:generateContent", True),
        ("POST", "/v1beta/models/gemini-2.5-pro:countTokens", False),
        ("POST", "/api/chat", True),
        ("POST", "/api/show", False),
        ("GET", "/v1/models", False),
        ("POST", "/v1/responses/r_1/cancel", False),
        ("POST", "/new/endpoint", True),
    ],
)
def test_what_is_billed(method, path, billed):
    assert is_billed(method, path) is billed


@pytest.mark.parametrize(
    ("purse", "limits", "worst", "said"),
    [
        (Purse(5 * NANOS), {"block": 5 * NANOS}, 1, ["'b' ($5.00 a day) is spent: $5.00", "Raise `block`"]),
        (Purse(4 * NANOS), {"ceiling": 5 * NANOS}, 2 * NANOS, ["$1.00 left", "could cost $2.00", "Lower max_tokens"]),
        (
            Purse(),
            {"ceiling": 5 * NANOS, "per": "client"},
            None,
            ["a day for each client", "m-1: it has no price", "`unpriced`"],
        ),
    ],
)
def test_a_refusal_says_which_budget_how_much_and_what_to_do(purse, limits, worst, said):
    refused = decide([asked(purse, **limits)], worst)
    text = words(refused, "m-1")
    assert [each for each in said if each not in text] == []
    assert len(text) <= 200, "clipped in the error"


def test_amounts_in_words():
    assert [dollars(n) for n in (0, NANOS // 2, 1234 * NANOS, NANOS // 1000, 1)] == [
        "$0.00",
        "$0.50",
        "$1,234.00",
        "$0.001",
        "$0.000000001",
    ]
