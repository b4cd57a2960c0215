"""What a session costs with and without TokenPak: both bodies of each turn under the provider's cache rules.

The unit is one uncached input token. Tokens are counted by the product's tokenizer, caches are kept by the embedded
provider's rules, turns follow each other within a cache's life. Output is left out: it is the same on both sides.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tokenpak.core.patch import Format
from tokenpak.mock_provider import anthropic, openai_chat, openai_responses
from tokenpak.mock_provider.app import usage_of
from tokenpak.mock_provider.cache import PER_BLOCK, PER_IMAGE, Block, Shelf, Step, Used, begin, prefixes
from tokenpak.services.tokens import Counter

_PROMPTS = {
    Format.ANTHROPIC: anthropic.prompt,
    Format.OPENAI_CHAT: openai_chat.prompt,
    Format.OPENAI_RESPONSES: openai_responses.prompt,
}


class Prices(msgspec.Struct, frozen=True):
    """Relative prices of the input classes, and an example: dollars for a million uncached input tokens of a model."""

    read: float
    write_5m: float
    write_1h: float
    model: str
    dollars: float


PRICES = {
    Format.ANTHROPIC: Prices(0.1, 1.25, 2.0, "claude-sonnet-4-5", 3.00),
    Format.OPENAI_CHAT: Prices(0.1, 1.0, 1.0, "gpt-4.1", 2.00),
    Format.OPENAI_RESPONSES: Prices(0.1, 1.0, 1.0, "gpt-5.1", 1.25),
}
"""For the demonstration only: examples, and no claim about what a provider charges today."""


def units(used: Used, prices: Prices) -> float:
    """A bill in uncached input tokens."""
    writes = used.write_5m * prices.write_5m + used.write_1h * prices.write_1h
    return used.uncached + used.read * prices.read + writes


class Side(msgspec.Struct):
    """Sums over the turns of a session, either as the client sent it or as the provider received it."""

    tokens: int = 0
    last: int = 0
    bill: float = 0.0


class Ledger:
    """Both sides of one session, turn by turn, and whether the received prompts stay prefixes of each other."""

    def __init__(self, fmt: Format, counter: Counter) -> None:
        self.without, self.with_it = Side(), Side()
        self.pairs = self.breaks = 0
        self._format, self._counter = fmt, counter
        self._shelves = (Shelf(), Shelf())
        self._before: tuple[Sequence[Step], Sequence[Step]] | None = None

    def turn(self, sent: dict[str, Any], received: dict[str, Any]) -> bool:
        """Book one turn. False when the received prompt breaks a prefix that the client's own prompts keep."""
        ours = self._steps(sent)
        theirs = ours if received is sent else self._steps(received)
        for side, body, steps, shelf in (
            (self.without, sent, ours, self._shelves[0]),
            (self.with_it, received, theirs, self._shelves[1]),
        ):
            reading = usage_of(self._format.value, shelf, body, steps, 0.0)
            begin(shelf, reading, 0.0)
            side.last = reading.used.total
            side.tokens += side.last
            side.bill += units(reading.used, PRICES[self._format])
        kept = self._before is None or common(self._before[1], theirs) >= common(self._before[0], ours)
        self.pairs += self._before is not None
        self.breaks += not kept
        self._before = (ours, theirs)
        return kept

    def _steps(self, body: dict[str, Any]) -> list[Step]:
        return prefixes(b"", _PROMPTS[self._format](body), self._weight)

    def _weight(self, block: Block) -> int:
        return self._counter(block.text) + PER_BLOCK + PER_IMAGE * block.images


def common(one: Sequence[Step], other: Sequence[Step]) -> int:
    """Blocks in the longest common prefix."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a.digest != b.digest:
            break
        count += 1
    return count
