"""Replies made of JSON, read incrementally beside the stream: one object a line, one array, or one document.

Ollama sends a line an object, Gemini without `alt=sse` one array whose elements arrive one by one, everything else that
is no event stream one document. The difficulty is memory: a stream may be endless and a document huge, so each piece
has a cap, and what lies beyond it is passed over and counted. Elements are found by counting brackets outside strings;
whether they are JSON is for the reader to say.
"""

import re

from tokenpak.core.sse import Event

PIECE_CAP = 8 * 2**20
"""Bytes of one line, element or document."""

_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class Lines:
    """NDJSON: an event a line that is not blank. `skipped` counts lines beyond `cap` bytes."""

    def __init__(self, cap: int = PIECE_CAP) -> None:
        self.skipped = 0
        self._line = Piece(cap)

    def feed(self, chunk: bytes) -> list[Event]:
        """The lines that end within `chunk`."""
        found: list[Event] = []
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._line.add(part)
            self._end_line(found)
        self._line.add(rest)
        return found

    def close(self) -> list[Event]:
        """The last line, if no line end came after it."""
        found: list[Event] = []
        self._end_line(found)
        return found

    def _end_line(self, found: list[Event]) -> None:
        line = self._line.take()
        if line is None:
            self.skipped += 1
        elif stripped := line.strip():
            found.append(Event(b"", stripped))


class Elements:
    """The objects in a JSON array, each an event. `skipped` counts objects beyond `cap` bytes."""

    def __init__(self, cap: int = PIECE_CAP) -> None:
        self.skipped = 0
        self._element = Piece(cap)
        self._depth = 0
        self._in_string = self._after_backslash = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The elements that end within `chunk`."""
        found: list[Event] = []
        start = at = 0
        if self._after_backslash and chunk:
            self._after_backslash, at = False, 1
        while mark := (_INSIDE if self._in_string else _OUTSIDE).search(chunk, at):
            at = mark.end()
            byte = mark.group()
            if byte == b"\\":
                self._after_backslash = at == len(chunk)
                at += 1
            elif byte == b'"':
                self._in_string = not self._in_string
            elif byte in b"[{":
                self._depth += 1
                if self._depth == 2:
                    start = mark.start()
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._element.add(chunk[start:at])
                    self._end_element(found)
        if self._depth >= 2:
            self._element.add(chunk[start:])
        return found

    def close(self) -> list[Event]:
        """Nothing: an element without its end tells nothing."""
        return []

    def _end_element(self, found: list[Event]) -> None:
        element = self._element.take()
        if element is None:
            self.skipped += 1
        elif element.startswith(b"{"):
            found.append(Event(b"", element))


class Document:
    """One JSON value, given out as one event at the end. `skipped` is 1 if it was larger than `cap` bytes."""

    def __init__(self, cap: int = PIECE_CAP) -> None:
        self.skipped = 0
        self._whole = Piece(cap)

    def feed(self, chunk: bytes) -> list[Event]:
        """Nothing yet."""
        self._whole.add(chunk)
        return []

    def close(self) -> list[Event]:
        """The document."""
        whole = self._whole.take()
        if whole is None:
            self.skipped += 1
        return [Event(b"", whole)] if whole else []


class Piece:
    """Bytes collected up to a cap; beyond it nothing is kept but the fact."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Append `part`."""
        self._size += len(part)
        if self._size > self._cap:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def take(self) -> bytes | None:
        """What was collected, None if it was too much; starts anew."""
        whole = b"".join(self._parts) if self._size <= self._cap else None
        self._parts.clear()
        self._size = 0
        return whole
