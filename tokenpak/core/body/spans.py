"""Where the values of a JSON text lie, byte for byte.

msgspec's scanner validates and finds the ends of values in C, but tells no offsets. It gives each value's exact bytes,
so the lengths are known; what lies between values is only white space, commas, colons and keys, which the small regular
expressions here walk over. A mismatch anywhere (a duplicate key, which msgspec folds, is one) means Unreadable.
"""

import re

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


_ESCAPED_NEWLINE = re.compile(rb"\\u000[aA]")
_CHARACTER = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*",
    re.DOTALL,
)


def offsets(raw: bytes, text: str, positions: list[int]) -> list[int]:
    """Byte offsets in `raw`, the characters of a JSON string, of ascending character positions in its `text`.

    Lines are found by splitting at the newline escape, so that long strings cost a split and not a walk.
    """
    masked = raw.replace(rb"\\", b"\0\0")
    if _ESCAPED_NEWLINE.search(masked):
        return [_walk(raw, 0, position) for position in positions]
    starts = [0]
    for piece in masked.split(rb"\n"):
        starts.append(starts[-1] + len(piece) + 2)
    out, line, seen = [], 0, 0
    for position in positions:
        line += text.count("\n", seen, position)
        seen = position
        column = position - (text.rfind("\n", 0, position) + 1)
        out.append(_walk(raw, starts[line], column))
    return out


def _walk(raw: bytes, at: int, characters: int) -> int:
    piece = raw[at : at + characters]
    if piece.isascii() and b"\\" not in piece:
        return at + characters
    for _ in range(characters):
        match = _CHARACTER.match(raw, at)
        if match is None:
            raise Unreadable("bad_string")
        at = match.end()
    return at
