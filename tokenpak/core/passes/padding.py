"""Line numbers without the blanks before them.

Tools pad the numbers they display to six characters; the blanks carry nothing and cost a token or two on every line.
The difficulty is telling such a text from one whose numbers were never padded: so one line in front says what was done,
its check covers all that follows, and a text with any other numbers in it is left alone.
"""

import re
from collections.abc import Sequence

from tokenpak.core.markers import Unpadded, render
from tokenpak.core.numbers import paddable, unpadded
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import NUMBERS, Change
from tokenpak.core.splice import apply_changes

NAME = "padding"
LEAST_SAVED = 4

_BLANKS = re.compile(r"^( {1,5})[0-9]{1,5}[→\t]", re.MULTILINE)


def propose(target: Target, made: Sequence[Change], stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay, beside those already made."""
    text = target.text
    worth = {(a, b): _worth(text[a:b]) for a, b in stays}
    padded = [(a, b) for (a, b), tokens in worth.items() if tokens]
    if not padded:
        return []
    start, first_end = padded[0]
    begins = _BLANKS.search(text, start, first_end)
    start = begins.start() if begins else start
    header = render(Unpadded())
    saved = sum(worth.values()) - weigher.at_most(header + "\n")
    blanks = sum(len(text[a:b]) - len(unpadded(text[a:b])) for a, b in padded)
    if saved < LEAST_SAVED or blanks <= len(header) or not paddable(text):
        return []
    sent = apply_changes(text, made)
    at = start + len(sent) - len(text) - _grown_behind(made, start)
    marker = target.place.signed(Unpadded(), at, sent[at:])
    part = target.place.part
    changes = [Change(part, start, first_end, render(marker), NAME, saved, NUMBERS)]
    return changes + [Change(part, a, b, "", NAME, 0, NUMBERS) for a, b in padded[1:]]


def _worth(text: str) -> int:
    """Tokens that the blanks cost: pieces of the encoding's pattern, so a lower bound: one, and one more for several."""
    return sum(1 if len(blanks) == 1 else 2 for blanks in _BLANKS.findall(text))


def _grown_behind(made: Sequence[Change], start: int) -> int:
    """By how many characters the text has grown behind a place that itself stays."""
    return sum(len(change.new) - (change.end - change.start) for change in made if change.start >= start)
