"""Providers' prompt caches by their published rules: what a request reads, what it writes, what that costs.

A prompt is a sequence of blocks in the provider's order: tools, system, messages. An entry stands for a prefix of it,
named by a hash over the keys of its blocks. Providers differ in where entries may stand (at marks, or behind any block),
how a prefix is looked for, and what writing costs; all of that is data, a `Rules` value. Sources: `facts/providers.md`.

The difficulty is time. What a request reads is settled when it arrives, but what it writes can be read only once its
response begins. So `ask` changes nothing and names the entries; `begun` puts them in, when the caller says so. The clock
is an argument, in seconds of any origin, and so is the cache: nothing here remembers.

Not modelled: matches that end inside a block, and which machine a request is routed to (let `scope` tell them apart).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from tokenpak.core.cost import ModelPrices

Life = Literal["5m", "30m", "1h", "24h"]
"""How long an entry lives after it was written or last read."""

LIFE_S: dict[Life, float] = {"5m": 300.0, "30m": 1800.0, "1h": 3600.0, "24h": 86_400.0}

LOOKBACK = 20
"""Blocks before a mark at which Anthropic still finds an older entry."""
MAX_MARKS = 4
"""Marks of one Anthropic request; a fifth is an error there, and does nothing here."""

MINIMUM = 1024
MINIMUM_OF = {
    "claude-opus-5": 512,
    "claude-fable-5": 512,
    "claude-mythos-5": 512,
    "claude-opus-4-7": 2048,
    "claude-opus-4-6": 4096,
    "claude-opus-4-5": 4096,
    "claude-haiku-4-5": 4096,
    "claude-3-5-haiku": 2048,
    "claude-3-haiku": 2048,
    "gemini-2.5": 2048,
    "gemini-3": 4096,
}
"""The smallest prefix, in tokens, that is cached. The first family a model's name starts with decides. Sources disagree;
these are the later ones, which agree with each other."""


class Prices(msgspec.Struct, frozen=True):
    """Prices of input tokens, in units of an uncached one."""

    uncached: float = 1.0
    read: float = 0.1
    write_5m: float = 1.25
    write_1h: float = 2.0
    write_other: float = 1.25


_GPT = re.compile(r"gpt-(\d+)(?:\.(\d+))?(?![\d.])")

PRICES = Prices()
"""The usual multiples, for a model whose prices nobody stated."""


class Rules(msgspec.Struct, frozen=True):
    """How a provider caches. places: where entries may stand; "marks" are the request's own.

    step: reads and writes count in multiples of it. lookback: blocks before a place at which an entry is found.
    looks, writes: how many of the latest places are looked at and written; None: all. life: of entries that no mark
    gives one. oldest_s: an entry ends this long after it was written, however often it is read. billed: the class of
    written tokens: that of the mark's life, "other", or none because writing is free.
    """

    places: Literal["marks", "blocks"]
    minimum: int = MINIMUM
    step: int = 1
    lookback: int = 0
    looks: int | None = None
    writes: int | None = None
    life: Life = "5m"
    oldest_s: float | None = None
    billed: Literal["life", "other", "free"] = "life"


ANTHROPIC = Rules("marks", lookback=LOOKBACK, looks=MAX_MARKS, writes=MAX_MARKS)
ANTHROPIC_EVERYWHERE = Rules("blocks")
"""What perfect marks would do: everything sent is written, every prefix is found."""
OPENAI = Rules("blocks", step=128, life="5m", oldest_s=3600.0, billed="free")
"""Before GPT-5.6. Idle entries go after 5 to 10 minutes; the shorter time is the one to reckon with."""
OPENAI_24H = Rules("blocks", step=128, life="24h", billed="free")
OPENAI_PAID = Rules("blocks", step=128, life="30m", billed="other")
"""GPT-5.6 and later, implicit mode: written tokens are charged."""
OPENAI_MARKED = Rules("marks", step=128, looks=80, writes=MAX_MARKS, life="30m", billed="other")
"""The same, explicit mode: `prompt_cache_breakpoint` on blocks, no look-back."""
GEMINI = Rules("blocks", life="5m", oldest_s=3600.0, billed="free")
"""The implicit cache; writing is free, and nothing is promised. How long it lives is not published."""
UNKNOWN = Rules("blocks", minimum=0, billed="free")
"""A provider of which nothing is known: no hit is expected, and one that it reports is taken as it is."""

_OPENAI_PAID_FROM = (5, 6)


def rules_of(provider: str, model: str) -> Rules | None:
    """How a provider caches for a model; None where nothing is known, and then no cache is claimed."""
    if provider == "anthropic":
        return msgspec.structs.replace(ANTHROPIC, minimum=minimum_of(model))
    if provider == "google":
        return msgspec.structs.replace(GEMINI, minimum=minimum_of(model))
    if provider != "openai":
        return None
    version = _GPT.match(model)
    paid = version is not None and (int(version[1]), int(version[2] or 0)) >= _OPENAI_PAID_FROM
    return OPENAI_PAID if paid else OPENAI


class Block(NamedTuple):
    """One block of a prompt. key: all that the provider hashes of it. tokens: as the provider counts. mark: on it."""

    key: bytes
    tokens: int
    mark: Life | None = None


class Prefix(NamedTuple):
    """The prompt up to and including one block: its hash and its tokens."""

    digest: bytes
    tokens: int


class Prompt(msgspec.Struct, frozen=True):
    """A request as its cache sees it. scope: what every entry depends on (model, account, `prompt_cache_key`).

    head: blocks of tools and system. history: what entries behind the head depend on besides (`tool_choice`, thinking).
    mark: a mark on the request itself, which the provider puts on the last block.
    """

    blocks: tuple[Block, ...]
    scope: bytes = b""
    head: int = 0
    history: bytes = b""
    mark: Life | None = None


class Entry(msgspec.Struct, frozen=True):
    """A prefix that is kept. tokens: its length. life_s: after each use. born, until: on the caller's clock."""

    tokens: int
    life_s: float
    born: float
    until: float


