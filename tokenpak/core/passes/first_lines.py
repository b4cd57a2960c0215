"""The first line of a result that says the same as the last result of that tool did.

Tools open with a sentence that never changes: that a file has been updated and what follows, that a list has been
written. The line stands for nothing but itself, so "the one before" is the nearest earlier result of that tool whose
first line stands there.
"""

from collections.abc import Sequence

from tokenpak.core.lines import first_line
from tokenpak.core.markers import FirstLine
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

NAME = "first-lines"
LEAST_SAVED = 10


def propose(index: Index, target: Target, stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """One change, or none."""
    if target.call is None or not stays or stays[0][0] > 0:
        return []
    tool, line = target.call.name, first_line(target.text)
    if len(line) > stays[0][1] or index.first_line(tool) != line:
        return []
    change = target.replaced(FirstLine(tool), 0, len(line), weigher, NAME)
    return [change] if change and change.saved >= LEAST_SAVED else []
