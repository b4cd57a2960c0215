"""Line numbers without the blanks before them.

Tools pad the numbers they display to six characters; the blanks carry nothing and cost a token or two on every line.
The difficulty is telling such a text from one whose numbers were never padded: so one line in front says what was done,
its check covers all that follows, and a text with any other numbers in it is left alone.
"""

import re
from collections.abc import Sequence

from tokenpak.core.markers import Unpadded, render
from tokenpak.core.numbers import paddable
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import NUMBERS, Change
from tokenpak.core.splice import apply_changes

NAME = "padding"
LEAST_SAVED = 4

_BLANKS = re.compile(r"^( {1,5})[0-9]{1,5}[→\t]", re.MULTILINE)


def propose(target: Target, made: Sequence[Change], stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay, beside those already made."""
    text = target.text
    blanks = {(a, b): [len(each) for each in _BLANKS.findall(text, a, b)] for a, b in stays}
    padded = [place for place, widths in blanks.items() if widths]
    if not padded:
        return []
    start, first_end = padded[0]
    begins = _BLANKS.search(text, start, first_end)
    start = begins.start() if begins else start
    header = render(Unpadded())
    saved = sum(map(_worth, blanks.values())) - weigher.at_most(header + "\n")
    if saved < LEAST_SAVED or sum(map(sum, blanks.values())) <= len(header) or not paddable(text):
        return []
    sent = apply_changes(text, made)
    at = start + len(sent) - len(text) - _grown_behind(made, start)
    marker = target.place.signed(Unpadded(), at, sent[at:])
    part = target.place.part
    changes = [Change(part, start, first_end, render(marker), NAME, saved, NUMBERS)]
    return changes + [Change(part, a, b, "", NAME, 0, NUMBERS) for a, b in padded[1:]]


def _worth(widths: Sequence[int]) -> int:
    """Tokens that blanks cost: pieces of the encoding's pattern, so a lower bound: one, and one more for several."""
    return sum(1 if width == 1 else 2 for width in widths)


def _grown_behind(made: Sequence[Change], start: int) -> int:
    """By how many characters the text has grown behind a place that itself stays."""
    return sum(len(change.new) - (change.end - change.start) for change in made if change.start >= start)
