"""Bills against hand-computed ones, each with the rule it shows; names of models; and what must hold for any bill."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.config.prices import in_force, shipped
from tokenpak.core.cost import (
    CLASSES,
    INPUT,
    ModelPrices,
    Priced,
    at_length,
    cost,
    input_cost,
    input_tokens,
    lines,
    price_of_class,
    spellings,
    table_of,
    tokens_of,
    total,
)
from tokenpak.core.usage import Usage, tap_for

DAY = "2026-11-28"
TABLE = in_force(shipped(), {}, DAY)

RULES = {
    "remainder": "input_tokens (= uncached remainder only)",
    "disjoint": "keep *disjoint* classes",
    "1h": "1h writes priced as 5m: −37.5% on that component",  # noqa: RUF001 as it stands there
    "usual": "usual 1.25x/2x/0.1x",
    "opus": "Opus 5.5 is $4/$20 with reads at $0.20 = 5%, writes $5",
    "tiered": 'Haiku 5.5 is tiered "from $0.10"',
    "prewarm": "`max_tokens:0` pre-warms",
    "inclusive": "Inclusive totals: the opposite of Anthropic.",
    "reasoning": "completion_tokens ⊇ reasoning_tokens",
    "free": "Pre-5.6: writes free",
    "paid": "**GPT-5.6+: writes 1.25x**",
    "272K": "a request of more than 272K input tokens is billed whole at 2x input and cache, 1.5x output (model pages)",
    "thoughts": "Output to bill = candidates + thoughts",
    "200k": "a Gemini Pro prompt of more than 200k tokens is billed whole at the higher prices (pricing page)",
    "fee": "no write fee or storage",
    "own": "the page's own figures, which are not the usual multiples",
    "unknown": "Unknown model → $0, budget never trips",
}
"""Rules as facts/providers.md and facts/complaints.md B word them; the other three as the provider's page does."""

CLAUDE, GPT, GEMINI = "anthropic", "openai", "google"

# rule, provider, model, usage, nano-dollars ($1 a million tokens is 1,000 nano-dollars a token)
BILLS = [
    ("remainder", CLAUDE, "claude-opus-4-6", Usage(uncached=1000, output=0), 5_000_000),
    (
        "disjoint",  # at the full rate, the classic error, the read part alone would be 300,000,000
        CLAUDE,
        "claude-sonnet-4-5",
        Usage(uncached=1000, cache_read=100_000, output=500),
        3_000_000 + 30_000_000 + 7_500_000,
    ),
    (
        "usual",
        CLAUDE,
        "claude-sonnet-4-5",
        Usage(uncached=10, cache_write_5m=20_000, output=100),
        30_000 + 75_000_000 + 1_500_000,
    ),
    (
        "1h",
        CLAUDE,
        "claude-sonnet-4-5",
        Usage(uncached=10, cache_write_1h=20_000, output=100),
        30_000 + 120_000_000 + 1_500_000,
    ),
    (
        "1h",
        CLAUDE,
        "claude-opus-4-6",
        Usage(uncached=2, cache_read=30_000, cache_write_5m=1000, cache_write_1h=2000, output=300),
        10_000 + 15_000_000 + 6_250_000 + 20_000_000 + 7_500_000,
    ),
    (
        "opus",
        CLAUDE,
        "claude-opus-5-5",
        Usage(uncached=100, cache_read=200_000, cache_write_5m=5000, output=1000),
        400_000 + 40_000_000 + 25_000_000 + 20_000_000,
    ),
    (
        "tiered",  # 100,000 input tokens are not above 100,000
        CLAUDE,
        "claude-haiku-5-5",
        Usage(uncached=50_000, cache_read=50_000, output=1000),
        5_000_000 + 500_000 + 500_000,
    ),
    (
        "tiered",
        CLAUDE,
        "claude-haiku-5-5",
        Usage(uncached=50_001, cache_read=50_000, output=1000),
        25_000_500 + 2_500_000 + 2_500_000,
    ),
    (
        "tiered",  # written tokens are input tokens too
        CLAUDE,
        "claude-haiku-5-5",
        Usage(uncached=1, cache_write_1h=100_000, output=0),
        500 + 100_000_000,
    ),
    (
        "own",
        CLAUDE,
        "claude-fable-5-1",
        Usage(uncached=4, cache_read=400_000, output=1),
        40_000 + 100_000_000 + 50_000,
    ),
    ("own", CLAUDE, "claude-sonnet-5-5", Usage(uncached=0, cache_read=10, output=0), 1000),
    (
        "own",
        CLAUDE,
        "claude-3-haiku",
        Usage(uncached=1, cache_read=1000, cache_write_5m=1000, output=0),
        250 + 30_000 + 300_000,
    ),
    ("prewarm", CLAUDE, "claude-opus-5", Usage(uncached=3, cache_write_1h=50_000, output=0), 15_000 + 500_000_000),
    (
        "inclusive",  # prompt 10,000 of which 8,000 cached
        GPT,
        "gpt-5",
        Usage(uncached=2000, cache_read=8000, output=1000),
        2_500_000 + 1_000_000 + 10_000_000,
    ),
    ("reasoning", GPT, "gpt-5", Usage(uncached=0, output=1000, reasoning=600), 10_000_000),
    (
        "free",  # no fee on top: written tokens are input like any other
        GPT,
        "gpt-5.4",
        Usage(uncached=1000, cache_write_other=4000, output=10),
        2_500_000 + 10_000_000 + 150_000,
    ),
    (
        "paid",
        GPT,
        "gpt-5.6-terra",
        Usage(uncached=100, cache_read=2048, cache_write_other=4096, output=50),
        200_000 + 409_600 + 10_240_000 + 600_000,
    ),
    (
        "paid",
        GPT,
        "gpt-6.2-sol",
        Usage(uncached=5000, cache_read=100_000, cache_write_other=10_000, output=2000),
        10_000_000 + 10_000_000 + 25_000_000 + 20_000_000,
    ),
    (
        "272K",
        GPT,
        "gpt-5.5",
        Usage(uncached=2000, cache_read=270_000, output=100),
        10_000_000 + 135_000_000 + 3_000_000,
    ),
    (
        "272K",
        GPT,
        "gpt-5.5",
        Usage(uncached=2001, cache_read=270_000, output=100),
        20_010_000 + 270_000_000 + 4_500_000,
    ),
    ("unknown", GPT, "gpt-5-mini", Usage(uncached=1000, output=1000), 250_000 + 2_000_000),
    (
        "thoughts",  # 400 of candidates, 300 of thoughts
        GEMINI,
        "gemini-2.5-pro",
        Usage(uncached=3000, cache_read=5000, output=700, reasoning=300),
        3_750_000 + 625_000 + 7_000_000,
    ),
    (
        "200k",
        GEMINI,
        "gemini-2.5-pro",
        Usage(uncached=150_000, cache_read=50_001, output=10),
        375_000_000 + 12_500_250 + 150_000,
    ),
    ("fee", GEMINI, "gemini-2.5-flash", Usage(uncached=123, output=45), 36_900 + 112_500),
]


