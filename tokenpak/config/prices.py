"""Prices as they are written down: the shipped table, a newer one the user installed, and the user's own prices.

One shape serves all three: dollars for a million tokens, by class, and for a thousand searches of the web, as decimal
numbers, so that a price page can be checked against it by eye. The difficulty is that a wrong price is worse than none. So a file is read word by word, an
error says where, which model and what to do; a file that cannot be used is left alone and said to be; and a price that
was promised until a day is no price the day after. Nothing here uses the network.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from tokenpak.config import whole_file
from tokenpak.config.dollars import Amount, dollars_in
from tokenpak.config.paths import Paths
from tokenpak.config.rules import Unusable, meant
from tokenpak.config.words import Words
from tokenpak.core.cost import ModelPrices, PriceTable, TokenClass, table_of

SHIPPED = Path(__file__).with_name("prices.json")

LARGEST_BYTES = 4 * 1024 * 1024
"""A table larger than this is no table of prices."""
PRICE = Amount("price", Decimal(10_000), "Write dollars for a million tokens, such as 2.5.")
"""More dollars for a million tokens are a slip of the unit."""

SEARCHES = Amount("price", Decimal(10_000), "Write dollars for 1,000 searches, such as 10.")

PICO_IN_DOLLAR_A_MILLION = 1_000_000
PICO_IN_DOLLAR_A_THOUSAND = 1_000_000_000
FINEST = Decimal(1) / PICO_IN_DOLLAR_A_MILLION

KEYS: Mapping[str, TokenClass] = {
    "input": "uncached",
    "cache_read": "cache_read",
    "cache_write_5m": "cache_write_5m",
    "cache_write_1h": "cache_write_1h",
    "cache_write_other": "cache_write_other",
    "output": "output",
}
"""What a price is called where it is written, and the class it is for."""

SEARCH = "web_search"
"""What the price of searches is called; for a thousand of them. A provider's stands beside its models, a model's among its own."""

_LENGTH = ("above", "long")
_A_MILLION = partial(
    Words,
    unit="dollars for a million tokens",
    kind="number or text",
    range=f"0 to {PRICE.largest:,}, in steps of {FINEST:f}",
)
WORDS: Mapping[str, Words] = {
    "input": _A_MILLION("Input that no cache is involved in."),
    "cache_read": _A_MILLION("Input read from the provider's cache."),
    "cache_write_5m": _A_MILLION("Input written to a cache of five minutes."),
    "cache_write_1h": _A_MILLION("Input written to a cache of one hour."),
    "cache_write_other": _A_MILLION("Input written to a cache whose time is not told."),
    "output": _A_MILLION("Output, reasoning included."),
    SEARCH: Words(
        "Searches of the web.", unit="dollars for 1,000", kind="number or text", range=f"0 to {SEARCHES.largest:,}"
    ),
    "above": Words(
        "Requests with more input tokens than that are billed whole by `long`.", unit="tokens", kind="whole number"
    ),
    "long": Words("Their prices: a table of those above.", kind="table"),
}
"""What a model's prices may hold. What is left out has no price, and a request that uses it has no cost."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Entry(msgspec.Struct, frozen=True):
    """A model of a table. until: the last day its prices are promised for, YYYY-MM-DD; None: until they change."""

    prices: ModelPrices
    until: str | None = None


class Family(msgspec.Struct, frozen=True):
    """A provider's part of a table. source: the page its prices are from. read: the day it was read."""

    source: str
    read: str
    entries: Mapping[str, Entry]
    aliases: Mapping[str, str]


class TableFile(msgspec.Struct, frozen=True):
    """A table as it stands in a file. date: of the table."""

    date: str
    families: Mapping[str, Family]


class Prices(msgspec.Struct, frozen=True):
    """The prices in force. origin: whose table they are from. trouble: why an installed table is not used, or ""."""

    table: PriceTable
    file: TableFile
    origin: Literal["shipped", "installed"]
    trouble: str = ""


