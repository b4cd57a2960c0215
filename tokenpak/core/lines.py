"""A text's lines as passes and `expand` see them: where they begin and end, and the numbers that tools display.

Two difficulties. A displayed number is part of the line but not of what stands in the file, so a line has a body beside
it. And a JSON text that carries a file or a screen in one of its strings is one line to the eye of a program but many to
the eye of a reader: in such a line the two characters of a literal line end count. Its first and last lines hold the JSON around them and
are never matched, so that what is replaced always stands between two literal line ends.
"""

import re
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import add

import msgspec

ESCAPED_END = "\\n"
"""How a line ends inside a JSON string."""

LEAST_ESCAPED = 8
"""Literal line ends that make a line many: a source file that prints a line end has one or two."""

_NUMBER = r"( {0,10})(0|[1-9][0-9]{0,6})(→|\t|:)"
_LINE = re.compile(rf"^(?:{_NUMBER})?(.*)", re.MULTILINE)
_NUMBERED = re.compile(rf"\n{_NUMBER}")
"""Looked for in the text with a line feed before it: `^` is tried at every character, a line feed is jumped to."""

_ESCAPED = re.compile(r"\\n(?<!\\\\n)")
_ESCAPED_BRACKET = ESCAPED_END + "["
_ESCAPED_MARKER = re.compile(r"\\n\[(?<!\\\\n\[)(?:(?!\\n).)*? #[0-9]{6}\]\\n")
"""Both begin with what they are about, which is jumped to, and only then look behind, whether it is escaped itself."""


class Style(msgspec.Struct, frozen=True):
    """How a text numbers its lines: width to which numbers are padded with blanks (0: not), and what follows them."""

    width: int
    separator: str

    def prefix(self, number: int) -> str:
        """What stands before the text of line `number`."""
        return str(number).rjust(self.width) + self.separator

    def bodies(self, lines: Sequence[str], first: int) -> list[str] | None:
        """The texts of lines that are numbered from `first` on in this style; None where one is not."""
        if self.width and len(str(first + len(lines) - 1)) >= self.width:
            return None  # without a blank before it a number does not show that it is padded
        prefixes = [f"{number:>{self.width}}{self.separator}" for number in range(first, first + len(lines))]
        if not all(map(str.startswith, lines, prefixes)):
            return None
        return [line[len(prefix) :] for line, prefix in zip(lines, prefixes, strict=True)]


_STYLES: dict[tuple[int, str], Style] = {(w, s): Style(w, s) for w in range(18) for s in ("→", "\t", ":")}


def _style(pad: str, digits: str, separator: str) -> Style:
    """The one Style object of this look: styles are compared by identity on the way."""
    return _STYLES[len(pad) + len(digits) if pad else 0, separator]


class Lines(msgspec.Struct, frozen=True):
    """A text's lines, taken apart: as they are, without a displayed number, the numbers (-1: none), their styles.

    runs: how many lines from each on are numbered one after the other in one style, or show no number.
    ends: characters that end each line (1: a line feed, 2: a literal line end), None where all are line feeds.
    edges: lines that hold the JSON around lines with literal ends.
    """

    lines: list[str]
    bodies: list[str]
    numbers: list[int]
    styles: list[Style | None]
    runs: list[int]
    ends: list[int] | None = None
    edges: frozenset[int] = frozenset()

    def starts(self) -> list[int]:
        """Where each line begins in the text, and where one more would."""
        widths = map(len, self.lines)
        return list(accumulate(map(add, widths, self.ends or repeat(1)), initial=0))


def taken_apart(text: str) -> Lines:
    """The lines of a text; joined by their ends they give it back."""
    lines, ends, edges = split(text) if ESCAPED_END in text else (text.split("\n"), None, frozenset[int]())
    if first_style(text) is None:
        runs = list(range(len(lines), 0, -1))
        return Lines(lines, lines, [-1] * len(lines), [None] * len(lines), runs, ends, edges)
    found = _LINE.findall("\n".join(lines) if ends else text)
    bodies = [body for _, _, _, body in found]
    numbers = [int(digits) if digits else -1 for _, digits, _, _ in found]
    styles = [_style(pad, digits, separator) if digits else None for pad, digits, separator, _ in found]
    return Lines(lines, bodies, numbers, styles, _runs(numbers, styles), ends, edges)


def split(text: str) -> tuple[list[str], list[int] | None, frozenset[int]]:
    """The lines of a text, the lengths of their ends (None: all are line feeds), and which are edges."""
    lines = text.split("\n")
    marked = _ESCAPED_BRACKET in text and _ESCAPED_MARKER.search(text) is not None
    few = text.count(ESCAPED_END) < LEAST_ESCAPED  # in all, hence in each line
    if not marked and (few or not any(_is_many(line, marked=False) for line in lines if ESCAPED_END in line)):
        return lines, None, frozenset()
    out: list[str] = []
    ends: list[int] = []
    edges: set[int] = set()
    for line in lines:
        inner = _ESCAPED.split(line) if _is_many(line, marked=marked) else [line]
        if len(inner) > 1:
            edges |= {len(out), len(out) + len(inner) - 1}
        out += inner
        ends += [2] * (len(inner) - 1) + [1]
    return (out, ends, frozenset(edges)) if edges else (lines, None, frozenset())


def _is_many(line: str, *, marked: bool) -> bool:
    """True for a line whose literal line ends count. One with a marker in it had as many before the marker came."""
    return line.count(ESCAPED_END) >= LEAST_ESCAPED or (marked and _ESCAPED_MARKER.search(line) is not None)


def _runs(numbers: list[int], styles: list[Style | None]) -> list[int]:
    runs, count = [1] * len(numbers), 1
    for at in range(len(numbers) - 2, -1, -1):
        style = styles[at]
        goes_on = style is styles[at + 1] and (style is None or numbers[at + 1] == numbers[at] + 1)
        runs[at] = count = count + 1 if goes_on else 1
    return runs


def first_line(text: str) -> str:
    """The first line of a text, without taking the others apart."""
    end = text.find("\n")
    return text if end < 0 else text[:end]


def first_style(text: str) -> Style | None:
    """The style of the first numbered line of a text, or of a number alone. A marker is no numbered line."""
    found = _NUMBERED.search("\n" + text)
    return _style(*found.groups()) if found else None
