"""What was saved in a request, by whom and by what: a counterfactual bill minus the one that came.

Three worlds are priced by one ledger: the request as the client sent it; the same with our edits and the client's own
cache marks; and what was sent, with marks of ours. The first minus the second is what compression saved, the second minus
the third what our marks saved (or cost, on the request that writes). They stand on lines of their own: a line has one
cause and one mechanism, and lines are not added up.

The difficulty is that the cache model only expects. So where the provider says how much of what was sent it read, that is
taken for all three worlds, except where the model itself tells them apart; and all are scaled so that what was sent comes
to the provider's own total. What a provider's cache saved is never the model's word: that line is the provider's own
usage, and there is none without. Source: DESIGN section 5; docs/ledger.md works an example.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import add
from typing import Final, Literal, NamedTuple

import msgspec

from tokenpak.core.cost import ModelPrices, cost, input_cost
from tokenpak.core.ledger import Life, Prefix, Rules, Used, used_from
from tokenpak.core.patch import Footprint
from tokenpak.core.replies.reading import Usage

Cause = Literal["proxy", "client", "unclassified"]
Mechanism = Literal["compression", "response_cache", "provider_cache", "cache_marks", "routing"]
Basis = Literal["provider", "count", "estimate"]
CacheOrigin = Literal["proxy", "client", "unknown"]
"""Who brought a cache hit about: our own response cache, marks of the client's, or nobody can tell."""
Miss = Literal["client_edit", "our_edit", "expired", "model_changed", "tools_changed", "provider"]
"""Why a prefix was not read that had been there. client_edit: the client changed what stood before, the setting of the
request, or its marks no longer reach back. our_edit: a block was sent in another form than before. tools_changed: tools or
the system's text. provider: nothing was changed, and it should have lived."""


class SavingLine(msgspec.Struct, frozen=True):
    """One line. tokens: of the model's. nanos: nano-dollars, None without a price; below zero: dearer. spread_nanos: ±."""

    cause: Cause
    mechanism: Mechanism
    basis: Basis
    tokens: int | None = None
    nanos: int | None = None
    spread_nanos: int | None = None


class World(NamedTuple):
    """A request as it might have been sent: its prefixes, and marks by the index of their block."""

    prefixes: Sequence[Prefix]
    marks: Mapping[int, Life]


class Worlds(NamedTuple):
    """As the client sent it; with our edits; with our marks too, which is what was sent."""

    original: World
    compressed: World
    sent: World


class Founds(NamedTuple):
    """The index of the longest prefix that each world finds in its cache."""

    original: int | None
    compressed: int | None
    sent: int | None


class Scale(NamedTuple):
    """token: the model's tokens for one estimated. factor: for one of the counter's. spread: the factor's, relative (±)."""

    token: float = 1.0
    factor: float = 1.0
    spread: float = 0.35


class Bill(NamedTuple):
    """Input tokens by class in each world, in the model's tokens."""

    original: Used
    compressed: Used
    sent: Used


class Billed(NamedTuple):
    """What a reply was billed by: the usage the provider reported, and its model's prices; None where there are none.

    searches: of the web, billed by the piece.
    """

    usage: Usage | None
    prices: ModelPrices | None
    searches: int | None = None


NEAR: Final = 0.02
"""Share of a prompt by which a reading may differ from what was expected and still be the same prefix."""


COUNTED: Final = 0.08
"""Share by which tokens removed may be more than was counted: edits are counted as saving at least so much, and parts of the
requests that a factor is learned from are taken by their size. Chosen on the recorded sessions, each of which then lies
inside its own ± (tests/services/test_accounts_references.py); nothing was held back to try it on."""


class Setting(NamedTuple):
    """What a request's cache depends on beside its blocks, and the marks that are no block's.

    scope: of all entries. history: of those behind tools and system, besides. ours: positions of our marks. mark: the
    client's, on the request itself.
    """

    scope: bytes = b""
    history: bytes = b""
    ours: Sequence[int] = ()
    mark: Life | None = None