@pytest.mark.parametrize(("rule", "provider", "model", "usage", "nano"), BILLS)
def test_hand_computed_bills(rule, provider, model, usage, nano):
    found = TABLE.find(provider, model)
    assert cost(usage, found.prices) == nano, RULES[rule]
    assert total(lines(usage, found.prices)) == nano


def test_every_rule_has_a_bill():
    assert {bill[0] for bill in BILLS} == RULES.keys()


def test_hours_are_not_priced_as_minutes():
    prices = TABLE.find(CLAUDE, "claude-sonnet-4-6").prices
    assert prices.cache_write_5m / prices.cache_write_1h == pytest.approx(1 - 0.375)


STREAM = b"".join(
    b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode({"type": name, **data}))
    for name, data in (
        (
            "message_start",
            {
                "message": {
                    "model": "claude-sonnet-4-5-20250929",
                    "usage": {
                        "input_tokens": 10,
                        "cache_read_input_tokens": 5000,
                        "cache_creation_input_tokens": 3000,
                        "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
                        "output_tokens": 1,
                    },
                }
            },
        ),
        *(
            (
                "message_delta",
                {
                    "delta": {},
                    "usage": {
                        "input_tokens": 10,
                        "cache_read_input_tokens": 5000,
                        "cache_creation_input_tokens": 3000,
                        "output_tokens": output,
                    },
                },
            )
            for output in (40, 100)
        ),
        ("message_stop", {}),
    )
)


def test_a_stream_that_repeats_its_counts_is_billed_once():
    """complaints.md 12: `message_delta` repeats cumulative counts, a naive sum doubles them."""
    tap = tap_for(CLAUDE, "messages", b"text/event-stream", b"")
    tap.feed(STREAM)
    seen = tap.close()
    assert seen.usage.cache_write_1h == 2000
    nano = 10 * 3000 + 5000 * 300 + 1000 * 3750 + 2000 * 6000 + 100 * 15_000
    assert cost(seen.usage, TABLE.find(CLAUDE, seen.model).prices) == nano


