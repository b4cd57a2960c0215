"""A change of a text as a sequence of replaced spans, and its exact reverse.

Each splice speaks of the text that the one before it has left, so a sequence is turned around by turning each one around
and going backwards. `old` is kept with every splice: a text that does not hold it there is another text, and nothing is done.
"""

from collections.abc import Iterable

import msgspec


class Splice(msgspec.Struct, frozen=True):
    """At character `start`, `old` becomes `new`."""

    start: int
    old: str
    new: str


class DoesNotFit(Exception):  # noqa: N818 named by what is the case
    """The text is not the one a splice was made for."""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """The text after every splice, in turn. Raises DoesNotFit."""
    for each in splices:
        end = each.start + len(each.old)
        if text[each.start : end] != each.old:
            raise DoesNotFit
        text = text[: each.start] + each.new + text[end:]
    return text


def reversed_splices(splices: Iterable[Splice]) -> tuple[Splice, ...]:
    """What leads back from the text after `splices` to the text before."""
    return tuple(Splice(each.start, each.new, each.old) for each in reversed(tuple(splices)))


def replaced(text: str, start: int, end: int, new: str) -> Splice:
    """The splice that replaces `text[start:end]`."""
    return Splice(start, text[start:end], new)


def whole_lines(text: str, start: int, end: int) -> Splice:
    """The splice that removes the lines of `text[start:end]`, with the line break that ends or, at the end, precedes them."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    if last >= 0:
        return replaced(text, first, last + 1, "")
    before = first - len(line_break(text)) if first else 0
    return replaced(text, max(before, 0), len(text), "")


def line_break(text: str) -> str:
    """How lines end in this text: as most of them do."""
    windows = text.count("\r\n")
    return "\r\n" if windows * 2 > text.count("\n") else "\n"