Cache = Mapping[bytes, Entry]
"""Entries by the hash of their prefix."""


class Used(msgspec.Struct, frozen=True):
    """Input tokens of one request, in disjoint classes."""

    uncached: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    write_other: int = 0

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.write_5m + self.write_1h + self.write_other


class Reading(msgspec.Struct, frozen=True):
    """What a request uses, and the entries it leaves (renewed or new) once its response begins."""

    used: Used
    entries: dict[bytes, Entry]
    found: int | None = None
    """Index of the longest prefix that was there."""


def minimum_of(model: str) -> int:
    """The smallest prefix cached for a model, in tokens."""
    return stated_minimum(model) or MINIMUM


def stated_minimum(model: str) -> int:
    """The smallest prefix cached for a model of a family that is listed by itself; 0 for any other."""
    return next((tokens for family, tokens in MINIMUM_OF.items() if model.startswith(family)), 0)


def relative(prices: ModelPrices) -> Prices:
    """A model's prices in units of its uncached input. A class without a price of its own has the usual multiple."""
    uncached = prices.uncached
    if not uncached:
        return PRICES
    stated = (prices.cache_read, prices.cache_write_5m, prices.cache_write_1h, prices.cache_write_other)
    usual = msgspec.structs.astuple(PRICES)[1:]
    return Prices(1.0, *(own / uncached if own is not None else its for own, its in zip(stated, usual, strict=True)))


def bill(used: Used, prices: Prices) -> float:
    """What the input of a request costs, in units of one uncached token."""
    return (
        used.uncached * prices.uncached
        + used.read * prices.read
        + used.write_5m * prices.write_5m
        + used.write_1h * prices.write_1h
        + used.write_other * prices.write_other
    )


def first_digest(scope: bytes) -> bytes:
    """The hash before the first block."""
    return hashlib.sha256(scope).digest()[:16]


def digest_after(digest: bytes, key: bytes) -> bytes:
    """The hash of a prefix, from the one before its last block and that block's key."""
    return hashlib.sha256(digest + key).digest()[:16]


def prefixes_of(prompt: Prompt) -> list[Prefix]:
    """Every prefix of a prompt, shortest first."""
    digest, tokens, out = first_digest(prompt.scope), 0, []
    for index, block in enumerate(prompt.blocks):
        if index == prompt.head and prompt.history:
            digest = digest_after(digest, prompt.history)
        digest = digest_after(digest, block.key)
        tokens += block.tokens
        out.append(Prefix(digest, tokens))
    return out


def marks_of(prompt: Prompt) -> dict[int, Life]:
    """The marks of a prompt by index of their block, in order. One on the request stands on the last block."""
    marks = {index: block.mark for index, block in enumerate(prompt.blocks) if block.mark is not None}
    if prompt.mark is not None and prompt.blocks:
        marks.setdefault(len(prompt.blocks) - 1, prompt.mark)
    return marks


