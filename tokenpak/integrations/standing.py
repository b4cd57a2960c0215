"""Where values of ours stand in a text that somebody else has written too, each with the change it came from.

The difficulty is lists: their members move when others come and go, and a number then names another one.
"""

from collections.abc import Sequence

from tokenpak.integrations.formats import FormatName, Key
from tokenpak.integrations.journal import Entry
from tokenpak.integrations.setting import Change, places, read

Standing = tuple[Key, Change]


def standing(name: FormatName, text: str, entry: Entry) -> tuple[Standing, ...]:
    """Keys that hold a value of ours, with their changes. Raises Unreadable."""
    families: dict[Key, list[Change]] = {}
    for change in entry.changes:
        families.setdefault(_family(change.key), []).append(change)
    return tuple(each for changes in families.values() for each in _paired(_held(name, text, changes, entry), changes))


def _held(name: FormatName, text: str, changes: Sequence[Change], entry: Entry) -> list[Key]:
    keys = dict.fromkeys(key for change in changes for key in places(name, text, change.key))
    return [key for key in keys if read(name, text, key) in entry.ours]


def _paired(held: Sequence[Key], changes: Sequence[Change]) -> list[Standing]:
    """As many as before: they are the same, in order. Else each keeps its number, and the others take what is left over.

    One that was copied has no change of its own: nothing stood there before.
    """
    if len(held) == len(changes):
        return list(zip(held, changes, strict=True))
    own = {change.key: change for change in changes if change.key in held}
    left = [change for change in changes if change.key not in own]
    return [(key, own.get(key) or (left.pop(0) if left else Change(key, "", None, 0))) for key in held]


def _family(key: Key) -> Key:
    """The key without its numbers."""
    return tuple("" if isinstance(part, int) else part for part in key)
