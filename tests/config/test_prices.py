"""The shipped table is sane and printed in the documentation; other tables and the user's own prices are read with care."""

import stat
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tokenpak.config import prices
from tokenpak.config.paths import paths_for, prepare
from tokenpak.config.prices import KEYS, SHIPPED, in_force, install, load, overrides_in, parsed, shipped, undo
from tokenpak.config.rules import Unusable
from tokenpak.config.settings import ConfigError, Settings, read_settings, write_settings
from tokenpak.config.settings import load as load_settings
from tokenpak.core import ledger
from tokenpak.core.cost import CLASSES, ModelPrices

DAY = "2026-11-28"
PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "prices.md"
FILE = shipped()
MODELS = [
    pytest.param(provider, model, entry.prices, id=model)
    for provider, family in FILE.families.items()
    for model, entry in family.entries.items()
]
TIERED = {"claude-haiku-5-5": 100_000, "gemini-2.5-pro": 200_000, "gemini-3.1-pro-preview": 200_000}
"""Models of the two providers that have few of them; at OpenAI all of GPT-5.4 and later do, but the small ones."""


def lengths(found):
    return (found,) if found.long is None else (found, found.long)


# the shipped table
@pytest.mark.parametrize(("provider", "model", "found"), MODELS)
def test_every_class_of_every_model_has_sane_relations(provider, model, found):
    for each in lengths(found):
        assert 0 < each.uncached < each.output <= 10 * each.uncached
        assert each.cache_read is None or 0.02 <= each.cache_read / each.uncached <= 0.5
        assert all(value is None or value > 0 for value in (getattr(each, name) for name in CLASSES))


@pytest.mark.parametrize(("provider", "model", "found"), MODELS)
def test_each_provider_prices_the_classes_it_has(provider, model, found):
    for each in lengths(found):
        writes = (each.cache_write_5m, each.cache_write_1h, each.cache_write_other)
        if provider == "anthropic":
            usual = 1.2 if model == "claude-3-haiku" else 1.25
            assert writes == (each.uncached * usual, each.uncached * 2, None)
            assert each.output == each.uncached * 5
        elif provider == "openai":
            new = model.startswith(("gpt-5.6", "gpt-6"))
            assert writes == (None, None, each.uncached * (1.25 if new else 1))
        else:
            assert writes == (None, None, None)
            assert each.cache_read in (None, each.uncached / 10)


@pytest.mark.parametrize(("provider", "model", "found"), MODELS)
def test_long_requests_are_dearer_in_every_class(provider, model, found):
    assert (found.above is None) == (found.long is None)
    if found.long is None:
        assert model not in TIERED
        return
    times, output = (5, 5) if model == "claude-haiku-5-5" else (2, 1.5)
    assert found.above == TIERED.get(model, 272_000)
    assert found.long.output == found.output * output
    for name in CLASSES[:-1]:
        price = getattr(found, name)
        assert getattr(found.long, name) == (None if price is None else price * times)


def test_facts_of_single_models():
    """facts/providers.md: Opus 5.5 is $4/$20 with reads at $0.20 = 5%, writes $5; Haiku 5.5 is tiered "from $0.10"."""
    claude = FILE.families["anthropic"].entries
    assert claude["claude-opus-5-5"].prices == ModelPrices(
        uncached=4_000_000,
        cache_read=200_000,
        cache_write_5m=5_000_000,
        cache_write_1h=8_000_000,
        output=20_000_000,
        web_search=10**10,
    )
    assert claude["claude-haiku-5-5"].prices.uncached == 100_000


def test_the_ledgers_usual_multiples_are_those_of_most_models():
    models = FILE.families["anthropic"].entries.values()
    usual = [entry for entry in models if ledger.relative(entry.prices) == ledger.PRICES]
    assert len(usual) > len(models) / 2


def test_the_table_is_dated_after_the_pages_it_was_read_from():
    for family in FILE.families.values():
        assert family.read <= FILE.date
        assert "." in family.source