def ask(cache: Cache, prefixes: Sequence[Prefix], marks: Mapping[int, Life], rules: Rules, now: float) -> Reading:
    """What a request with these prefixes and marks uses of a cache, and what it will leave there."""
    places = _places(prefixes, marks, rules)
    found = longest(cache, prefixes, _latest(places, rules.looks), rules.lookback, now)
    written = _written(prefixes, places, rules)
    entries = {prefixes[place].digest: _kept(cache, prefixes[place], places[place], now) for place in written}
    if found is not None and prefixes[found].digest not in entries:
        old = cache[prefixes[found].digest]
        entries[prefixes[found].digest] = msgspec.structs.replace(old, until=now + old.life_s)
    used = used_from(found, prefixes, marks, rules)
    return Reading(used, {key: _capped(entry, rules) for key, entry in entries.items()}, found)


def used_from(found: int | None, prefixes: Sequence[Prefix], marks: Mapping[int, Life], rules: Rules) -> Used:
    """What a request uses that reads the prefix at index `found`, or none."""
    read = _in_steps(prefixes[found].tokens, rules) if found is not None else 0
    return _classes(prefixes[-1].tokens if prefixes else 0, read, _ends(prefixes, marks, rules))


def _places(prefixes: Sequence[Prefix], marks: Mapping[int, Life], rules: Rules) -> dict[int, Life]:
    """Where entries may stand, with their lives."""
    return dict(sorted(marks.items())) if rules.places == "marks" else dict.fromkeys(range(len(prefixes)), rules.life)


def _written(prefixes: Sequence[Prefix], places: Mapping[int, Life], rules: Rules) -> list[int]:
    return [place for place in _latest(places, rules.writes) if prefixes[place].tokens >= rules.minimum]


def begun(cache: Cache, reading: Reading, now: float) -> dict[bytes, Entry]:
    """The cache once the response has begun; what has died is left out."""
    return {key: entry for key, entry in {**cache, **reading.entries}.items() if now < entry.until}


def turn(cache: Cache, prompt: Prompt, rules: Rules, now: float) -> tuple[Used, dict[bytes, Entry]]:
    """One request whose response begins at once: what it uses, and the cache after it."""
    reading = ask(cache, prefixes_of(prompt), marks_of(prompt), rules, now)
    return reading.used, begun(cache, reading, now)


def longest(cache: Cache, prefixes: Sequence[Prefix], places: Sequence[int], lookback: int, now: float) -> int | None:
    """The index of the longest living prefix at one of the places (in ascending order), or up to `lookback` before it."""
    for place in reversed(places):
        for index in range(place, max(-1, place - lookback - 1), -1):
            entry = cache.get(prefixes[index].digest)
            if entry is not None and now < entry.until:
                return index
    return None


def _latest(places: Mapping[int, Life], count: int | None) -> list[int]:
    return list(places) if count is None else list(places)[-count:]


def _in_steps(tokens: int, rules: Rules) -> int:
    return tokens - tokens % rules.step


def _kept(cache: Cache, prefix: Prefix, life: Life, now: float) -> Entry:
    """An entry written or renewed; a longer life that was bought before is not shortened."""
    old = cache.get(prefix.digest)
    if old is None or now >= old.until:
        return Entry(prefix.tokens, LIFE_S[life], now, now + LIFE_S[life])
    life_s = max(LIFE_S[life], old.life_s)
    return Entry(prefix.tokens, life_s, old.born, now + life_s)


def _capped(entry: Entry, rules: Rules) -> Entry:
    if rules.oldest_s is None or entry.until <= entry.born + rules.oldest_s:
        return entry
    return msgspec.structs.replace(entry, until=entry.born + rules.oldest_s)


def _ends(prefixes: Sequence[Prefix], marks: Mapping[int, Life], rules: Rules) -> dict[str, int]:
    """How far writing reaches, by class."""
    ends: dict[str, int] = {}
    if rules.billed == "free":
        return ends
    places = _places(prefixes, marks, rules)
    for place in _written(prefixes, places, rules):
        name = "other" if rules.billed == "other" else "1h" if places[place] == "1h" else "5m"
        ends[name] = max(ends.get(name, 0), _in_steps(prefixes[place].tokens, rules))
    return ends


def _classes(total: int, read: int, ends: Mapping[str, int]) -> Used:
    """Disjoint classes: what is read first, then what the longer life covers, then the shorter, then the rest."""
    long = max(0, ends.get("1h", 0) - read)
    short = max(0, ends.get("5m", 0) - read - long)
    other = max(0, ends.get("other", 0) - read)
    return Used(total - read - long - short - other, read, short, long, other)
