"""Matches of a search, grouped under the file they were found in (as `rg --heading` writes them).

`path:12:text` and, around a match, `path-11-text`: the path is said once above its lines, the number and what follows it
stay. Whether a path ends where the first number begins can be told from a match only; a line around one must show the
same path, or one that ends in a file's suffix.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from tokenpak.core.markers import FoundIn, render
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

NAME = "paths"
LEAST_SAVED = 12
LONG_PATH = 16
"""Tokens a path must have where it is cut from lines around a match: `path-11-` is one word, and cut it stands nowhere."""

_FOUND = re.compile(r"([^\s:][^:\n]*):[0-9]{1,7}:")
_AROUND = re.compile(r"([^\s:][^:\n]*?\.[A-Za-z0-9]{1,8})-[0-9]{1,7}-")
_NUMBER = re.compile(r"-[0-9]{1,7}-")


def propose(target: Target, stays: Sequence[tuple[int, int]], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay."""
    changes = (_change(target, *group, weigher) for start, end in stays for group in _groups(target.text, start, end))
    return [change for change in changes if change]


def _groups(text: str, start: int, end: int) -> Iterator[tuple[int, list[str], str]]:
    """Place, lines and path of each group of matches in one file."""
    lines = text[start:end].split("\n")
    at = start
    for path, group in groupby(zip(_paths(lines), lines, strict=True), key=itemgetter(0)):
        found = [line for _, line in group]
        if path and len(found) > 1:
            yield at, found, path
        at += sum(len(line) + 1 for line in found)


def _paths(lines: Sequence[str]) -> list[str]:
    """The file each line was found in, "" for none. A line around a match is known by the match before or behind it."""
    out = [found[1] if (found := _FOUND.match(line)) and _is_path(found[1]) else "" for line in lines]
    for walk in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        for at in walk:
            path = out[at - walk.step]
            if path and not out[at] and lines[at].startswith(path) and _NUMBER.match(lines[at], len(path)):
                out[at] = path
    return [path or _around(line) for path, line in zip(out, lines, strict=True)]


def _around(line: str) -> str:
    found = _AROUND.match(line)
    return found[1] if found and "/" in found[1] else ""


def _is_path(path: str) -> bool:
    return "/" in path or "." in path


def _change(target: Target, at: int, lines: list[str], path: str, weigher: Weigher) -> Change | None:
    text = "\n".join(lines)
    marker = render(target.place.signed(FoundIn(len(lines), path), at, text))
    tokens = weigher.at_least(path)
    saved = len(lines) * tokens - weigher.at_most(marker + "\n")
    if saved < LEAST_SAVED or (tokens < LONG_PATH and any(line[len(path)] == "-" for line in lines)):
        return None
    return Change(target.place.part, at, at + len(text), marker, NAME, saved, len(path) + 1)