# the page
def rows():
    for provider, family in FILE.families.items():
        for model, entry in family.entries.items():
            for each, above in ((entry.prices, None), (entry.prices.long, entry.prices.above)):
                if each is not None:
                    length = f" above {above:,}" if above else ""
                    until = entry.until or ""
                    yield provider, f"`{model}`{length}", *map(dollars, each_class(each)), until


def each_class(found):
    return (getattr(found, name) for name in KEYS.values())


def dollars(pico):
    return "" if pico is None else f"{Decimal(pico) / 1_000_000:f}"


def searches(family):
    """What a provider takes for a thousand searches, whichever the model."""
    (pico,) = {entry.prices.web_search for entry in family.entries.values()}
    return "" if pico is None else f"{Decimal(pico) / 1_000_000_000:f}"


def rendered():
    lines = [f"Table of {FILE.date}.", "", "| provider | prices from | read on | 1,000 searches |"]
    lines += ["|---|---|---|--:|"]
    lines += [
        f"| {name} | {family.source} | {family.read} | {searches(family)} |" for name, family in FILE.families.items()
    ]
    heads = ("provider", "model", "input", "cache read", "write 5m", "write 1h", "other write", "output", "until")
    lines += ["", f"| {' | '.join(heads)} |", "|---|---|--:|--:|--:|--:|--:|--:|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows()]
    aliases = [f"`{name}` is `{model}`" for family in FILE.families.values() for name, model in family.aliases.items()]
    return "\n".join([*lines, "", f"Aliases: {', '.join(aliases)}."])


def test_the_page_prints_the_table():
    page = PAGE.read_text()
    assert page.partition("<!-- prices -->\n")[2].partition("\n<!-- end -->")[0] == rendered()


def test_the_page_names_no_price_that_is_not_in_force_without_its_end():
    over = [model for _, model, *_, until in rows() if until and until < FILE.date]
    assert over == ["`gpt-5.6-sol`", "`gpt-5.6-sol` above 272,000"]


# a table from elsewhere
def table(date="2027-01-01", read="2026-12-31", **models):
    models = models or {"m": {"input": "1", "output": "2"}}
    family = {"source": "a page", "read": read, "models": models}
    return msgspec.json.encode({"date": date, "providers": {"openai": family}})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", ["no table of prices"]),
        (b"[]", ["no table of prices"]),
        (b"\xff", ["no table of prices"]),
        (b'{"date": "2027-01-01"}', ["providers"]),
        (b'{"date": "2027-01-01", "providers": {}, "colour": 1}', ["colour"]),
        (table(date="soon"), ["date", "'soon'", "YYYY-MM-DD"]),
        (table(date="2027-02-30"), ["date", "2027-02-30"]),
        (table(m={"inptu": "1"}), ["openai", "'m'", "'inptu'", "'input'"]),
        (table(m={}), ["'m'", "no price"]),
        (table(m={"until": "2027-01-01"}), ["'m'", "no price"]),
        (table(m={"input": "x"}), ["'m'", "input", "'x'", "dollars for a million"]),
        (table(m={"input": "-1"}), ["'m'", "between 0"]),
        (table(m={"input": "NaN"}), ["'m'", "between 0"]),
        (table(m={"input": "3000000"}), ["'m'", "between 0"]),
        (table(m={"input": "0.0000001"}), ["'m'", "finer"]),
        (table(m={"input": True}), ["'m'", "True is no price"]),
        (table(m={"input": None}), ["'m'", "None"]),
        (table(m={"input": 1, "web_search": "dear"}), ["'m'", "web_search", "'dear'", "1,000 searches"]),
        (table(m={"web_search": 1}), ["'m'", "no price"]),
        (table(m={"input": 1, "above": 5, "long": {"input": 2, "web_search": 1}}), ["'m'", "long"]),
        (table(m={"input": 1, "above": 5}), ["'m'", "long"]),
        (table(m={"input": 1, "long": {"input": 2}}), ["'m'", "above"]),
        (table(m={"input": 1, "above": 0, "long": {"input": 2}}), ["'m'", "above"]),
        (table(m={"input": 1, "above": 5, "long": {"inptu": 2}}), ["'m'", "long", "'inptu'"]),
        (table(m={"input": 1, "above": 5, "long": {"input": 2, "above": 6, "long": {"input": 3}}}), ["'m'", "long"]),
        (table(read="soon"), ["providers.openai: read", "'soon'"]),
        (table(m={"input": 1, "until": "x"}), ["'m'", "until"]),
        (b" " * (prices.LARGEST_BYTES + 1), ["bytes"]),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(raw, words):
    with pytest.raises(Unusable) as caught:
        parsed(raw)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("aliases", [{"n": "nobody"}, {"m": "m"}])
def test_an_alias_names_a_model_and_is_none(aliases):
    family = {"source": "a page", "read": "2026-12-31", "models": {"m": {"input": "1"}}, "aliases": aliases}
    with pytest.raises(Unusable, match="aliases"):
        parsed(msgspec.json.encode({"date": "2027-01-01", "providers": {"openai": family}}))


@pytest.mark.parametrize("value", ["2.5", 2.5, "2.50"])
def test_dollars_become_pico_dollars_exactly(value):
    assert prices.prices_in({"input": value}) == ModelPrices(uncached=2_500_000)
    assert prices.prices_in({"input": "0.000001"}).uncached == 1
    assert prices.prices_in({"input": 0.1}).uncached == 100_000
    assert prices.prices_in({"input": 0}).uncached == 0


def test_a_thousand_searches_have_a_price_of_the_provider_or_of_the_model():
    models = {"m": {"input": 1}, "n": {"input": 1, "web_search": "25"}}
    family = {"source": "a page", "read": "2026-12-31", "models": models, "web_search": 10}
    entries = (
        parsed(msgspec.json.encode({"date": "2027-01-01", "providers": {"openai": family}})).families["openai"].entries
    )
    assert [entries[name].prices.web_search for name in "mn"] == [10 * 10**9, 25 * 10**9]
    assert parsed(table()).families["openai"].entries["m"].prices.web_search is None


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path / "state")
    prepare(found)
    return found


