"""What a request costs: its token classes times the prices of its model, and its searches of the web, in whole numbers.

Prices are pico-dollars a token (one dollar a million tokens is 1,000,000) or a search, bills are nano-dollars: integers,
so that bills add up to the last digit and a price list can be read back from them.

The difficulty is not to make money up. What has no price has no cost, not a cost of nothing; a count that is missing is
not 0; a model is found by its own name and the spellings its provider gives it, never by a name that looks like it.
Rules and their sources: `facts/providers.md`; the mistakes to keep out: `facts/complaints.md` B.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from tokenpak.core.replies.reading import Usage

InputClass = Literal["uncached", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other"]
TokenClass = Literal["uncached", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "output"]
"""Disjoint classes that are billed, by their names in Usage. Reasoning is none of them: it lies inside output."""

Item = Literal[TokenClass, "web_search"]
"""What a bill has lines for: the classes, and searches of the web, which are billed by the piece."""

INPUT: Final[tuple[InputClass, ...]] = get_args(InputClass)
CLASSES: Final[tuple[TokenClass, ...]] = get_args(TokenClass)

PICO_IN_NANO = 1000


class ModelPrices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pico-dollars a token, by class; None: no price is known.

    web_search: pico-dollars a search, whatever the length. above, long: a request with more input tokens than `above`
    (all input classes together) is billed whole, output included, by `long`. Both or neither.
    """

    uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    cache_write_other: int | None = None
    output: int | None = None
    web_search: int | None = None
    above: int | None = None
    long: "ModelPrices | None" = None


class Line(NamedTuple):
    """One line of a bill. units: tokens, or searches. price: pico-dollars for one. pico: units times price."""

    name: Item
    units: int
    price: int
    pico: int


class Priced(msgspec.Struct, frozen=True):
    """Prices found for a model. model: under which name. source: the price table, or the user's configuration."""

    prices: ModelPrices
    model: str
    source: Literal["table", "config"]


def cost(usage: Usage, prices: ModelPrices, searches: int | None = None) -> int | None:
    """What a response cost, in nano-dollars, rounded half to even at the end. None: it cannot be told; see `lines`."""
    bill = lines(usage, prices, searches=searches)
    return None if bill is None else total(bill)


def input_cost(usage: Usage, prices: ModelPrices) -> int | None:
    """The same of the input alone, whatever is known of the output."""
    bill = lines(usage, prices, INPUT)
    return None if bill is None else total(bill)


def lines(
    usage: Usage, prices: ModelPrices, names: Iterable[TokenClass] = CLASSES, searches: int | None = None
) -> tuple[Line, ...] | None:
    """The bill, a line for each class that was reported, and one for searches. None where a sum would be made up:

    - a class was used, or the web searched, and there is no price for that;
    - `uncached` is missing, which every provider reports, or `output`, where the model has a price for one.

    A cache class that is missing is one the provider does not have, or does not tell apart: it is in no total.
    """
    at = at_length(prices, input_tokens(usage))
    items: list[tuple[Item, int | None, int | None]] = [
        (name, tokens_of(usage, name), price_of_class(at, name)) for name in names
    ]
    out = []
    for name, units, price in (*items, ("web_search", searches, prices.web_search)):
        if units is None:
            if name == "uncached" or (name == "output" and price is not None):
                return None
        elif price is not None:
            out.append(Line(name, units, price, units * price))
        elif units:
            return None
    return tuple(out)


def total(bill: Iterable[Line]) -> int:
    """The sum of a bill in nano-dollars, rounded half to even."""
    nano, rest = divmod(sum(line.pico for line in bill), PICO_IN_NANO)
    return nano + (rest * 2 + nano % 2 > PICO_IN_NANO)


def price_of_class(prices: ModelPrices, name: TokenClass) -> int | None:
    """Pico-dollars for a token of a class; for long requests ask `at_length` first."""
    price: int | None = getattr(prices, name)
    return price