class _Family(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    read: str
    models: dict[str, dict[str, object]]
    aliases: dict[str, str] = {}
    web_search: object = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    date: str
    providers: dict[str, _Family]


def load(paths: Paths, overrides: Mapping[str, ModelPrices], day: str) -> Prices:
    """The prices that hold on a day. Never raises for an installed table: money is then told by the shipped one."""
    own = shipped()
    installed, trouble = _installed(paths.prices)
    if installed is None or installed.date < own.date:
        return Prices(in_force(own, overrides, day), own, "shipped", trouble)
    return Prices(in_force(installed, overrides, day), installed, "installed")


def shipped() -> TableFile:
    """The table that came with this version."""
    return parsed(SHIPPED.read_bytes())


def in_force(file: TableFile, overrides: Mapping[str, ModelPrices], day: str) -> PriceTable:
    """The prices of a file that hold on a day, under the user's own."""
    entries = {
        provider: {
            model: entry.prices for model, entry in family.entries.items() if entry.until is None or day <= entry.until
        }
        for provider, family in file.families.items()
    }
    aliases = {provider: family.aliases for provider, family in file.families.items()}
    return table_of(file.date, entries, aliases, overrides)


def parsed(raw: bytes) -> TableFile:
    """A table from the bytes of its file. Raises Unusable, naming the provider, the model and the key."""
    if len(raw) > LARGEST_BYTES:
        raise Unusable(f"it has {len(raw):,} bytes; a table has less than {LARGEST_BYTES:,}.")
    try:
        file = msgspec.json.decode(raw, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unusable(f"it is no table of prices: {error}.") from error
    _check_day("date", file.date)
    return TableFile(file.date, {name: _family(name, family) for name, family in file.providers.items()})


def overrides_in(value: object) -> dict[str, ModelPrices]:
    """A user's own prices: a table of tables, by model or "provider/model". Raises Unusable."""
    if not isinstance(value, Mapping) or not all(isinstance(each, Mapping) for each in value.values()):
        raise Unusable('prices must be a table of tables. Write [prices."model-name"] above each.')
    out = {}
    for model, table in value.items():
        try:
            out[model] = prices_in(table)
        except Unusable as error:
            raise Unusable(f"{model!r}: {error}") from error
    return out


def prices_in(table: Mapping[str, object]) -> ModelPrices:
    """Prices of one model from a table of dollars for a million tokens, or a thousand searches. Raises Unusable."""
    known = (*KEYS, SEARCH, *_LENGTH)
    for key in table:
        if key not in known:
            raise Unusable(f"unknown key {key!r}. {meant(key, known)}")
    if not table.keys() & KEYS.keys():
        raise Unusable(f"it states no price. Add some of: {', '.join(KEYS)}.")
    stated = {KEYS[key]: _pico(key, value) for key, value in table.items() if key in KEYS}
    search = _search_pico(table[SEARCH]) if SEARCH in table else None
    prices = msgspec.structs.replace(ModelPrices(web_search=search), **stated)
    if table.keys().isdisjoint(_LENGTH):
        return prices
    return msgspec.structs.replace(prices, above=_above(table.get("above")), long=_long(table.get("long")))


def install(raw: bytes, paths: Paths) -> TableFile:
    """Put a table where it is used from now on; the one that was there is kept beside it. Raises Unusable, OSError."""
    file, own = parsed(raw), shipped()
    if file.date < own.date:
        raise Unusable(
            f"it is of {file.date}, older than the table of this version ({own.date}), and would not be used. "
            "For prices of your own write [prices] in the configuration."
        )
    target, kept = paths.prices, _kept(paths.prices)
    if target.exists():
        whole_file.put(kept, target.read_bytes())
    else:
        kept.unlink(missing_ok=True)
    whole_file.put(target, raw)
    return file


def undo(paths: Paths) -> bool:
    """Take the last `install` back; False where there is none. The one before comes back, or the shipped table."""
    target, kept = paths.prices, _kept(paths.prices)
    if not target.exists():
        return False
    if kept.exists():
        kept.replace(target)
    else:
        target.unlink()
    return True


def _installed(file: Path) -> tuple[TableFile | None, str]:
    """The table a user installed, and why it cannot be used. Money is told by what is certain: errors fail closed."""
    try:
        with file.open("rb") as stream:
            return parsed(stream.read(LARGEST_BYTES + 1)), ""
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"{file}: {error.strerror}"
    except Unusable as error:
        return None, f"{file}: {error}"


def _family(provider: str, family: _Family) -> Family:
    where = f"providers.{provider}"
    _check_day(f"{where}: read", family.read)
    common = {} if family.web_search is None else {SEARCH: family.web_search}
    entries = {}
    for model, table in family.models.items():
        try:
            entries[model] = _entry({**common, **table})
        except Unusable as error:
            raise Unusable(f"{where}.models: {model!r}: {error}") from error
    for name, model in family.aliases.items():
        if model not in entries or name in entries:
            raise Unusable(f"{where}.aliases: {name!r} = {model!r} must name a model of the table, and be none itself.")
    return Family(family.source, family.read, entries, family.aliases)


def _entry(table: Mapping[str, object]) -> Entry:
    prices = prices_in({key: value for key, value in table.items() if key != "until"})
    if "until" not in table:
        return Entry(prices)
    return Entry(prices, _check_day("until", table["until"]))


def _pico(key: str, value: object) -> int:
    """Pico-dollars a token from dollars a million tokens."""
    return int(_exact(key, value, PRICE) * PICO_IN_DOLLAR_A_MILLION)


def _search_pico(value: object) -> int:
    """Pico-dollars a search from dollars a thousand searches."""
    return int(_exact(SEARCH, value, SEARCHES) * PICO_IN_DOLLAR_A_THOUSAND)


def _exact(key: str, value: object, amount: Amount) -> Decimal:
    dollars = dollars_in(key, value, amount)
    if dollars % FINEST:
        raise Unusable(f"{key} = {value!r} is finer than {FINEST:f}, the smallest step. {amount.advice}")
    return dollars


def _above(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unusable(f"above = {value!r}: write the input tokens above which the prices of `long` hold.")
    return value


def _long(value: object) -> ModelPrices:
    if not isinstance(value, Mapping) or not value.keys().isdisjoint((SEARCH, *_LENGTH)):
        raise Unusable("long: write the prices that hold for requests longer than `above`, as a table.")
    try:
        return prices_in(value)
    except Unusable as error:
        raise Unusable(f"long: {error}") from error


def _check_day(what: str, value: object) -> str:
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            date.fromisoformat(value)
            return value
    except ValueError:
        pass  # a day that is in no calendar; refused like any other word
    raise Unusable(f"{what} = {value!r} is no day. Write YYYY-MM-DD.")


def _kept(file: Path) -> Path:
    return file.with_name(file.name + ".bak")