def test_the_shipped_table_holds_where_nothing_is_installed(paths):
    found = load(paths, {}, DAY)
    assert (found.origin, found.trouble, found.table) == ("shipped", "", in_force(FILE, {}, DAY))


def test_an_installed_table_holds_if_it_is_no_older(paths):
    own = FILE.date
    for date, origin in (("2000-01-01", "shipped"), (own, "installed"), ("2027-01-01", "installed")):
        paths.prices.write_bytes(table(date=date))
        found = load(paths, {}, DAY)
        assert (found.origin, found.trouble) == (origin, "")
        assert found.table.version == max(date, own)


@pytest.mark.parametrize("raw", [b"", b"{}", table(m={"input": "x"})])
def test_an_installed_table_that_cannot_be_read_is_named_and_not_used(paths, raw):
    paths.prices.write_bytes(raw)
    found = load(paths, {}, DAY)
    assert (found.origin, found.table) == ("shipped", in_force(FILE, {}, DAY))
    assert str(paths.prices) in found.trouble


def test_an_installed_table_that_cannot_be_opened_is_named_and_not_used(paths):
    paths.prices.mkdir()
    found = load(paths, {}, DAY)
    assert found.origin == "shipped"
    assert str(paths.prices) in found.trouble


def test_installing_keeps_the_one_before_and_undoing_brings_it_back(paths):
    first, second = table(), table(date="2027-01-02")
    install(first, paths)
    install(second, paths)
    assert paths.prices.read_bytes() == second
    kept = paths.prices.with_name("prices.json.bak")
    assert kept.read_bytes() == first
    for file in (paths.prices, kept):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert undo(paths)
    assert paths.prices.read_bytes() == first
    assert undo(paths)
    assert not undo(paths)
    assert sorted(paths.state.glob("prices*")) == []


