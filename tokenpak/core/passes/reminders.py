"""Reminders that a client adds again and again: a block between a tag's lines that is the same as the one before it.

Clients put `<system-reminder>` and the like behind file contents and into user messages, word for word each time. Such a
block is known by its tag alone: "the one before" is the nearest earlier block of that tag that stands in the text itself.
"""

from collections.abc import Sequence

from tokenpak.core.markers import Repeated
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change
from tokenpak.core.tags import tagged

NAME = "reminders"
LEAST_SAVED = 12


def propose(index: Index, target: Target, stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay."""
    made = (
        target.replaced(Repeated(tag), a, b, weigher, NAME)
        for start, end in stays
        for tag, a, b in tagged(target.text, start, end)
        if index.tagged(tag) == target.text[a:b]
    )
    return [change for change in made if change and change.saved >= LEAST_SAVED]
