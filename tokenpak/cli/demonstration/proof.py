"""Proof for one request: what the provider received is the client's body but for markers, and `expand` takes it back.

A JSON text is strings and what stands between them. Four things are looked at, each on the bytes: what stands between
the strings is the same; so are all strings but the edited ones; an edited string has markers in it, and where all of
them are references it is the client's string with pieces replaced by markers, every other byte of it unchanged; and
`expand`, given nothing but the received bytes, gives every edited string back, letter for letter. No parser of the
product's is used for it.
"""

import json
import re
from collections.abc import Sequence

import msgspec

from tokenpak.core.body import Unreadable
from tokenpak.core.expand import expand_body
from tokenpak.core.markers import FirstLine, Reference, Repeated, Whole, candidates, parse
from tokenpak.core.patch import Format

_LINE_FEED = re.compile(r"\\n|\\u000[aA]")
_STRING = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)


class Proof(msgspec.Struct, frozen=True):
    """edited: strings that differ. markers: markers in them. failure: what does not hold, or None."""

    edited: int = 0
    markers: int = 0
    failure: str | None = None


def prove(fmt: Format, sent: bytes, received: bytes) -> Proof:
    """Compare what the client sent with what the provider received."""
    if sent == received:
        return Proof()
    ours, theirs = _STRING.split(sent), _STRING.split(received)
    failure = _same_frame(ours, theirs)
    if failure is not None:
        return Proof(failure=failure)
    edited = [nth for nth in range(1, len(ours), 2) if ours[nth] != theirs[nth]]
    markers = 0
    for nth in edited:
        pieces = around_markers(theirs[nth].decode())
        markers += len(pieces) - 1
        if _refers_only(theirs[nth]) and (len(pieces) < 2 or not _pieces_stand_in(pieces, ours[nth].decode()[1:-1])):
            return Proof(len(edited), markers, f"string {nth // 2} differs by more than markers")
    return Proof(len(edited), markers, _expanded_back(fmt, ours, received))


def _refers_only(raw: bytes) -> bool:
    """True where every marker in a string stands alone on its line and none rewrites the lines behind it."""
    text = _text(raw)
    found = [(match.start(), marker) for match in candidates(text) if (marker := parse(match[0]))]
    return all(
        isinstance(marker, Reference | Whole | Repeated | FirstLine) and (at == 0 or text[at - 1] == "\n")
        for at, marker in found
    )


def _same_frame(ours: Sequence[bytes], theirs: Sequence[bytes]) -> str | None:
    if len(ours) != len(theirs):
        return f"{len(ours) // 2} strings were sent, {len(theirs) // 2} received"
    if any(ours[nth] != theirs[nth] for nth in range(0, len(ours), 2)):
        return "bytes between strings differ"
    return None


def around_markers(raw: str) -> list[str]:
    """The pieces of a JSON string, quotes and escapes as they are, that stand before, between and after its markers."""
    inside = raw[1:-1]
    masked = inside.replace("\\\\", "\0\0")  # an escaped backslash, so that what follows it is no escape
    pieces, at, start = [], 0, 0
    for end in [*_LINE_FEED.finditer(masked), None]:
        stop = end.start() if end else len(inside)
        if parse(_text(f'"{inside[start:stop]}"')) is not None:
            pieces.append(inside[at:start])
            at = stop
        start = end.end() if end else stop
    return [*pieces, inside[at:]]


def _pieces_stand_in(pieces: Sequence[str], whole: str) -> bool:
    """True when the pieces occur in the text, in order, without overlap, the first at its start, the last at its end."""
    first, *middle, last = pieces
    if not whole.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        at = whole.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return whole.endswith(last) and len(whole) - len(last) >= at


def _expanded_back(fmt: Format, ours: Sequence[bytes], received: bytes) -> str | None:
    try:
        expanded = _STRING.split(expand_body(fmt, received))
    except Unreadable as error:
        return f"expand cannot read what the provider received ({error})"
    failure = _same_frame(ours, expanded)
    if failure is not None:
        return f"expand: {failure}"
    for nth in range(1, len(ours), 2):
        if ours[nth] != expanded[nth] and _text(ours[nth]) != _text(expanded[nth]):
            return f"expand does not give string {nth // 2} back"
    return None


def _text(raw: bytes | str) -> str:
    return str(json.loads(raw))
