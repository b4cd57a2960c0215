"""Lines of a log that all begin alike: what they begin with is said once, above them.

Continuous-integration logs repeat job, step and date on every line. The difficulty is where a beginning may be cut: in
the middle of a word or a number it would leave pieces nobody can read. It is cut behind a blank, a tab, a bar or a
colon, or inside a time of day where the clock is read, and never between quotes; and which lines go together is settled by what saves most.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from tokenpak.core.markers import Prefixed, render
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

NAME = "prefixes"
LEAST_SAVED = 12
LONG_PATH = 16
"""Tokens of a directory that is worth cutting from its paths: none of them stands whole then."""

SHORTEST = 8
"""Characters a common beginning must have."""

FEWEST = 3
"""Lines that must have it."""

LONGEST = 400
_MARKER_CHARS = 48
_CUT = re.compile(
    r"[ \t|](?=\S)|(?<=[A-Za-z0-9_.-])/|(?<=[^0-9]):(?=[^0-9/])|(?<=[0-9]{4}-[0-9]{2}-[0-9]{2})T|(?<=T[0-9]{2}):|(?<=T[0-9]{2}:[0-9]{2}):"
)
_WORD = re.compile(r"[A-Za-z0-9]{2}")
_END = re.Match.end


def propose(target: Target, stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay."""
    out: list[Change] = []
    for start, end in stays:
        lines = target.text[start:end].split("\n")
        for first, last, prefix in _groups(lines, 0, len(lines)):
            at = start + sum(len(line) + 1 for line in lines[:first])
            change = _change(target, at, lines[first:last], prefix, weigher)
            out += [change] if change else []
    return sorted(out, key=lambda change: change.start)


def _change(target: Target, at: int, lines: list[str], prefix: str, weigher: Weigher) -> Change | None:
    text = "\n".join(lines)
    marker = render(target.place.signed(Prefixed(len(lines), prefix), at, text))
    # Cut off, a beginning may save a token less than it has: the blank at its end would have joined the next word.
    tokens = weigher.at_least(prefix) - 1
    saved = len(lines) * tokens - weigher.at_most(marker + "\n")
    if saved < LEAST_SAVED or (prefix[-1] == "/" and tokens < LONG_PATH):
        return None
    return Change(target.place.part, at, at + len(text), marker, NAME, saved, len(prefix))


def _groups(lines: list[str], first: int, last: int) -> list[tuple[int, int, str]]:
    """Groups of lines with their common beginnings, disjoint, the most saving first."""
    alike = [_common(a, b) for a, b in pairwise(lines)]
    out: list[tuple[int, int, str]] = []
    todo = [(first, last)]
    while todo:
        start, end = todo.pop()
        best = _best(lines, alike, start, end)
        if best is not None:
            out.append(best)
            todo += [(start, best[0]), (best[1], end)]
    return out


def _best(lines: list[str], alike: list[int], start: int, end: int) -> tuple[int, int, str] | None:
    """The group that saves the most characters: the largest rectangle under the lengths of common beginnings."""
    best, most = None, _MARKER_CHARS
    stack: list[tuple[int, int]] = []
    for at in range(start, end):
        height = alike[at] if at < end - 1 else 0
        begins = at
        while stack and stack[-1][1] >= height:
            begins, tall = stack.pop()
            cut = _cut(lines[begins], tall) if tall * (at - begins + 1) > most else 0
            if cut * (at - begins) - cut > most and at - begins + 1 >= FEWEST:
                best, most = (begins, at + 1, lines[begins][:cut]), cut * (at - begins) - cut
        if height >= SHORTEST:
            stack.append((begins, height))
    return best


def _common(a: str, b: str) -> int:
    """Characters that two lines have in common at the beginning."""
    most = min(len(a), len(b), LONGEST)
    if a[:most] == b[:most]:
        return most
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[:middle] == b[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(line: str, longest: int) -> int:
    """Where a beginning of at most `longest` characters may end; 0 where none is worth it."""
    ends = [
        at for at in map(_END, _CUT.finditer(line[: longest + 1])) if at <= longest and line.count('"', 0, at) % 2 == 0
    ]
    cut = ends[-1] if ends else 0
    return cut if cut >= SHORTEST and _WORD.search(line[:cut]) else 0
