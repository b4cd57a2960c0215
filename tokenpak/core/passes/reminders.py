"""Reminders that a client adds again and again: a block between a tag's lines that is the same as the one before it.

Clients put `<system-reminder>` and the like behind file contents and into user messages, word for word each time. Such a
block is known by its tag alone: "the one before" is the nearest earlier block of that tag that stands in the text itself.
"""

from collections.abc import Sequence

from tokenpak.core.markers import Repeated, render
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change
from tokenpak.core.tags import tagged

NAME = "reminders"
LEAST_SAVED = 12


def propose(index: Index, target: Target, stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay."""
    out: list[Change] = []
    for start, end in stays:
        for tag, a, b in tagged(target.text, start, end):
            text = target.text[a:b]
            if index.tagged(tag) != text:
                continue
            marker = render(target.place.signed(Repeated(tag), a, text))
            saved = weigher.at_least(text) - weigher.at_most(marker)
            if saved >= LEAST_SAVED:
                out.append(Change(target.place.part, a, b, marker, NAME, saved))
    return out
