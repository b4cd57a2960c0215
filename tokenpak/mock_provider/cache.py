"""A provider's prompt cache, kept by the published rules: what a request reads, what it writes, for how long.

A prompt is a sequence of blocks; an entry stands for a prefix of it, named by a hash over the keys of its blocks. Two
kinds of provider differ in where entries may be: at the marks a request carries (Anthropic), or anywhere (OpenAI).
The difficulty is time. What a request reads is settled when it arrives, but its own entries become readable only when
its response begins: so `ask` changes nothing, and `begin` writes. A request that fails before writes nothing.

Not simulated: matches that end inside a block, routing of requests to machines, and explicit breakpoints of OpenAI.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

Life = Literal["5m", "1h"]

LIFE_S: dict[Life, float] = {"5m": 300.0, "1h": 3600.0}
LOOKBACK = 20
"""Blocks before a mark at which an older entry is still found."""
MAX_MARKS = 4
AUTOMATIC_MINIMUM = 1024
AUTOMATIC_STEP = 128
AUTOMATIC_IDLE_S = 600.0
"""The upper end of "5 to 10 minutes of inactivity"."""
AUTOMATIC_LONG_S = 86_400.0
CAPACITY = 1_000_000
"""Entries kept; the least recently used go first. About 150 bytes each."""

BYTES_PER_TOKEN = 4
PER_BLOCK = 4
PER_IMAGE = 1500


class Block(msgspec.Struct, frozen=True):
    """One block of a prompt. key: all that a provider hashes. text: what a model reads. images: pictures and documents.

    mark: the life of the cache mark on it, if it carries one.
    """

    key: bytes
    text: str
    images: int = 0
    mark: Life | None = None


Weight = Callable[[Block], int]


def estimate(block: Block) -> int:
    """The mock's own token count, a fixed estimate: bytes of text / 4, and a few for framing and for each image."""
    size = len(block.text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_PER_TOKEN) + PER_BLOCK + PER_IMAGE * block.images


class Used(msgspec.Struct, frozen=True):
    """Input tokens of one request, in disjoint classes."""

    uncached: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.write_5m + self.write_1h


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A prefix to keep: its hash, its tokens, and how long it lives after each use, in seconds."""

    digest: bytes
    tokens: int
    life_s: float


class Reading(msgspec.Struct, frozen=True):
    """What a request uses, the entry it reads, and the entries it leaves once its response begins."""

    used: Used
    found: bytes | None
    entries: tuple[Entry, ...]


class _Kept(msgspec.Struct):
    tokens: int
    life_s: float
    until: float


class Statistics(msgspec.Struct, frozen=True):
    """Entries held now; entries dropped for room since the start."""

    entries: int
    dropped: int


class Shelf:
    """Entries by hash, each with its time of death. Every use puts death off again."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._capacity = capacity
        self._dropped = 0

    def tokens_of(self, digest: bytes, now: float) -> int | None:
        """Tokens of a prefix that is alive, else None."""
        kept = self._kept.get(digest)
        return kept.tokens if kept is not None and now < kept.until else None

    def use(self, digest: bytes, now: float) -> None:
        """A prefix was read: it lives on from now."""
        kept = self._kept.get(digest)
        if kept is not None and now < kept.until:
            kept.until = now + kept.life_s
            self._kept.move_to_end(digest)

    def keep(self, entry: Entry, now: float) -> None:
        """Write an entry, or renew it; a longer life already bought is not shortened."""
        old = self._kept.pop(entry.digest, None)
        life = max(entry.life_s, old.life_s) if old is not None and now < old.until else entry.life_s
        self._kept[entry.digest] = _Kept(entry.tokens, life, now + life)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
            self._dropped += 1

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def statistics(self) -> Statistics:
        """Counts for the admin path."""
        return Statistics(len(self._kept), self._dropped)


class Step(msgspec.Struct, frozen=True, array_like=True):
    """The prefix that ends with one block: its hash, its tokens, the mark on the block."""

    digest: bytes
    tokens: int
    mark: Life | None


def prefixes(scope: bytes, blocks: Sequence[Block], weight: Weight) -> list[Step]:
    """Every prefix of a prompt, shortest first. scope: what else an entry depends on (model, account)."""
    digest, tokens, out = hashlib.blake2b(scope, digest_size=16).digest(), 0, []
    for block in blocks:
        digest = hashlib.blake2b(digest + block.key, digest_size=16).digest()
        tokens += weight(block)
        out.append(Step(digest, tokens, block.mark))
    return out


def ask_marked(shelf: Shelf, steps: Sequence[Step], minimum: int, now: float) -> Reading:
    """A request under Anthropic's rules: entries are written and looked up at marks only, each looking back 20 blocks.

    minimum: the smallest prefix, in tokens, that the model caches; below it a mark does nothing.
    """
    marks = [i for i, step in enumerate(steps) if step.mark is not None][-MAX_MARKS:]
    found, read = _longest_behind(shelf, steps, marks, now)
    written = [steps[i] for i in marks if steps[i].tokens >= minimum]
    reach: dict[Life, int] = {"5m": read, "1h": read}
    for step in written:
        if step.mark is not None:
            reach[step.mark] = max(reach[step.mark], step.tokens)
    total = steps[-1].tokens if steps else 0
    write_1h = reach["1h"] - read
    write_5m = max(0, reach["5m"] - reach["1h"])
    used = Used(total - read - write_1h - write_5m, read, write_5m, write_1h)
    return Reading(used, found, tuple(Entry(s.digest, s.tokens, LIFE_S[s.mark]) for s in written if s.mark))


def _longest_behind(shelf: Shelf, steps: Sequence[Step], marks: Sequence[int], now: float) -> tuple[bytes | None, int]:
    for mark in reversed(marks):
        for step in reversed(steps[max(0, mark - LOOKBACK) : mark + 1]):
            tokens = shelf.tokens_of(step.digest, now)
            if tokens is not None:
                return step.digest, tokens
    return None, 0


def ask_automatic(shelf: Shelf, steps: Sequence[Step], life_s: float, now: float) -> Reading:
    """A request under OpenAI's rules: the longest known prefix of at least 1,024 tokens, in steps of 128."""
    total = steps[-1].tokens if steps else 0
    entries = tuple(Entry(s.digest, s.tokens, life_s) for s in steps if s.tokens >= AUTOMATIC_MINIMUM)
    for step in reversed(steps):
        tokens = shelf.tokens_of(step.digest, now)
        if tokens is not None:
            read = tokens - tokens % AUTOMATIC_STEP
            return Reading(Used(total - read, read), step.digest, entries)
    return Reading(Used(total), None, entries)


def begin(shelf: Shelf, reading: Reading, now: float) -> None:
    """The response begins: what was read lives on, what was written can be read."""
    if reading.found is not None:
        shelf.use(reading.found, now)
    for entry in reading.entries:
        shelf.keep(entry, now)
