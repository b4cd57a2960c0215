"""What has been sent literally so far, line by line, and where a window of lines can be found again.

Lines are interned to small numbers by their text without a displayed number, so that comparing runs compares integers.
They stand in flat rows, one text after the other; a cut (an id that no line has) separates texts, and stands where a
marker stands, so that no run crosses either. Of a window its last row is known, and each row knows the one before it;
only the newest few are looked at: a reference goes to the nearest source anyway, and common windows (blank, brace,
blank) stay cheap.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from tokenpak.core.lines import Lines, Style, first_line
from tokenpak.core.tags import tagged

WINDOW = 3
PLACES = 8
"""Places of a window that are looked at."""

_CUT = _NOWHERE = -1

Window = int
"""A hash of three ids that follow each other. Two windows may share one: whoever finds a place compares the lines."""


class Read(NamedTuple):
    """A text, its lines taken apart, the interned ids of those, and the window that begins at each but the last two."""

    text: str
    lines: Lines
    ids: list[int]
    windows: list[Window]


class Rows:
    """Parallel lists: a line, its interned id, its displayed number (-1: none), its numbering style, its run."""

    __slots__ = ("ids", "lines", "numbers", "runs", "styles")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.ids: list[int] = []
        self.numbers: list[int] = []
        self.styles: list[Style | None] = []
        self.runs: list[int] = []

    def take(self, read: Read, start: int, end: int) -> None:
        """Append the lines start..end of a text."""
        self.lines += read.lines.lines[start:end]
        self.ids += read.ids[start:end]
        self.numbers += read.lines.numbers[start:end]
        self.styles += read.lines.styles[start:end]
        self.runs += read.lines.runs[start:end]
        self._end_runs(len(self.runs))

    def copy(self) -> "Rows":
        """The same rows, to be changed by themselves."""
        rows = Rows()
        rows.lines, rows.ids = self.lines[:], self.ids[:]
        rows.numbers, rows.styles, rows.runs = self.numbers[:], self.styles[:], self.runs[:]
        return rows

    def cut(self) -> None:
        """Append a cut."""
        self.lines.append("")
        self.ids.append(_CUT)
        self.numbers.append(-1)
        self.styles.append(None)
        self.runs.append(1)

    def blot(self, start: int, end: int) -> None:
        """Turn rows into cuts: a marker will stand for them."""
        for at in range(start, end):
            self.lines[at], self.ids[at], self.numbers[at], self.styles[at], self.runs[at] = "", _CUT, -1, None, 1
        self._end_runs(start)

    def _end_runs(self, end: int) -> None:
        """No run goes beyond the row before `end`."""
        at = end - 1
        while at >= 0 and self.runs[at] > end - at:
            self.runs[at] = end - at
            at -= 1

    def regular(self, at: int, end: int) -> int:
        """How many rows from `at` on are numbered one after the other in one style; 0 where the first has no number."""
        return 0 if self.styles[at] is None else min(self.runs[at], end - at)

    def plain(self, at: int, end: int) -> int:
        """How many rows from `at` on show no number."""
        return 0 if self.styles[at] is not None else min(self.runs[at], end - at)


def rows_of(read: Read) -> Rows:
    """A whole text as rows, without copying: not to be changed."""
    rows = Rows()
    rows.lines, rows.ids, rows.runs = read.lines.lines, read.ids, read.lines.runs
    rows.numbers, rows.styles = read.lines.numbers, read.lines.styles
    return rows


class Source(NamedTuple):
    """One text and its place in the rows, from start to end; its names; the path it is about ("": none)."""

    text: str
    rows: Rows
    start: int
    end: int
    labels: tuple[str, ...]
    path: str
    whole: bool = False

    def by_number(self, first: int, last: int) -> int | None:
        """Where the lines displayed as first..last begin, following each other in one style."""
        rows, at = self.rows, self.start
        while True:
            try:
                at = rows.numbers.index(first, at, self.end)
            except ValueError:
                return None
            if rows.regular(at, self.end) > last - first:
                return at
            at += 1

    def by_anchor(self, anchor: str, count: int, after: int = 0) -> int | None:
        """Where `count` lines begin, at row `after` or later, of which the first begins with the anchor."""
        for start in self._starts(anchor):
            at = self.start + start
            if at >= after and at + count <= self.end and _CUT not in self.rows.ids[at : at + count]:
                return at
        return None

    def _starts(self, anchor: str) -> Iterator[int]:
        """The rows, counted from the source's first, whose lines begin with the anchor, blanks set aside."""
        text, at = self.text, self.text.find(anchor)
        if at >= 0 and not self.whole:
            lines = self.rows.lines[self.start : self.end]
            yield from (at for at, line in enumerate(lines) if line.lstrip().startswith(anchor))
            return
        while at >= 0:
            start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            if not text[start:at].strip():
                yield text.count("\n", 0, start)
            at = text.find(anchor, end) if end >= 0 else -1


