"""What requests cost and what was saved, worked out beside the traffic: the ledger with a memory and a clock.

Kept in this process alone and bounded: the entries that should lie in providers' caches, in the world of what clients sent
and in that of what was sent. Lost with a restart, they are learned again, and until then less is claimed. What each model
makes of our token counts, and how far its replies drift from what the ledger expects, is kept (services/learned).

The difficulty is order. What a request reads is settled when it arrives, what it leaves can be read once its response
begins, and what it really used is known at its end; so an account is opened at the head of a response and settled at
its end, with other requests of the conversation in between. Nothing here may fail a request: who has no account is not told
of any saving.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

import msgspec

from tokenpak.core import ledger, savings
from tokenpak.core.body import Outline
from tokenpak.core.cost import Priced, cost
from tokenpak.core.ledger import Entry, Reading, Rules, Used
from tokenpak.core.patch import CHAIN_BYTES, Footprint, Trace
from tokenpak.core.savings import Billed, CacheOrigin, Founds, Miss, SavingLine, Scale, Setting, World, Worlds
from tokenpak.core.usage import Observation, Usage
from tokenpak.services.learned import Learned
from tokenpak.services.learned_file import LearnedFile
from tokenpak.services.newest import Newest

ENTRIES = 65_536
"""Entries believed to be in caches, in each of two worlds; some 200 bytes each."""
ENDS = 8192
"""Ends of requests kept, the latest ones; some 300 bytes each."""
CONVERSATIONS = 4096
MISSED = 1024
"""Tokens not read from which on it is worth asking who caused it: the smallest prefix most providers cache."""


class Priceable(Protocol):
    """`core.cost.PriceTable`, as far as an account needs it."""

    @property
    def id(self) -> str:
        """Date and hash of the table."""

    def find(self, provider: str, model: str) -> Priced | None:
        """The prices of a model, None where it has none."""


class Told(NamedTuple):
    """What is known of a request when its response begins. ours: positions of our marks in what was sent.

    host: the provider's. credential: anything that tells apart who is billed, but never the credential itself. counted:
    tokens of the whole request as the client sent it, where a worker counted them.
    """

    provider: str
    host: str
    outline: Outline
    footprint: Footprint
    ours: Sequence[int] = ()
    credential: int = 0
    counted: int | None = None

    @property
    def model(self) -> str:
        return self.outline.model or ""


class Account(msgspec.Struct, frozen=True):
    """What the row says of a request's money; the fields are those of ipc.events.RequestClosed."""

    cache_origin: CacheOrigin | None = None
    cost_nanos: int | None = None
    price_id: str | None = None
    factor: float | None = None
    expected: Used | None = None
    miss: Miss | None = None
    miss_tokens: int | None = None
    savings: tuple[SavingLine, ...] = ()


class End(NamedTuple):
    """The end of a request, for the one that goes on from it.

    chain, head: hashes of its last block and of the last of tools and system, as the client sent them. sent: of its last
    block as it left. history: blocks behind the head. place: of the last block of the longest entry it left; left: that
    one's estimated tokens; until: when it ends, if nobody reads it. token: what those were worth, by its own reply.
    """

    model: str
    chain: bytes
    head: bytes
    sent: bytes
    history: int
    place: int
    left: float
    until: float
    token: float | None = None


class Opened(NamedTuple):
    """A request whose response has begun: what it was expected to find, and the request it seems to go on from.

    end: what its own end is kept under.
    """

    told: Told
    setting: Setting
    rules: Rules | None
    expected: Founds
    before: End | None
    at: float
    end: bytes = b""


