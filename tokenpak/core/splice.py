"""Edits into bytes. Everything outside an edit is the client's own bytes, by construction."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tokenpak.core.numbers import unpadded
from tokenpak.core.patch import Change, Edit


class BadEdits(Exception):  # noqa: N818 - the answer to a garbled patch: send the planned form or the original
    """The edits do not fit the body: unordered, overlapping, out of bounds, or not inside one JSON string."""


class Sent(NamedTuple):
    """A text as it is sent, and what stands there in the place of each of its changes."""

    text: str
    news: list[str]


def apply_edits(body: bytes, edits: Sequence[Edit]) -> bytes:
    """The body with its edits; the same object without any. Raises BadEdits."""
    sent = spliced(body, edits)
    if not all(_is_string_inside(body[edit.start : edit.end]) and _is_string_inside(edit.new) for edit in edits):
        raise BadEdits("not inside one JSON string")
    return sent


def spliced(body: bytes, edits: Sequence[Edit]) -> bytes:
    """The same, for edits of which each is known to be inside one JSON string. Raises BadEdits for order and bounds."""
    if not edits:
        return body
    pieces, at = [], 0
    for edit in edits:
        if not at <= edit.start <= edit.end <= len(body):
            raise BadEdits("order or bounds")
        pieces += [body[at : edit.start], edit.new]
        at = edit.end
    pieces.append(body[at:])
    return b"".join(pieces)


def _is_string_inside(piece: bytes) -> bool:
    """True when the bytes may stand between the quotes of one JSON string: no bare quote, no cut escape, no control."""
    try:
        msgspec.json.decode(b'"' + piece + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def apply_changes(text: str, changes: Sequence[Change]) -> str:
    """A decoded text with the changes made to it, which are sorted and do not overlap. Raises BadEdits."""
    return sent_of(text, changes).text


def sent_of(text: str, changes: Sequence[Change]) -> Sent:
    """The same, with what is sent in the place of each change. Raises BadEdits."""
    news = [sent_in_place(text, change) for change in changes]
    pieces, at = [], 0
    for change, new in zip(changes, news, strict=True):
        if not at <= change.start <= change.end <= len(text):
            raise BadEdits("change out of order or bounds")
        pieces += [text[at : change.start], new]
        at = change.end
    return Sent("".join([*pieces, text[at:]]), news)


def sent_in_place(text: str, change: Change) -> str:
    """What is sent in the place of a change's range."""
    if not change.cut:
        return change.new
    stays = text[change.start : change.end]
    cut = "\n".join([line[change.cut :] for line in stays.split("\n")]) if change.cut > 0 else unpadded(stays)
    return f"{change.new}\n{cut}" if change.new else cut