def test_a_cached_prompt_is_billed_once():
    """complaints.md 11: totals that include the cached part, priced as if they did not."""
    tap = tap_for(GPT, "chat", b"application/json", b"")
    usage = {"prompt_tokens": 10_000, "prompt_tokens_details": {"cached_tokens": 8000}, "completion_tokens": 100}
    tap.feed(msgspec.json.encode({"model": "gpt-4.1-2025-04-14", "usage": usage}))
    seen = tap.close()
    assert cost(seen.usage, TABLE.find(GPT, seen.model).prices) == 2000 * 2000 + 8000 * 500 + 100 * 8000


def test_a_search_of_the_web_is_billed_by_the_piece():
    """Anthropic: 10 dollars for 1,000 searches (pricing page), beside the tokens; the length of the request is no matter."""
    prices = TABLE.find(CLAUDE, "claude-haiku-5-5").prices
    assert cost(Usage(uncached=1000, output=100), prices, 3) == 100_000 + 50_000 + 3 * 10_000_000
    assert cost(Usage(uncached=200_000, output=0), prices, 1) == 100_000_000 + 10_000_000
    assert lines(Usage(uncached=1, output=0), prices, searches=3)[-1] == ("web_search", 3, 10**10, 3 * 10**10)


def test_a_search_without_a_price_leaves_no_sum():
    prices = TABLE.find(GPT, "gpt-5").prices
    used = Usage(uncached=1000, output=100)
    assert cost(used, prices, 1) is None
    assert cost(used, prices, 0) == cost(used, prices, None) == cost(used, prices)


# what no sum is made of
PLAIN = ModelPrices(uncached=1000, cache_read=100, output=5000)


@pytest.mark.parametrize(
    ("usage", "why"),
    [
        (Usage(), "nothing was reported"),
        (Usage(reasoning=5), "nothing that is billed was reported"),
        (Usage(uncached=1, cache_write_5m=1, output=1), "a class was used that has no price"),
        (Usage(uncached=1), "the output is missing, not 0"),
        (Usage(output=1), "the input is missing, not 0"),
        (Usage(cache_read=7, output=1), "the rest of the input is missing, not 0"),
    ],
)
def test_what_cannot_be_told_is_none(usage, why):
    assert cost(usage, PLAIN) is None, why


def test_a_class_without_a_price_does_not_matter_while_it_is_not_used():
    assert cost(Usage(uncached=1, cache_write_5m=0, output=1), PLAIN) == 6
    assert cost(Usage(uncached=1, output=1), PLAIN) == 6
    assert cost(Usage(uncached=0, output=0), PLAIN) == 0
    assert cost(Usage(uncached=0, output=0), ModelPrices()) == 0


def test_where_output_has_no_price_none_is_expected():
    """Embeddings: usage has a prompt and a total only."""
    assert cost(Usage(uncached=3), ModelPrices(uncached=2000)) == 6
    assert cost(Usage(uncached=3, output=1), ModelPrices(uncached=2000)) is None


def test_the_input_can_be_told_alone():
    assert input_cost(Usage(uncached=10, cache_read=100), PLAIN) == 20
    assert input_cost(Usage(uncached=10, cache_read=100, output=9), PLAIN) == 20
    assert input_cost(Usage(cache_read=100), PLAIN) is None
    assert input_cost(Usage(uncached=1, cache_write_1h=1), PLAIN) is None


def test_cache_writes_of_an_unknown_life_have_no_price_at_anthropic():
    prices = TABLE.find(CLAUDE, "claude-opus-4-6").prices
    assert cost(Usage(uncached=1, cache_write_other=1, output=1), prices) is None


def test_a_cached_prompt_without_a_known_price_is_not_guessed():
    prices = TABLE.find(GEMINI, "gemini-3.5-flash-lite").prices
    assert cost(Usage(uncached=1, cache_read=1, output=1), prices) is None
    assert cost(Usage(uncached=1, cache_read=0, output=1), prices) == 2800


@pytest.mark.parametrize(("tokens", "nano"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4)])
def test_half_a_nano_dollar_goes_to_the_even_one_at_the_end(tokens, nano):
    assert cost(Usage(uncached=tokens, output=0), ModelPrices(uncached=500, output=0)) == nano


def test_the_price_of_a_class():
    prices = TABLE.find(CLAUDE, "claude-haiku-5-5").prices
    assert price_of_class(prices, "cache_write_1h") == 200_000
    assert price_of_class(at_length(prices, 100_001), "cache_write_1h") == 1_000_000
    assert price_of_class(prices, "cache_write_other") is None