class Index:
    """The sources of one conversation so far."""

    def __init__(self) -> None:
        self._vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
        self._rows = Rows()
        self._last: dict[Window, int] = {}
        self._before: list[int] = []
        self._sources: list[Source] = []
        self._starts: list[int] = []
        self._named: dict[str, list[Source]] = {}
        self._latest: dict[str, str | None] = {}
        self._tagged: dict[str, str] = {}
        self._first_lines: dict[str, str] = {}
        self._unlike = _CUT

    def read(self, text: str, lines: Lines) -> Read:
        """A text with its lines interned. An edge is like no other line."""
        ids = list(map(self._vocabulary.__getitem__, lines.bodies))
        for edge in lines.edges:
            self._unlike -= 1
            ids[edge] = self._unlike
        return Read(text, lines, ids, list(map(hash, zip(ids, ids[1:], ids[2:], strict=False))))

    def latest(self, label: str) -> str | None:
        """The nearest earlier text of a name, if it stands there itself."""
        return self._latest.get(label)

    def tagged(self, tag: str) -> str | None:
        """The nearest earlier block of a tag."""
        return self._tagged.get(tag)

    def first_line(self, tool: str) -> str | None:
        """The first line of the nearest earlier result of a tool that shows its own."""
        return self._first_lines.get(tool)

    def hear(self, text: str, stays: Sequence[tuple[int, int]], tool: str) -> None:
        """Take note of the first line (tool: whose result, "" for none) and of blocks between tags, as far as they stay."""
        if tool and stays and stays[0][0] == 0:
            self._first_lines[tool] = first_line(text)
        for start, end in stays:
            for tag, a, b in tagged(text, start, end):
                self._tagged[tag] = text[a:b]

    def passed(self, labels: Sequence[str], text: str | None) -> None:
        """A text has been sent: itself, or None where some of it has been replaced."""
        self._latest.update(dict.fromkeys(labels, text))

    def places(self, window: Window) -> list[tuple[Source, int]]:
        """Where a window of three lines stands, oldest first."""
        out: list[tuple[Source, int]] = []
        at = self._last.get(window, _NOWHERE)
        while at != _NOWHERE and len(out) < PLACES:
            out.append((self._sources[bisect_right(self._starts, at) - 1], at))
            at = self._before[at]
        return out[::-1]

    def known(self, windows: Sequence[Window]) -> set[Window]:
        """Those of the windows that stand anywhere."""
        return self._last.keys() & windows

    def add(self, labels: tuple[str, ...], path: str, read: Read, stays: list[tuple[int, int]]) -> None:
        """A text has been sent; the ranges of its lines that stay as they are may be referred to from now on."""
        rows, start = self._rows, len(self._rows.ids)
        for begin, end in stays:
            base = len(rows.ids)
            rows.take(read, begin, end)
            rows.cut()
            self._enter(read.windows[begin : max(begin, end - WINDOW + 1)], base, len(rows.ids))
        source = Source(
            read.text, rows, start, len(rows.ids), labels, path, whole=len(stays) == 1 and read.lines.ends is None
        )
        self._sources.append(source)
        self._starts.append(start)
        for label in labels:
            self._named.setdefault(label, []).append(source)

    def _enter(self, windows: list[Window], base: int, end: int) -> None:
        """Windows that begin at rows from `base` on; none begins at the other rows up to `end`."""
        last, before = self._last, self._before
        for at, window in enumerate(windows, base):
            before.append(last.get(window, _NOWHERE))
            last[window] = at
        before += [_NOWHERE] * (end - len(before))

    def named(self, label: str) -> list[Source]:
        """The sources that go by a label, in the order they were sent."""
        return self._named.get(label, [])