class Accounts:
    """Opens and settles accounts. prices: the table in force. `clock`: seconds, never going back. file: of what is learned."""

    def __init__(
        self,
        prices: Callable[[], Priceable],
        clock: Callable[[], float] = time.monotonic,
        file: LearnedFile | None = None,
    ) -> None:
        self._prices, self._clock = prices, clock
        self._original: Newest[bytes, Entry] = Newest(ENTRIES)
        self._sent: Newest[bytes, Entry] = Newest(ENTRIES)
        self._ends: Newest[bytes, End] = Newest(ENDS)
        self._latest: Newest[bytes, bytes] = Newest(CONVERSATIONS)
        self.learned = Learned(clock, file)
        self._counts = {"opened": 0, "settled": 0, "unpriced": 0, "missed": 0}

    def open(self, told: Told) -> Opened:
        """The account of a request whose response begins now."""
        about, now = told.outline, self._clock()
        told = told if _is_sound(told) else told._replace(footprint=Footprint())
        payer = _hash(f"{told.provider}\n{told.host}\n{told.credential}\n{about.scope}")
        setting = Setting(_hash(told.model, payer), about.setting, told.ours, about.mark)
        rules = ledger.rules_of(told.provider, told.model)
        opened = Opened(told, setting, rules, Founds(None, None, None), None, now)
        self._counts["opened"] += 1
        if rules is None or not told.footprint.blocks:
            return opened
        scale = self.learned.scale(told.provider, told.model)
        worlds = savings.worlds(told.footprint, setting, scale)
        expected, left = self._asked(worlds, rules, now)
        before, end = self._before(told, payer), payer + told.footprint.blocks[-1].chain
        self._ends[end] = _end(told, worlds.sent, left, scale)
        self._latest[payer + about.family] = end
        return opened._replace(expected=expected, before=before, end=end)

    def settle(self, opened: Opened | None, provider: str, model: str, seen: Observation) -> Account:
        """The account at the end. opened: None for a request nothing is known of but its `provider` and `model`.

        Only what the provider reported is priced or taught. An answer that is an error and reports no usage was billed to
        nobody, and saves nothing.
        """
        table = self._prices()
        priced = _priced(table, provider, model, seen)
        usage = seen.usage if seen.basis == "provider" else None
        money = _cost(table, provider, priced, seen) if usage is not None else None
        self._counts["settled"] += 1
        self._counts["unpriced"] += usage is not None and money is None
        plain = Account(cost_nanos=money, price_id=table.id if money is not None else None)
        if opened is not None and opened.told.footprint.blocks and (usage is not None or seen.error is None):
            return self._settled(opened, plain, priced, usage)
        line = savings.hit_alone(Billed(usage, priced.prices if priced else None))
        return msgspec.structs.replace(plain, cache_origin="unknown", savings=(line,)) if line else plain

    def recalled(self, provider: str, model: str, seen: Observation) -> Account:
        """The account of a request that our own response cache answered. seen: what the tap saw when the reply came.

        It cost nothing, and nobody's cache but ours was hit.
        """
        priced = _priced(self._prices(), provider, model, seen)
        usage = seen.usage if seen.basis == "provider" else None
        line = savings.recalled(Billed(usage, priced.prices if priced else None, seen.web_searches))
        return Account(cache_origin="proxy", cost_nanos=0, savings=(line,) if line else ())

    def statistics(self) -> dict[str, object]:
        """Accounts opened and settled, replies without a price, misses; entries held; what is learned of each model, and what
        of that was known from before.
        """
        entries = len(self._original) + len(self._sent)
        learned = {"models": self.learned.statistics(), "learned": self.learned.kept()}
        return {**self._counts, "entries": entries, **learned}

    def close(self) -> None:
        """Keep what was learned for the next start."""
        self.learned.close()

    def _asked(self, worlds: Worlds, rules: Rules, now: float) -> tuple[Founds, dict[bytes, Entry]]:
        """What each world finds now, and the entries the sent one leaves; what they leave is in the caches then.

        Worlds that do not differ are asked once: most requests have no edit, and marks mean nothing to most providers.
        """
        original = _ask(self._original, worlds.original, rules, now)
        same = worlds.compressed.prefixes is worlds.original.prefixes
        compressed = original if same else _ask(self._original, worlds.compressed, rules, now)
        sent = _ask(self._sent, worlds.sent, rules, now) if rules.places == "marks" else compressed
        self._original.update(original.entries)
        self._original.update({} if same else compressed.entries)
        self._sent.update(sent.entries if rules.places == "marks" else {})
        return Founds(original.found, compressed.found, sent.found), sent.entries

    def _before(self, told: Told, payer: bytes) -> End | None:
        """The latest request whose end this one contains; else the latest of its family."""
        for trace in reversed(told.footprint.blocks):
            if payer + trace.chain in self._ends:
                return self._ends[payer + trace.chain]
        return self._ends.get(self._latest.get(payer + told.outline.family, b""))

    def _settled(self, opened: Opened, plain: Account, priced: Priced | None, usage: Usage | None) -> Account:
        told, rules = opened.told, opened.rules or ledger.UNKNOWN
        lesson = self.learned.taught(told, usage)
        worlds = savings.worlds(told.footprint, opened.setting, lesson.scale)
        expected = ledger.used_from(opened.expected.sent, worlds.sent.prefixes, worlds.sent.marks, rules)
        read = None if usage is None else usage.cache_read or 0
        told_bill = savings.bill(savings.seen(opened.expected, worlds, rules, read), worlds, rules)
        if usage is not None and opened.rules is not None:
            self.learned.compare(told, expected, usage, lesson)
        self.learned.save()
        if usage is not None and opened.end in self._ends:
            self._ends[opened.end] = self._ends[opened.end]._replace(token=lesson.scale.token)
        billed = Billed(usage, priced.prices if priced else None)
        lines = savings.saving_lines(told_bill, worlds, rules, lesson.scale, billed)
        miss, tokens = self._miss(opened, worlds, lesson.scale, usage)
        return msgspec.structs.replace(
            plain,
            cache_origin=_origin(lines, usage),
            factor=lesson.scale.factor,
            expected=expected if opened.rules is not None else None,
            miss=miss,
            miss_tokens=tokens,
            savings=lines,
        )

    def _miss(
        self, opened: Opened, worlds: Worlds, scale: Scale, usage: Usage | None
    ) -> tuple[Miss | None, int | None]:
        """Who caused it that less was read than the conversation had left, and by how many tokens."""
        told, before = opened.told, opened.before
        if before is None or usage is None or usage.cache_read is None or not _goes_on(told, before):
            return None, None
        left = min(round(before.left * (before.token or scale.token)), worlds.sent.prefixes[-1].tokens)
        lost, worth = left - usage.cache_read, max(MISSED, savings.NEAR * left)
        if lost < worth:
            return None, None
        self._counts["missed"] += 1
        if changed := _changed(told, before):
            return changed, lost
        if opened.expected.sent is not None and opened.expected.sent >= before.place:
            return "provider", lost
        return ("expired" if opened.at >= before.until else "client_edit"), lost


