"""One value in a text of settings: read it, put another there, take it out, with the smallest change that does it.

Formats propose changes; here each proposal is proven. The changed text is read anew as a whole, and it must hold the wanted
value at its key and, with that key left out on both sides, be equal to the text before in every value and in their order.
What no proposal achieves is refused: a text that is understood only in part is left alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tokenpak.integrations.errors import CannotIntegrate, Unreadable
from tokenpak.integrations.formats import FORMATS, Format, FormatName, Key, Proposal
from tokenpak.integrations.splices import DoesNotFit, replaced, spliced


class Foreign(msgspec.Struct, frozen=True):
    """Something else than a text stands there."""


class Change(msgspec.Struct, frozen=True):
    """A value that was put at `key`. was: the literal that stood there, None for none. made: how many maps came with it."""

    key: Key
    value: str
    was: str | None
    made: int


def read(name: FormatName, text: str, key: Key) -> str | Foreign | None:
    """The text at `key`; None where there is none. Raises Unreadable."""
    found = _dig(FORMATS[name].load(text), key)
    if found is None or isinstance(found, str):
        return found
    return None if found is _NOTHING else Foreign()


def places(name: FormatName, text: str, key: Key) -> tuple[Key, ...]:
    """The keys that differ from `key` in numbers of lists at most: members of a list may have moved."""
    data = FORMATS[name].load(text)
    found: list[Key] = [()]
    for part in key:
        if isinstance(part, int):
            found = [(*each, n) for each in found for n in range(_length(_dig(data, each)))]
        else:
            found = [(*each, part) for each in found]
    return tuple(found)


def put(name: FormatName, text: str, key: Key, value: str) -> tuple[Proposal, Change]:
    """The change that makes `value` stand at `key`. Raises CannotIntegrate."""
    form = FORMATS[name]
    data = form.load(text)
    found = _dig(data, key)
    if found is _NOTHING:
        made = _missing_maps(data, key)
        proposal = _first(form, text, form.additions(text, key, value), _Goal(key, value, made))
        return proposal, Change(key, value, None, made)
    if not (found is None or isinstance(found, str)):
        raise CannotIntegrate(f"{shown(key)} holds something that is not a text")
    proposal = _first(form, text, _replacements(form, text, key, value), _Goal(key, value))
    return proposal, Change(key, value, _was(form, text, key, proposal), 0)


def put_back(name: FormatName, text: str, change: Change) -> Proposal:
    """The change that gives `key` the literal it had, or takes it out with the maps that came with it if they are empty."""
    form = FORMATS[name]
    if change.was is None:
        return _taken_out(form, text, change)
    for start, end in form.literals(text, change.key):
        proposal = (replaced(text, start, end, change.was),)
        if _changes_only(form, text, proposal, _Goal(change.key, None)):
            return proposal
    raise CannotIntegrate(f"what stood at {shown(change.key)} cannot be put back")


def shown(key: Key) -> str:
    """A key as a person writes it."""
    return ".".join(map(str, key))


class _Goal(NamedTuple):
    """What a change is for. value: None if nothing shall stand at `key`. made: maps that may come with it."""

    key: Key
    value: str | None
    made: int = 0


class _Nothing:
    pass


_NOTHING = _Nothing()


def _dig(data: object, key: Key) -> object:
    for part in key:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not in_list and not (isinstance(data, dict) and part in data):
            return _NOTHING
        data = data[part]  # type: ignore[index]
    return data


def _length(data: object) -> int:
    return len(data) if isinstance(data, list) else 0


def _missing_maps(data: object, key: Key) -> int:
    """How many of the maps on the way to `key` are not there."""
    depths = range(1, len(key))
    return sum(_dig(data, key[:depth]) is _NOTHING for depth in depths)


def _replacements(form: Format, text: str, key: Key, value: str) -> Iterable[Proposal]:
    for start, end in form.literals(text, key):
        for written in form.written(value, text[start:end]):
            yield (replaced(text, start, end, written),)


def _was(form: Format, text: str, key: Key, proposal: Proposal) -> str:
    spans = dict(form.literals(text, key))
    start = proposal[0].start
    return text[start : spans[start]]


def _taken_out(form: Format, text: str, change: Change) -> Proposal:
    """Level by level: the key, then each map that came with it and is empty now."""
    done: Proposal = ()
    key = change.key
    for level in range(change.made + 1):
        if level and _dig(form.load(text), key) != {}:
            break
        proposal = _first(form, text, form.removals(text, key), _Goal(key, None))
        done, text = (*done, *proposal), spliced(text, proposal)
        key = key[:-1]
    return done


def _first(form: Format, text: str, proposals: Iterable[Proposal], goal: _Goal) -> Proposal:
    """The first proposal that reaches the goal and changes nothing else."""
    for proposal in proposals:
        if not _changes_only(form, text, proposal, goal):
            continue
        found = _dig(form.load(spliced(text, proposal)), goal.key)
        if (found is _NOTHING) if goal.value is None else (found == goal.value):
            return proposal
    raise CannotIntegrate(f"{shown(goal.key)} cannot be changed there without changing something else")


def _changes_only(form: Format, text: str, proposal: Proposal, goal: _Goal) -> bool:
    try:
        after = form.load(spliced(text, proposal))
    except (Unreadable, DoesNotFit):
        return False
    return repr(_without(form.load(text), goal.key, 0)) == repr(_without(after, goal.key, goal.made))


def _without(data: object, key: Key, made: int) -> object:
    """`data`, which is the caller's to change, without `key` and without `made` maps above it that are empty then."""
    for level in range(made + 1):
        parent = _dig(data, key[:-1])
        if not isinstance(parent, dict) or (level and _dig(data, key) != {}):
            break
        parent.pop(key[-1], None)
        key = key[:-1]
    return data