def tokens_of(usage: Usage, name: TokenClass) -> int | None:
    """Tokens of a class, as reported."""
    tokens: int | None = getattr(usage, name)
    return tokens


def input_tokens(usage: Usage) -> int:
    """Input tokens of all classes that were reported: what the length of a request is measured by."""
    return sum(tokens_of(usage, name) or 0 for name in INPUT)


def at_length(prices: ModelPrices, tokens: int) -> ModelPrices:
    """The prices of a request with so many input tokens."""
    if prices.above is None or prices.long is None or tokens <= prices.above:
        return prices
    return prices.long


class PriceTable(msgspec.Struct, frozen=True):
    """The prices that hold. Build it with `table_of`.

    version: the date of the table, YYYY-MM-DD. entries, aliases: by provider, then by name. overrides: the user's own,
    by "model" for every provider or "provider/model" for one. id: version and the hash of all of it, for rows.
    """

    id: str
    version: str
    entries: Mapping[str, Mapping[str, ModelPrices]]
    aliases: Mapping[str, Mapping[str, str]]
    overrides: Mapping[str, ModelPrices]

    def find(self, provider: str, model: str) -> Priced | None:
        """The prices of a model at a provider (the name its requests are routed by); None: nobody stated any.

        A provider that is not in the table (a local server, some other host) has prices only where the user states
        them, even for models that are priced elsewhere: what it charges is not known.
        """
        entries = self.entries.get(provider, {})
        for name in self._names(provider, model):
            for key in (f"{provider}/{name}", name):
                if key in self.overrides:
                    return Priced(self.overrides[key], key, "config")
            if name in entries:
                return Priced(entries[name], name, "table")
        return None

    def _names(self, provider: str, model: str) -> Iterator[str]:
        """Every name of a model, the one that says most first; each followed by what it is an alias of."""
        aliases = self.aliases.get(provider, {})
        for name in spellings(provider, model):
            yield name
            if name in aliases:
                yield aliases[name]


_DATE = r"20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DASHED = r"20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_SNAPSHOT = re.compile(rf"(?:[-@]{_DATE}|-{_DASHED}|-latest)$", re.ASCII)
"""How a provider names a state of a model: -20250929, @20250514, -2025-08-07, -latest."""

_BEGINNINGS: Final[Mapping[str, re.Pattern[str]]] = {
    "anthropic": re.compile(r"anthropic/|publishers/anthropic/models/|(?:[a-z]{2,6}(?:-[a-z]{2,4})?\.)?anthropic\."),
    "openai": re.compile(r"openai/"),
    "google": re.compile(r"models/|google/|publishers/google/models/"),
}
"""What may stand before a model's name at the provider whose model it is. `openai/gpt-5` at anybody else is a product of
that host, at that host's price."""

_BEDROCK = re.compile(r"-v\d+(?::\d+)?$", re.ASCII)


def spellings(provider: str, model: str) -> tuple[str, ...]:
    """A model's name as it came, then with less and less around it: what the provider puts before it, its snapshot.

    Nothing but these is ever taken away, so `gpt-5-mini` is not found as `gpt-5`.
    """
    names = [model]
    beginning = _BEGINNINGS.get(provider)
    found = beginning.match(model) if beginning else None
    if found:
        bare = model[found.end() :]
        names.append(_BEDROCK.sub("", bare) if found[0].endswith(".") else bare)
    names.append(_SNAPSHOT.sub("", names[-1]))
    return tuple(dict.fromkeys(name for name in names if name))


def table_of(
    version: str,
    entries: Mapping[str, Mapping[str, ModelPrices]],
    aliases: Mapping[str, Mapping[str, str]],
    overrides: Mapping[str, ModelPrices],
) -> PriceTable:
    """A table with its identity: version, and eight hex digits of the SHA-256 of what is in it."""
    content = msgspec.json.encode((entries, aliases, overrides), order="sorted")
    digest = hashlib.sha256(content).hexdigest()[:8]
    return PriceTable(f"{version}+{digest}", version, entries, aliases, overrides)