def _is_sound(told: Told) -> bool:
    """Whether its positions are positions. A footprint comes from a worker, and no request may fail for a worker's sake."""
    blocks, head, marks = told.footprint.blocks, told.footprint.head, told.footprint.marks
    places = (*told.ours, *(place for place, _ in marks))
    return 0 <= head <= len(blocks) and all(0 <= place < len(blocks) for place in places)


def _ask(cache: Newest[bytes, Entry], world: World, rules: Rules, now: float) -> Reading:
    known = {digest: cache[digest] for digest, _ in world.prefixes if digest in cache}
    return ledger.ask(known, world.prefixes, world.marks, rules, now)


def _end(told: Told, sent: World, left: Mapping[bytes, Entry], scale: Scale) -> End:
    blocks, head = told.footprint.blocks, told.footprint.head
    entries = ((place, left[prefix.digest]) for place, prefix in enumerate(sent.prefixes) if prefix.digest in left)
    place, entry = max(entries, default=(0, Entry(0, 0.0, 0.0, 0.0)), key=lambda each: each[0])
    history, size = len(blocks) - head, entry.tokens / scale.token
    return End(told.model, blocks[-1].chain, _head(told), blocks[-1].sent, history, place, size, entry.until)


def _goes_on(told: Told, before: End) -> bool:
    """False for another agent's request, that only began with the same words."""
    same = (before.head, before.model) == (_head(told), told.model) or _same(told, before) is not None
    return same or len(told.footprint.blocks) - told.footprint.head >= before.history


def _changed(told: Told, before: End) -> Miss | None:
    """What is not as it was up to the end of that request, by us or by the client."""
    if before.model != told.model:
        return "model_changed"
    same = _same(told, before)
    if same is None:
        return "client_edit" if before.head == _head(told) else "tools_changed"
    return "our_edit" if same.sent != before.sent else None


def _same(told: Told, before: End) -> Trace | None:
    """The block that request ended with."""
    return next((trace for trace in told.footprint.blocks if trace.chain == before.chain), None)


def _head(told: Told) -> bytes:
    """The hash of the last block of tools and system."""
    head = told.footprint.head
    return told.footprint.blocks[head - 1].chain if head else b""


def _hash(text: str, before: bytes = b"") -> bytes:
    return sha256(before + text.encode("utf-8", "surrogatepass")).digest()[:CHAIN_BYTES]


def _priced(table: Priceable, provider: str, model: str, seen: Observation) -> Priced | None:
    """The prices of the model that served. Those of the one that was asked for hold where no other is named, or where the
    user stated them.
    """
    served = table.find(provider, seen.model) if seen.model else None
    asked = served or table.find(provider, model)
    return asked if served or not seen.model or (asked and asked.source == "config") else None


def _cost(table: Priceable, provider: str, priced: Priced | None, seen: Observation) -> int | None:
    """What the reply cost, searches and passes beside it among it; None where a part of it has no price."""
    bills = [cost(seen.usage, priced.prices, seen.web_searches) if priced else None]
    for each in seen.beside:
        its = table.find(provider, each.model) if each.model else priced
        bills.append(cost(each.usage, its.prices) if its else None)
    known = [bill for bill in bills if bill is not None]
    return sum(known) if len(known) == len(bills) else None


def _origin(lines: Sequence[SavingLine], usage: Usage | None) -> CacheOrigin | None:
    if usage is None or not usage.cache_read:
        return None
    hits = [line for line in lines if line.mechanism == "provider_cache"]
    return "client" if hits and hits[0].cause == "client" else "unknown"