def worlds(footprint: Footprint, setting: Setting, scale: Scale) -> Worlds:
    """The worlds of a request. Without edits they share their prefixes: this runs in the front, for every request twice."""
    blocks, head = footprint.blocks, footprint.head
    theirs: dict[int, Life] = dict(footprint.marks)
    if setting.mark is not None and blocks:
        theirs.setdefault(len(blocks) - 1, setting.mark)
    scopes = [setting.scope] * head + [setting.scope + setting.history] * (len(blocks) - head)
    left = [block.tokens * scale.token for block in blocks]
    sent = _prefixes(map(add, scopes, [block.sent for block in blocks]), left)
    original = sent
    if any(block.saved or block.chain != block.sent for block in blocks):
        before = [size + block.saved * scale.factor for size, block in zip(left, blocks, strict=True)]
        original = _prefixes(map(add, scopes, [block.chain for block in blocks]), before)
    placed: dict[int, Life] = {**dict.fromkeys(setting.ours, "5m"), **theirs}
    return Worlds(World(original, theirs), World(sent, theirs), World(sent, placed))


def _prefixes(digests: Iterable[bytes], sizes: Iterable[float]) -> list[Prefix]:
    return list(map(Prefix, digests, map(round, accumulate(sizes))))


def seen(expected: Founds, worlds_: Worlds, rules: Rules, read: int | None) -> Founds:
    """What each world found, once the provider has said how many tokens of what was sent it `read`.

    Where that is what was expected, the expectation stands. Else every world that was expected to find what the sent one
    found has found what that really did, as far as its marks reach; a world that was expected to find something else
    keeps its expectation.
    """
    if read is None:
        return expected
    sent = worlds_.sent
    total = sent.prefixes[-1].tokens if sent.prefixes else 0
    hoped = sent.prefixes[expected.sent].tokens if expected.sent is not None else 0
    if bool(hoped) == bool(read) and abs(hoped - read) <= max(NEAR * total, rules.step):
        return expected
    real = _index_at(sent.prefixes, read)
    pairs = zip(expected, worlds_, strict=True)
    return Founds(*(_reached(real, world, sent, rules) if found == expected.sent else found for found, world in pairs))


def _index_at(prefixes: Sequence[Prefix], read: int) -> int | None:
    """The prefix that comes nearest to so many tokens; None where that is the empty one."""
    above = bisect_left(prefixes, read, key=lambda prefix: prefix.tokens)
    around = range(max(0, above - 1), min(len(prefixes), above + 1))
    nearest = min(around, key=lambda index: abs(prefixes[index].tokens - read), default=None)
    return nearest if nearest is not None and abs(prefixes[nearest].tokens - read) < read else None


def _reached(real: int | None, world: World, sent: World, rules: Rules) -> int | None:
    """How much a world reads of a prefix that was there and that the sent world has read: as far as its own marks reach."""
    if real is None or rules.places == "blocks" or world.marks == sent.marks:
        return real
    if any(real <= mark <= real + rules.lookback for mark in world.marks):
        return real
    before = (mark for mark in world.marks if mark < real and world.prefixes[mark].tokens >= rules.minimum)
    return max(before, default=None)


def bill(found: Founds, worlds_: Worlds, rules: Rules) -> Bill:
    """Every world's input by class."""
    return Bill(*(used_from(index, w.prefixes, w.marks, rules) for index, w in zip(found, worlds_, strict=True)))


def nanos_of(used: Used, prices: ModelPrices | None) -> int | None:
    """What this input costs, in nano-dollars; None where a class that was used has no price."""
    return input_cost(Usage(*msgspec.structs.astuple(used)), prices) if prices else None


def reported(usage: Usage) -> Used:
    """The input a provider reported, as the ledger's classes."""
    classes = (usage.uncached, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.cache_write_other)
    return Used(*(tokens or 0 for tokens in classes))


def saving_lines(told: Bill, worlds_: Worlds, rules: Rules, scale: Scale, billed: Billed) -> tuple[SavingLine, ...]:
    """The lines of a request that was sent.

    A request without edits and marks of ours has no line whose cause is the proxy, whatever the provider reports.
    """
    lines = (
        _compression(told, rules, scale, billed.prices),
        _cache_marks(told, worlds_, billed),
        _provider_cache(told, worlds_, rules, billed),
    )
    return tuple(line for line in lines if line is not None)