def test_a_file_kept_from_long_ago_is_not_brought_back(paths):
    install(table(), paths)
    install(table(date="2027-01-02"), paths)
    paths.prices.unlink()
    install(table(date="2027-01-03"), paths)
    assert undo(paths)
    assert load(paths, {}, DAY).origin == "shipped"


@pytest.mark.parametrize("raw", [b"{}", table(date="2000-01-01")])
def test_what_cannot_be_used_is_not_installed(paths, raw):
    install(table(), paths)
    with pytest.raises(Unusable):
        install(raw, paths)
    assert paths.prices.read_bytes() == table()
    assert [file.name for file in paths.state.glob("prices*")] == ["prices.json"]


def test_a_price_holds_on_its_last_day_and_not_after():
    file = parsed(table(m={"input": 1, "until": "2027-01-31"}))
    assert in_force(file, {}, "2027-01-31").find("openai", "m") is not None
    assert in_force(file, {}, "2027-02-01").find("openai", "m") is None
    assert in_force(file, {}, "2027-01-31").id != in_force(file, {}, "2027-02-01").id


# the user's own
OWN = """
[prices."claude-opus-4-6"]
input = 4
output = "20.5"
[prices."lab/llama3"]
input = 0.5
output = 1.5
above = 1000
long = {input = 1, output = 3}
"""
MINE = {
    "claude-opus-4-6": ModelPrices(uncached=4_000_000, output=20_500_000),
    "lab/llama3": ModelPrices(
        uncached=500_000,
        output=1_500_000,
        above=1000,
        long=ModelPrices(uncached=1_000_000, output=3_000_000),
    ),
}


def written(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_prices_of_a_configuration(tmp_path):
    assert load_settings(written(tmp_path, OWN), {}, {}).prices == MINE
    assert load_settings(None, {}, {}).prices == {}
    found = load(paths_for(tmp_path), MINE, DAY)
    assert found.table.find("anthropic", "claude-opus-4-6").prices == MINE["claude-opus-4-6"]
    assert found.table.id != load(paths_for(tmp_path), {}, DAY).table.id


def test_prices_of_the_environment(tmp_path):
    environ = {"TOKENPAK_PRICES": '{"m" = {input = 1}}'}
    assert load_settings(written(tmp_path, OWN), environ, {}).prices == {"m": ModelPrices(uncached=1_000_000)}
    with pytest.raises(ConfigError, match=r"environment: TOKENPAK_PRICES: .*my-model"):
        load_settings(None, {"TOKENPAK_PRICES": "{"}, {})


def test_child_processes_get_the_same_prices(tmp_path):
    settings = Settings(state_dir=str(tmp_path), prices=MINE)
    prepare(settings.paths)
    write_settings(settings)
    assert read_settings({"TOKENPAK_SETTINGS": str(settings.paths.settings_file)}) == settings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices = 1", ["config.toml: prices", '[prices."model-name"]']),
        ("[prices]\nm = 1", ["config.toml: prices", '[prices."model-name"]']),
        ("[prices.m]\ninputs = 1", ["config.toml: prices", "'m'", "'inputs'", "'input'"]),
        ("[prices.m]\n", ["'m'", "no price"]),
        ('[prices.m]\ninput = "cheap"', ["'m'", "'cheap'"]),
        ('[prices.m]\ninput = 1\nuntil = "2027-01-01"', ["'m'", "'until'"]),
    ],
)
def test_errors_name_the_model_and_the_remedy(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, text), {}, {})
    for word in words:
        assert word in str(caught.value)


def test_overrides_read_like_a_table():
    assert overrides_in({"m": {"input": "1", "cache_read": "0.1"}}) == {
        "m": ModelPrices(uncached=1_000_000, cache_read=100_000)
    }


def test_the_shipped_table_lies_beside_its_reader():
    """hatchling takes every file of the package into the wheel."""
    assert SHIPPED.parent == Path(prices.__file__).parent
    assert SHIPPED.is_file()
