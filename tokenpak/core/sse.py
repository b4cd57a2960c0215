"""Server-sent events, read incrementally beside the stream.

The rules are those of the HTML standard, section 9.2.6 (event stream interpretation): lines end with LF, CR or CRLF,
data lines of one event are joined by LF, a colon opens a comment, one byte order mark may stand at the very start.
The difficulty is that a chunk may end anywhere, between CR and LF and inside the mark included, and that memory must
stay bounded: an event beyond the cap is passed over to its end and counted. Unlike a browser, `close` gives out an
event whose blank line never came, as its data may be the only usage a cut stream has told.
"""

from typing import NamedTuple

EVENT_CAP = 8 * 2**20
"""Bytes. The last event of a Responses stream repeats the whole reply, images included; larger ones are not usage."""

_BOM = b"\xef\xbb\xbf"
_PLACEHOLDER = b":"
"""Stands for the dropped beginning of a line, so that its end is not taken for a blank line."""


class Event(NamedTuple):
    """An event: the value of its last `event` line (empty: none), and its data."""

    name: bytes
    data: bytes


class Events:
    """A stream of bytes in, events out. `skipped` counts events beyond `cap` bytes."""

    def __init__(self, cap: int = EVENT_CAP) -> None:
        self.skipped = 0
        self._cap = cap
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._name = b""
        self._held = 0
        self._passing_over = self._begun = self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end within `chunk`."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            if chunk:
                self._hold(chunk)
            return []
        whole = b"".join((*self._line, chunk)) if self._line else chunk
        self._line.clear()
        lines = whole.splitlines()  # of bytes: at LF, CR and CRLF, nothing else
        self._after_cr = whole[-1] == 0x0D
        rest = b"" if whole[-1] in b"\r\n" else lines.pop()
        found = self._take(lines)
        self._held = sum(map(len, self._data))
        if rest:
            self._hold(rest)
        return found

    def close(self) -> list[Event]:
        """The event the stream ended in, if any."""
        rest = b"".join(self._line)
        self._line.clear()
        return self._take([rest, b""])

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._cap:
            self._pass_over()
        if self._passing_over:
            self._line[:] = [_PLACEHOLDER]
        else:
            self._line.append(part)

    def _pass_over(self) -> None:
        self._passing_over = True
        self._data.clear()
        self._held = 0

    def _take(self, lines: list[bytes]) -> list[Event]:
        if not self._begun and lines:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        found: list[Event] = []
        for line in lines:
            if not line:
                self._end_event(found)
            elif self._passing_over:
                continue
            elif line.startswith(b"data:"):
                self._add(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[7:] if line[6:7] == b" " else line[6:]
            elif line == b"data":
                self._add(b"")
            elif line == b"event":
                self._name = b""
        return found

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        if len(value) > self._cap or (len(self._data) > 1 and sum(map(len, self._data)) > self._cap):
            self._pass_over()

    def _end_event(self, found: list[Event]) -> None:
        if self._passing_over:
            self.skipped += 1
            self._passing_over = False
        elif self._data:
            found.append(Event(self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)))
            self._data.clear()
        self._name = b""
