"""The worker's side of a job: body, policy and known forms in, patch out.

All state here is a saving of time. What was read of a body's units, where changes lie in their bytes, and the
conversations walked last are kept within bounds; with any of it gone the same patch comes out, later.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator, MutableMapping
from typing import Protocol

import msgspec

from tokenpak.core.body import Unit, Unreadable, View, read
from tokenpak.core.body.model import blocks_of
from tokenpak.core.conversation import Conversation
from tokenpak.core.footprint import footprint_of
from tokenpak.core.lines import Lines, taken_apart
from tokenpak.core.patch import Change, Edit, Job, Patch
from tokenpak.core.pipeline import CHARS_PER_TOKEN, decide, patch_of, untouched
from tokenpak.core.plan import plan_of
from tokenpak.core.splice import BadEdits
from tokenpak.services.newest import Newest
from tokenpak.services.tokens import ESTIMATE

UNIT_BYTES = 24 * 2**20
PLACED_BLOCKS = 8192
LINE_CHARS = 4 * 2**20
CONVERSATIONS = 24
CONVERSATION_CHARS = 12 * 2**20
_UNIT_COST = 512
"""Characters that stand for a unit's own size in the bound."""


_SIGNED = re.compile(rb'"(?:signature|encrypted_content)": ?"([^"\\]*)"')
"""What a provider signs or seals for itself in a model's thinking. In a text the quotation marks would be escaped."""

_Where = tuple[bytes, int]
_Placed = tuple[tuple[Change, ...], tuple[Edit, ...]]


class Counter(Protocol):
    """Token counts with bounds, and the name of the tokenizer behind them."""

    @property
    def name(self) -> str:
        """The tokenizer's name, or "estimate"."""

    def at_least(self, text: str, /) -> int:
        """A lower bound."""

    def at_most(self, text: str, /) -> int:
        """An upper bound."""


class Compressor:
    """Answers jobs one after the other."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._units = Units(UNIT_BYTES)
        self._placed: Newest[_Where, _Placed] = Newest(PLACED_BLOCKS)
        self._lines = TakenApart(LINE_CHARS)
        self._conversations: list[Conversation] = []

    def run(self, job: Job, body: bytes) -> Patch:
        """The patch for a body. A body that cannot be read exactly gets none, with the reason."""
        try:
            view = read(job.format, body, self._units)
            plan, warm = plan_of(job.forms), self._conversations
            decided = decide(view, job.policy, plan, self._counter, warm=warm, take_apart=self._lines)
            patch = patch_of(body, decided, self._counter.name, self._placed)
        except Unreadable as unreadable:
            return untouched(body, str(unreadable), self._counter.name)
        except BadEdits:
            return untouched(body, "bad_plan", self._counter.name)
        self._keep(decided.conversation)
        counted = self._counted(view, body) if job.count else None
        footprint = footprint_of(view, decided.decisions)
        return msgspec.structs.replace(patch, footprint=footprint, counted=counted)

    def _counted(self, view: View, body: bytes) -> int | None:
        """Tokens of a request as it came, from its texts; what is no text is taken by its size, signatures left out, which
        no model reads. None without vocabulary.
        """
        if self._counter.name == ESTIMATE:
            return None
        texts = [text.text for block in blocks_of(view) for text in block.texts]
        rest = (
            sum(block.size for block in blocks_of(view)) - sum(map(len, texts)) - sum(map(len, _SIGNED.findall(body)))
        )
        return sum(map(self._counter.at_most, texts)) + max(0, rest) // CHARS_PER_TOKEN

    def _keep(self, conversation: Conversation) -> None:
        """Newest first; the oldest go when there are too many or they hold too much."""
        kept = [conversation, *(each for each in self._conversations if each is not conversation)][:CONVERSATIONS]
        while len(kept) > 1 and sum(each.size for each in kept) > CONVERSATION_CHARS:
            kept.pop()
        self._conversations = kept

    def statistics(self) -> dict[str, int]:
        """What is held: units and their characters, placed blocks, conversations."""
        return {
            "units": len(self._units),
            "unit_chars": self._units.size,
            "placed": len(self._placed),
            "conversations": len(self._conversations),
        }


class Units(MutableMapping[bytes, Unit]):
    """Units by key, the least recently used ones forgotten beyond a bound on their characters."""

    def __init__(self, bound: int) -> None:
        self._bound, self.size = bound, 0
        self._units: OrderedDict[bytes, Unit] = OrderedDict()

    def __getitem__(self, key: bytes) -> Unit:
        self._units.move_to_end(key)
        return self._units[key]

    def __setitem__(self, key: bytes, unit: Unit) -> None:
        self._units[key] = unit
        self.size += _chars(unit)
        while self.size > self._bound and len(self._units) > 1:
            self.size -= _chars(self._units.popitem(last=False)[1])

    def __delitem__(self, key: bytes) -> None:
        self.size -= _chars(self._units.pop(key))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)


def _chars(unit: Unit) -> int:
    return _UNIT_COST + sum(block.size for block in unit.blocks)


class TakenApart:
    """Texts taken apart, the least recently used ones forgotten beyond a bound on their characters.

    The same text comes again in another conversation: a fork, a sub-agent, a history cut short.
    """

    def __init__(self, bound: int) -> None:
        self._bound, self._size = bound, 0
        self._known: OrderedDict[str, Lines] = OrderedDict()

    def __call__(self, text: str) -> Lines:
        """The lines of a text."""
        known = self._known.get(text)
        if known is not None:
            self._known.move_to_end(text)
            return known
        self._known[text] = lines = taken_apart(text)
        self._size += len(text)
        while self._size > self._bound and len(self._known) > 1:
            self._size -= len(self._known.popitem(last=False)[0])
        return lines