def recalled(billed: Billed) -> SavingLine | None:
    """The line of a request that our own response cache answered: all that the stored reply was billed when it came.

    None where its usage is not known. tokens: of input and output.
    """
    usage = billed.usage
    if usage is None:
        return None
    nanos = cost(usage, billed.prices, billed.searches) if billed.prices else None
    tokens = reported(usage).total + (usage.output or 0)
    return SavingLine("proxy", "response_cache", "provider", tokens, nanos, None if nanos is None else 0)


def hit_alone(billed: Billed) -> SavingLine | None:
    """The line of a hit on a body that nobody read here: it happened, and whose doing it was is not known."""
    return _hit("unclassified", billed)


def _compression(told: Bill, rules: Rules, scale: Scale, prices: ModelPrices | None) -> SavingLine | None:
    removed = told.original.total - told.compressed.total
    if not removed:
        return None
    nanos = _difference(told.original, told.compressed, prices)
    return SavingLine("proxy", "compression", "estimate", removed, nanos, _spread(nanos, told, rules, scale, prices))


def _spread(nanos: int | None, told: Bill, rules: Rules, scale: Scale, prices: ModelPrices | None) -> int | None:
    """The ± of compression: of the factor and of the counts it scales, and a step where a hit is told in steps only."""
    if nanos is None:
        return None
    step = rules.step if rules.step > 1 and told.original.read else 0
    blurred = _difference(Used(uncached=step), Used(read=step), prices) or 0
    return round(abs(nanos) * (scale.spread + COUNTED) + abs(blurred))


def _cache_marks(told: Bill, worlds_: Worlds, billed: Billed) -> SavingLine | None:
    """Against what was billed, where that was reported; without marks of the client's there is then nothing to estimate."""
    if worlds_.sent.marks == worlds_.compressed.marks:
        return None
    came = told.sent if billed.usage is None else reported(billed.usage)
    exact = billed.usage is not None and not worlds_.compressed.marks
    nanos = _difference(told.compressed, came, billed.prices)
    spread = _off(told, billed) if nanos is not None and not exact else None if nanos is None else 0
    read = came.read - told.compressed.read
    return SavingLine("proxy", "cache_marks", "provider" if exact else "estimate", read, nanos, spread)


def _provider_cache(told: Bill, worlds_: Worlds, rules: Rules, billed: Billed) -> SavingLine | None:
    """What the provider's cache saved without us: all that it read, or, with marks of ours, what it would have without."""
    own = worlds_.compressed.marks
    cause: Cause = "client" if own and rules.places == "marks" else "unclassified"
    if worlds_.sent.marks == own:
        return _hit(cause, billed)
    if billed.usage is None or not billed.usage.cache_read or not told.compressed.read:
        return None
    nanos = _difference(Used(uncached=told.compressed.total), told.compressed, billed.prices)
    return SavingLine(cause, "provider_cache", "estimate", told.compressed.read, nanos, _off(told, billed))


def _hit(cause: Cause, billed: Billed) -> SavingLine | None:
    """Everything at the price of plain input, minus what came; None where the provider reports no hit."""
    if billed.usage is None or not billed.usage.cache_read:
        return None
    came = reported(billed.usage)
    nanos = _difference(Used(uncached=came.total), came, billed.prices)
    return SavingLine(cause, "provider_cache", "provider", came.read, nanos, None if nanos is None else 0)


def _off(told: Bill, billed: Billed) -> int | None:
    """By how much the ledger misses what was really billed for what was sent, in nano-dollars; None without a bill."""
    nanos = None if billed.usage is None else _difference(told.sent, reported(billed.usage), billed.prices)
    return None if nanos is None else abs(nanos)


def _difference(before: Used, after: Used, prices: ModelPrices | None) -> int | None:
    bills = [nanos_of(used, prices) for used in (before, after)]
    return None if bills[0] is None or bills[1] is None else bills[0] - bills[1]
