"""Where the values of a JSON text lie, byte for byte.

msgspec's scanner validates and finds the ends of values in C, but tells no offsets. It gives each value's exact bytes,
so the lengths are known; what lies between values is only white space, commas, colons and keys, which the small regular
expressions here walk over. A mismatch anywhere (a duplicate key, which msgspec folds, is one) means Unreadable.
"""

import re
from collections.abc import Sequence

import msgspec

from tokenpak.core.body.model import Unreadable

_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAYS = msgspec.json.Decoder(list[msgspec.Raw])
_STRINGS = msgspec.json.Decoder(str)
_KEY = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_NEXT = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_BLANK = re.compile(rb"[ \t\r\n]*")
_CLOSE_OBJECT = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")

Span = tuple[int, int]


def members(raw: bytes, span: Span) -> dict[str, Span]:
    """The members of the object at `span` of `raw`: key -> span of its value. Raises Unreadable."""
    start, end = span
    try:
        values = _OBJECTS.decode(raw[start:end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not_an_object") from error
    at = _BLANK.match(raw, start).end() + 1  # type: ignore[union-attr] # matches the empty string
    found: dict[str, Span] = {}
    for key, value in values.items():
        match = _KEY.match(raw, at, end)
        if match is None or (match[1] != b'"' + key.encode() + b'"' and _STRINGS.decode(match[1]) != key):
            raise Unreadable("duplicate_key")
        at = match.end() + len(memoryview(value))
        found[key] = (match.end(), at)
    if not _CLOSE_OBJECT.fullmatch(raw, at, end):
        raise Unreadable("duplicate_key")
    return found


def elements(raw: bytes, span: Span) -> list[Span]:
    """The elements of the array at `span` of `raw`. Raises Unreadable."""
    start, end = span
    try:
        values = _ARRAYS.decode(raw[start:end])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not_an_array") from error
    at = _BLANK.match(raw, start).end() + 1  # type: ignore[union-attr] # matches the empty string
    at = _BLANK.match(raw, at).end()  # type: ignore[union-attr] # matches the empty string
    found: list[Span] = []
    for value in values:
        if found:
            match = _NEXT.match(raw, at, end)
            if match is None:
                raise Unreadable("not_an_array")
            at = match.end()
        found.append((at, at + len(memoryview(value))))
        at = found[-1][1]
    return found


def string(raw: bytes, span: Span) -> str | None:
    """The decoded string at `span`, or None where there is another value or one that is not valid Unicode."""
    start, end = span
    if raw[start : start + 1] != b'"':
        return None
    try:
        return _STRINGS.decode(raw[start:end])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*",
    re.DOTALL,
)
_LONGEST_ESCAPE = 6
_HALF = re.compile(rb"\\u[dD][89abAB]")
"""The first of two escapes that are one character."""


def offsets(raw: bytes, positions: Sequence[int], length: int) -> list[int]:
    """Byte offsets in `raw`, the characters of a JSON string, of ascending positions in its decoded text of that length."""
    out, at, seen = [], 0, 0
    for position in positions:
        at, seen = len(raw) if position == length else _behind(raw, at, position - seen), position
        out.append(at)
    return out


def _behind(raw: bytes, at: int, characters: int) -> int:
    """The offset so many characters behind `at`. Raises Unreadable.

    No character has less than a byte, so as many bytes as characters are sought never go too far. They are decoded in
    one piece, and what they fall short by is sought behind them: a few steps, each over what the escapes before it cost.
    """
    while characters:
        end = at + characters
        if end > len(raw):
            raise Unreadable("bad_string")
        piece = raw[at:end]
        if b"\\" not in piece and piece.isascii():
            return end
        whole = piece[: _whole(piece, raw[end : end + 1])]
        if whole:
            decoded = string(b'"' + whole + b'"', (0, len(whole) + 2))
            if decoded is None:
                raise Unreadable("bad_string")
            at, characters = at + len(whole), characters - len(decoded)
        else:  # not longer than its first character
            match = _CHARACTER.match(raw, at)
            if match is None:
                raise Unreadable("bad_string")
            at, characters = match.end(), characters - 1
    return at


def _whole(piece: bytes, behind: bytes) -> int:
    """How many bytes of a piece, which begins with a character, surely end with one. behind: the byte that follows it."""
    end = len(piece)
    while end and b"\x80" <= behind < b"\xc0":
        end, behind = end - 1, piece[end - 1 : end]
    escape = piece.rfind(b"\\", max(0, end - _LONGEST_ESCAPE), end)
    if escape < 0 or _is_escaped(piece, escape):
        return end
    half = escape - _LONGEST_ESCAPE
    return half if half >= 0 and _HALF.match(piece, half) and not _is_escaped(piece, half) else escape


def _is_escaped(piece: bytes, backslash: int) -> bool:
    """True for a backslash that is the second of two."""
    before = piece[:backslash]
    return (len(before) - len(before.rstrip(b"\\"))) % 2 == 1
