"""Take out what was put into a client's file, and nothing that came after.

A file that is exactly what TokenPak left goes back to the byte. In any other, each value is looked at alone: where ours still
stands, what stood there before comes back; where another stands, it is the user's, and stays.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tokenpak.config.paths import Paths
from tokenpak.integrations import files, journal
from tokenpak.integrations.errors import CannotIntegrate, Unreadable
from tokenpak.integrations.journal import Broken, Entry
from tokenpak.integrations.outcome import Outcome
from tokenpak.integrations.setting import Change, put_back, read, shown
from tokenpak.integrations.splices import reversed_splices, spliced
from tokenpak.integrations.standing import standing


def undo(paths: Paths, client: str) -> Outcome:
    """Undo one integration. Nothing raises: what cannot be done is the outcome."""
    try:
        with journal.locked(paths):
            entry = journal.entry_of(paths, client)
            if entry is None:
                return Outcome(client, "nothing", "TokenPak has written nothing into its settings")
            return _undone(paths, entry)
    except CannotIntegrate as error:
        return Outcome(client, "failed", str(error))


def undo_every(paths: Paths) -> tuple[Outcome, ...]:
    """Undo every integration the journal knows, each for itself."""
    if not paths.integrations.is_dir():
        return ()
    return tuple(_undo_found(paths, each) for each in journal.entries(paths))


def _undo_found(paths: Paths, found: Entry | Broken) -> Outcome:
    if isinstance(found, Broken):
        return Outcome(found.client, "failed", found.words)
    return undo(paths, found.client)


def _undone(paths: Paths, entry: Entry) -> Outcome:
    file = Path(entry.file)
    files.sweep(file)
    data = files.read(file)
    held = entry.holding(data) if data is not None else None
    if data is not None and held is not None:
        outcome = _reversed(file, data, held)
    elif data is None:
        outcome = _gone(entry)
    elif entry.is_before(data):
        outcome = Outcome(entry.client, "restored", f"{file} is as it was before", entry.file)
    else:
        outcome = _taken_out(file, data, entry)
    journal.forget(paths, entry.client)
    return outcome


def _reversed(file: Path, data: bytes, held: Entry) -> Outcome:
    """The file is what TokenPak left: back to the byte."""
    if not held.existed:
        files.remove(file, data, map(Path, held.directories))
        return Outcome(held.client, "restored", f"{file} was not there before, and is removed", held.file)
    before = files.encoded(spliced(files.decoded(data), reversed_splices(held.splices)), data)
    if files.digest(before) != held.before:
        raise CannotIntegrate(f"{file} does not lead back to what it was; nothing was changed. {_by_hand(held)}")
    files.replace(file, data, before)
    return Outcome(held.client, "restored", f"{file} is as it was before, to the byte", held.file)


def _gone(entry: Entry) -> Outcome:
    files.remove_empty(map(Path, entry.directories))
    if not entry.existed:
        return Outcome(entry.client, "restored", f"{entry.file} was not there before, and is not there now", entry.file)
    return Outcome(entry.client, "kept", f"{entry.file} was removed by somebody else; there is nothing to put back")


def _taken_out(file: Path, data: bytes, entry: Entry) -> Outcome:
    """Somebody else has written too: value by value."""
    try:
        text = files.decoded(data)
        found = standing(entry.format, text, entry)
        for key, change in reversed(found):
            text = spliced(text, put_back(entry.format, text, msgspec.structs.replace(change, key=key)))
        theirs = _theirs(entry, text, [change for _, change in found])
    except Unreadable as error:
        raise CannotIntegrate(f"{file}: {error}. Mend it and undo again, or by hand: {_by_hand(entry)}") from error
    if not found:
        return Outcome(
            entry.client, "kept", f"{file} no longer holds what TokenPak put there; it stays{theirs}", entry.file
        )
    if not entry.existed and text.strip() in {"", "{}"}:
        files.remove(file, data, map(Path, entry.directories))
        return Outcome(entry.client, "restored", f"{file} held nothing else, and is removed", entry.file)
    files.replace(file, data, files.encoded(text, data))
    put_right = ", ".join(shown(key) for key, _ in found)
    words = (
        f"{file} was changed in between: {put_right} is as it was before, and every other change of yours stays{theirs}"
    )
    return Outcome(entry.client, "restored", words, entry.file)


def _theirs(entry: Entry, text: str, undone: Sequence[Change]) -> str:
    """Values that the user has put where ours stood."""
    own = [each for each in entry.changes if each not in undone and read(entry.format, text, each.key) is not None]
    return "".join(f"; {shown(each.key)} has a value of yours, which is kept" for each in own)


def _by_hand(entry: Entry) -> str:
    lines = (f"{shown(c.key)} was {c.was if c.was is not None else 'not there'}" for c in entry.changes)
    return "; ".join(lines) + "."
