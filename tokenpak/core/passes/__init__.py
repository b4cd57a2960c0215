"""Compression passes, one file each, and the order in which they see a text.

First whatever the model has seen before is referred to; then what stays of the text is shortened in itself. Changes of
the second kind are made inside the ranges that stay, so no two changes meet.
"""

from collections.abc import Callable, Iterator, Sequence

from tokenpak.core.markers import Reference, parse
from tokenpak.core.names import SELF
from tokenpak.core.passes import first_lines, json_data, line_runs, padding, paths, prefixes, reminders, whole_texts
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.outputs import is_data, is_output
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import PASSES, Change

__all__ = ["PASSES", "Target", "Weigher", "kept", "propose"]

_Stays = Sequence[tuple[int, int]]
_Shorten = Callable[[_Stays], list[Change]]
_DISPLAYED = "[lines "
"""How a reference begins that numbers its lines as the text around it does."""


def propose(index: Index, target: Target, passes: Sequence[str], weigher: Weigher, *, alone: bool) -> list[Change]:
    """The changes for one text, sorted. alone: nothing earlier may be referred to, so only what stands in the text."""
    if not alone and whole_texts.NAME in passes:
        whole = whole_texts.propose(index, target, weigher)
        if whole:
            return whole
    changes = [] if alone or line_runs.NAME not in passes else line_runs.propose(index, target, weigher)
    stays, stands = kept(target.text, changes), _led_to(changes)
    for repeated in () if alone else (reminders, first_lines):
        if repeated.NAME in passes:
            changes = sorted(changes + repeated.propose(index, target, _behind(stays, stands), weigher), key=_start)
            stays = kept(target.text, changes)
    if padding.NAME in passes:
        padded = padding.propose(target, changes, stays, weigher)
        if padded:
            return sorted(changes + padded, key=_start)
    if any(change.new.startswith(_DISPLAYED) for change in changes):
        return changes  # numbers in sight must not change under such a reference
    for shorten in _inside(target, passes, weigher, stands):
        changes = sorted(changes + shorten(stays), key=_start)
        stays = kept(target.text, changes)
    return changes


def _start(change: Change) -> int:
    return change.start


def _led_to(changes: Sequence[Change]) -> int:
    """Up to where a text must stand in itself: references to earlier lines of their own text lead to what is there."""
    markers = ((change.end, parse(change.new)) for change in changes)
    return max((end for end, marker in markers if isinstance(marker, Reference) and marker.label == SELF), default=0)


def _behind(stays: _Stays, place: int) -> _Stays:
    """The ranges that begin at a place or later."""
    return [each for each in stays if each[0] >= place]


def _inside(target: Target, passes: Sequence[str], weigher: Weigher, stands: int) -> Iterator[_Shorten]:
    """The passes that shorten a text in itself, as far as this text is theirs.

    Lines under a path or a common beginning are read as if they stood there; a table is not, so none is made before `stands`.
    """
    if is_output(target.call):
        if paths.NAME in passes:
            yield lambda stays: paths.propose(target, stays, weigher)
        if prefixes.NAME in passes:
            yield lambda stays: prefixes.propose(target, stays, weigher)
    if (json_data.SPACE in passes or json_data.TABLES in passes) and is_data(target.call):
        yield lambda stays: json_data.propose(target, _behind(stays, stands), passes, weigher)


def kept(text: str, changes: Sequence[Change]) -> list[tuple[int, int]]:
    """The ranges of a text that no change touches, in whole lines, ends of lines aside."""
    out, at = [], 0
    for change in changes:
        if change.start > at:
            out.append((at, change.start - 1))
        at = change.end + 1
    return [*out, (at, len(text))] if at < len(text) else out