# names
@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        (CLAUDE, "claude-sonnet-4-5", "claude-sonnet-4-5"),
        (CLAUDE, "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        (CLAUDE, "claude-opus-4-20250514", "claude-opus-4"),
        (CLAUDE, "claude-opus-4@20250514", "claude-opus-4"),
        (CLAUDE, "claude-opus-4-0", "claude-opus-4"),
        (CLAUDE, "claude-3-5-haiku-latest", "claude-3-5-haiku"),
        (CLAUDE, "anthropic.claude-opus-4-7", "claude-opus-4-7"),
        (CLAUDE, "anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        (CLAUDE, "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        (CLAUDE, "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        (CLAUDE, "anthropic/claude-opus-4-6", "claude-opus-4-6"),
        (CLAUDE, "publishers/anthropic/models/claude-opus-4-5@20251101", "claude-opus-4-5"),
        (GPT, "gpt-5-2025-08-07", "gpt-5"),
        (GPT, "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        (GPT, "openai/gpt-5-mini", "gpt-5-mini"),
        (GPT, "openai/gpt-5-2025-08-07", "gpt-5"),
        (GPT, "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        (GPT, "gpt-4o-2024-08-06", "gpt-4o"),
        (GPT, "codex-mini-latest", "codex-mini-latest"),
        (GEMINI, "models/gemini-2.5-flash", "gemini-2.5-flash"),
        (GEMINI, "google/gemini-2.5-flash-lite", "gemini-2.5-flash-lite"),
    ],
)
def test_names_a_provider_gives_a_model(provider, model, name):
    found = TABLE.find(provider, model)
    assert (found.model, found.source) == (name, "table")
    assert found.prices == TABLE.entries[provider][name]


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (GPT, "gpt-5-max"),
        (GPT, "gpt-5-mini-fast"),
        (GPT, "gpt-5-20250807-preview"),
        (GPT, "gpt-55"),
        (GPT, "gpt-4o-audio-preview-2024-12-17"),
        (GPT, "chatgpt-4o-latest"),
        (GPT, "my-gpt-5"),
        (GPT, "anthropic/claude-opus-4-6"),
        (GPT, "claude-opus-4-6"),
        (GPT, "gpt-5-2025-13-07"),
        (GPT, ""),
        (GPT, "openai/"),
        (GPT, "lab/openai/gpt-5"),
        (CLAUDE, "claude-opus"),
        (CLAUDE, "claude-opus-4-9"),
        (CLAUDE, "claude-opus-4-6-12345678"),
        (CLAUDE, "claude-sonnet-4-5-v1:0"),
        (CLAUDE, "openai/gpt-5"),
        (CLAUDE, "x.y.anthropic.claude-opus-4-7"),
        (GEMINI, "gemini-2.5-pro-preview-tts"),
        (GEMINI, "tunedModels/gemini-2.5-pro"),
        ("ollama", "llama3.2"),
        ("ollama", "gpt-5"),
        ("lab", "claude-opus-4-6"),
        ("openrouter", "openai/gpt-5"),
    ],
)
def test_what_is_not_known_by_its_name_has_no_price(provider, model):
    assert TABLE.find(provider, model) is None


def test_a_price_promised_until_a_day_ends_with_it():
    assert TABLE.find(GPT, "gpt-5.6-sol") is None
    assert TABLE.find(GPT, "gpt-5.6") is None
    assert in_force(shipped(), {}, "2026-11-21").find(GPT, "gpt-5.6").model == "gpt-5.6-sol"


def test_no_model_is_found_by_the_name_of_another():
    for provider, entries in TABLE.entries.items():
        for model in entries:
            for asked in (model, f"{model}-20260101", f"{model}@20260101", f"{model}-2026-01-01"):
                assert TABLE.find(provider, asked).model == model
            for elsewhere in TABLE.entries.keys() - {provider}:
                assert TABLE.find(elsewhere, model) is None


def test_the_users_prices_stand_above_the_table():
    mine, local = ModelPrices(uncached=7), ModelPrices(uncached=0, output=0)
    own = {"claude-opus-4-6": mine, "lab/llama3": local, "gpt-4o": mine}
    table = table_of("2026-11-28", TABLE.entries, TABLE.aliases, own)
    assert table.find(CLAUDE, "claude-opus-4-6-20260101") == Priced(mine, "claude-opus-4-6", "config")
    assert table.find("lab", "claude-opus-4-6") == Priced(mine, "claude-opus-4-6", "config")
    assert table.find("lab", "llama3") == Priced(local, "lab/llama3", "config")
    assert table.find("ollama", "llama3") is None
    # a snapshot that the table prices by itself says more than the user's word for the model
    assert table.find(GPT, "gpt-4o-2024-05-13").source == "table"
    assert table.find(GPT, "gpt-4o-2024-08-06").source == "config"


def test_identity_follows_the_content_and_nothing_else():
    again = table_of(TABLE.version, dict(reversed(TABLE.entries.items())), TABLE.aliases, {})
    assert again.id == TABLE.id
    assert table_of(TABLE.version, TABLE.entries, TABLE.aliases, {"x": PLAIN}).id != TABLE.id
    assert table_of(TABLE.version, TABLE.entries, {}, {}).id != TABLE.id
    version, _, digest = TABLE.id.partition("+")
    assert version == TABLE.version == shipped().date
    assert len(digest) == 8
    assert int(digest, 16) >= 0


@given(st.text(max_size=40), st.sampled_from([CLAUDE, GPT, GEMINI, "lab"]))
def test_the_exact_name_comes_first_and_names_only_get_shorter(model, provider):
    names = spellings(provider, model)
    assert names[:1] == ((model,) if model else ())
    assert all(name in model for name in names)


# any bill
COUNTS = st.one_of(st.none(), st.integers(0, 10**9))
PRICES = st.one_of(st.none(), st.integers(0, 10**9))
USAGES = st.builds(Usage, **dict.fromkeys((*CLASSES, "reasoning"), COUNTS))
FLAT = st.builds(ModelPrices, **dict.fromkeys((*CLASSES, "web_search"), PRICES))
TIERED = st.builds(
    lambda base, above, long: msgspec.structs.replace(base, above=above, long=long), FLAT, st.integers(1, 10**9), FLAT
)


@given(USAGES, st.one_of(FLAT, TIERED), COUNTS)
def test_a_cost_is_the_rounded_sum_of_its_items_or_none(usage, prices, searches):
    at = prices.long if prices.above is not None and input_tokens(usage) > prices.above else prices
    counts = {name: getattr(usage, name) for name in CLASSES}
    unpriced = any(counts[name] and getattr(at, name) is None for name in CLASSES)
    unpriced |= bool(searches) and prices.web_search is None
    missing = usage.uncached is None or (usage.output is None and at.output is not None)
    if unpriced or missing:
        assert cost(usage, prices, searches) is None
    else:
        pico = sum((counts[name] or 0) * (getattr(at, name) or 0) for name in CLASSES)
        exact = Fraction(pico + (searches or 0) * (prices.web_search or 0), 1000)
        assert cost(usage, prices, searches) == round(exact)


WHOLE = st.builds(
    ModelPrices, **dict.fromkeys((*CLASSES, "web_search"), st.integers(0, 10**6).map(lambda nano: nano * 1000))
)
FULL = st.builds(Usage, **dict.fromkeys(CLASSES, st.integers(0, 10**9)))
ZERO = Usage(**dict.fromkeys(CLASSES, 0))


@given(FULL, WHOLE, st.integers(0, 10**6))
def test_it_adds_up_by_item(usage, prices, searches):
    alone = [msgspec.structs.replace(ZERO, **{name: tokens_of(usage, name)}) for name in CLASSES]
    assert cost(usage, prices) == sum(cost(each, prices) for each in alone)
    assert cost(usage, prices) == input_cost(usage, prices) + cost(alone[-1], prices)
    assert [line.name for line in lines(usage, prices)] == list(CLASSES)
    assert [line.name for line in lines(usage, prices, INPUT)] == list(INPUT)
    assert cost(usage, prices, searches) == cost(usage, prices) + cost(ZERO, prices, searches)
    assert [line.name for line in lines(usage, prices, searches=searches)] == [*CLASSES, "web_search"]


@given(FULL, st.integers(0, 10**9), st.sampled_from(sorted(TABLE.entries)), st.data())
def test_more_tokens_never_cost_less(usage, more, provider, data):
    prices = TABLE.entries[provider][data.draw(st.sampled_from(sorted(TABLE.entries[provider])))]
    priced = [name for name in CLASSES if price_of_class(prices, name) is not None]
    usage = Usage(**{name: tokens_of(usage, name) for name in priced})
    name = data.draw(st.sampled_from(priced))
    larger = msgspec.structs.replace(usage, **{name: tokens_of(usage, name) + more})
    assert 0 <= cost(usage, prices) <= cost(larger, prices)


@given(USAGES, FLAT, COUNTS)
def test_reasoning_is_never_added(usage, prices, reasoning):
    assert cost(usage, prices) == cost(msgspec.structs.replace(usage, reasoning=reasoning), prices)


def test_all_classes_are_input():
    assert input_tokens(Usage(1, 2, 4, 8, 16, 32, 64)) == 31
    assert input_tokens(Usage()) == 0
