"""The system prompt and the tools, which logs do not hold: how large they were, told from what the provider counted.

A provider's count of a request is what its texts are worth, times a factor, plus the part that no log shows. Over the turns
of a conversation the first grows and the second stays, so the growth tells the factor, and what is left the size of the
missing part. Both by medians: a picture, or thinking that is dropped later, bends a mean. The part is then stood in for by
a tool of that size, which no edit can touch and which every cached prefix begins with.
"""

import re
from collections.abc import Iterable, Mapping
from statistics import median
from typing import NamedTuple

from tokenpak.cli.estimate.turns import Turn
from tokenpak.core.body.model import IMAGE_SIZE
from tokenpak.core.pipeline import CHARS_PER_TOKEN

LEAST_PAIRS = 4
"""Pairs of turns below which growth tells nothing, and tokens are taken to be worth what they are by size."""
LEAST, MOST = 0.6, 2.5
"""Factors outside of which something else was measured."""
GROWN = 500
"""Tokens by size that a pair must be apart."""
LARGEST = 150_000
"""Tokens of a missing part beyond which it is no system prompt."""

_UNREAD = re.compile(rb'"(signature|encrypted_content|data)": ?"([^"\\]{64,})"')
"""What is sealed, and pictures: neither is text."""

Sizes = dict[str, list[tuple[int, int]]]
"""By conversation: tokens by size, and as the provider counted, of each turn that has a count."""


class Heads(NamedTuple):
    """sizes: tokens, by size, of the missing part of each conversation for which it could be told."""

    sizes: Mapping[str, int]


def weight(raw: bytes) -> int:
    """Characters of an item as a model reads it, about."""
    lost = 0
    for match in _UNREAD.finditer(raw):
        lost += len(match[2]) - (IMAGE_SIZE if match[1] == b"data" else 0)
    return len(raw) - lost


def counted(turn: Turn) -> int | None:
    """The input tokens of a turn, as its provider counted them."""
    if turn.usage is None:
        return turn.total
    usage = turn.usage
    classes = (usage.uncached, usage.cache_read, usage.cache_write_5m, usage.cache_write_1h, usage.cache_write_other)
    return sum(tokens or 0 for tokens in classes) or None


def sized(turns: Iterable[Turn]) -> Sizes:
    """What each turn weighs, next to what its provider counted."""
    weights: dict[bytes, int] = {}
    out: Sizes = {}
    for turn in turns:
        total = counted(turn)
        if total is not None:
            parts = (turn.tools, turn.system, *turn.items)
            size = sum(_remembered(weights, part) for part in parts) // CHARS_PER_TOKEN
            out.setdefault(turn.conversation, []).append((size, total))
    return out


def heads(sizes: Sizes) -> Heads:
    """The missing parts of a file's conversations."""
    pairs = [pair for told in sizes.values() for pair in zip(told, told[len(told) // 2 :], strict=False)]
    grown = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[0] - a[0] >= GROWN]
    factor = median(grown) if len(grown) >= LEAST_PAIRS else 1.0
    factor = factor if LEAST <= factor <= MOST else 1.0
    missing = {name: median(total / factor - size for size, total in told) for name, told in sizes.items()}
    return Heads({name: min(LARGEST, round(size)) for name, size in missing.items() if size > 0})


def _remembered(weights: dict[bytes, int], raw: bytes) -> int:
    if raw not in weights:
        weights[raw] = weight(raw)
    return weights[raw]
