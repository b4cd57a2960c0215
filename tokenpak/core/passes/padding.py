"""Line numbers without the blanks before them.

Tools pad the numbers they display to six characters; the blanks carry nothing and cost a token or two on every line.
The difficulty is telling such a text from one whose numbers were never padded: so one line in front says what was done,
its check covers all that follows, and a text with any other numbers in it is left alone.
"""

from collections.abc import Sequence

from tokenpak.core.markers import Unpadded, render
from tokenpak.core.numbers import paddable, padding_begins, padding_in
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import NUMBERS, Change
from tokenpak.core.splice import apply_changes

NAME = "padding"
LEAST_SAVED = 4


def propose(target: Target, made: Sequence[Change], stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay, beside those already made."""
    text = target.text
    padded = [(a, b, blanks) for a, b in stays if (blanks := padding_in(text[a:b]))]
    if not padded:
        return []
    widths = [len(each) for _, _, blanks in padded for each in blanks]
    header = render(Unpadded())
    saved = _worth(widths) - weigher.at_most(header + "\n")
    if saved < LEAST_SAVED or sum(widths) <= len(header) or not paddable(text):
        return []
    begin, first_end, _ = padded[0]
    start = begin + padding_begins(text[begin:first_end])
    at = start + sum(len(change.new) - (change.end - change.start) for change in made if change.end <= start)
    marker = target.place.signed(Unpadded(), at, apply_changes(text, made)[at:])
    part = target.place.part
    changes = [Change(part, start, first_end, render(marker), NAME, saved, NUMBERS)]
    return changes + [Change(part, a, b, "", NAME, 0, NUMBERS) for a, b, _ in padded[1:]]


def _worth(widths: Sequence[int]) -> int:
    """Tokens that blanks cost: pieces of the encoding's pattern, so a lower bound: one, and one more for several."""
    return sum(1 if width == 1 else 2 for width in widths)
