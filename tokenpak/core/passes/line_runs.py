"""Runs of lines that the model has already seen become one line that says where.

A run is matched by the text of its lines, displayed line numbers set aside, so that a file read again after an edit
still matches with its numbers shifted, and the echo of a Write matches the argument it was written from. Difficulties,
in order: a reference must resolve for the reader, by the rule of `markers` (nearest earlier source of that name that
shows those lines), so every candidate is checked against all later sources of its name; only lines that are sent
literally may be sources; and many small references make a mosaic nobody can read, so thresholds rise with the distance
of source and target, and double until a text holds at most six.

The index grows block by block and is never rebuilt within a conversation: deciding one block costs that block only.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

import msgspec

from tokenpak.core import markers
from tokenpak.core.markers import Marker, Style
from tokenpak.core.passes.index import PLACES, WINDOW, Index, Read, Rows, Source, Window, rows_of
from tokenpak.core.patch import Change

NAME = "line-runs"
MOST_REFERENCES = 6
_TRIMMED = 4
_PATIENCE = 24
_NAMING = 64
_LEAST_EFFORT, _EFFORT_PER_LINE = 65_536, 32
_SHORTEST_ANCHOR = 4


class Threshold(NamedTuple):
    """What a run must have: lines, and tokens saved net of its marker."""

    lines: int
    tokens: int


SAME_FILE, OTHER_SOURCE, SAME_TEXT = Threshold(4, 24), Threshold(8, 48), Threshold(12, 64)
"""By relation of source and target; measured to cost 1.5 points of savings against the smallest useful values."""


SHORTEST_RUN = min(SAME_FILE.lines, OTHER_SOURCE.lines, SAME_TEXT.lines)
"""Lines that the shortest run of all has."""


class Weigher(Protocol):
    """Token counts with bounds, so that a saving is never overestimated. An exact tokenizer's bounds are equal."""

    def at_least(self, text: str, /) -> int:
        """A lower bound."""

    def at_most(self, text: str, /) -> int:
        """An upper bound."""


class Target(NamedTuple):
    """A text to be decided: chain before its block, its index in the block, itself, the path it is about ("": none)."""

    chain: bytes
    part: int
    read: Read
    path: str


class Run(NamedTuple):
    """A match: `length` target lines from `at`, and the marker for them, its check and prefix still open.

    style: how the source that the marker leads to numbers its lines. weight: tokens of the lines.
    """

    at: int
    length: int
    marker: Marker
    style: Style | None
    weight: int


def propose(index: Index, target: Target, weigher: Weigher) -> list[Change]:
    """The changes for one text, sorted."""
    ids = target.read.ids
    windows = list(zip(ids, ids[1:], ids[2:], strict=False))
    factor = 1
    while True:
        search = _Search(index, target, windows, weigher, factor)
        runs = search.runs()
        if len(runs) <= MOST_REFERENCES:
            return search.changes(runs)
        factor *= 2


class _Search:
    """One walk over a text's lines with thresholds multiplied by a fixed factor.

    Its effort is bounded, in lines compared: some texts (all lines alike, say) have more matches than are worth trying.
    """

    def __init__(self, index: Index, target: Target, windows: list[Window], weigher: Weigher, factor: int) -> None:
        self._index, self._target, self._windows, self._weigher, self._factor = index, target, windows, weigher, factor
        self._here = rows_of(target.read)
        self._repeats = _repeats(windows)
        rows = self._here.copy() if self._repeats else Rows()
        self._own = Source(target.read.text, rows, 0, len(target.read.ids), (markers.SELF,), "")
        self._fewest = SHORTEST_RUN * factor
        self._alike, self._copied, self._worthless = _Reach(), _Reach(), _Reach()
        self._effort = _LEAST_EFFORT + _EFFORT_PER_LINE * len(target.read.ids)

    def runs(self) -> list[Run]:
        """The runs to be replaced, in order."""
        runs: list[Run] = []
        at = 0
        for hit in self._promising():
            if hit < at:
                continue
            if self._effort < 0:
                break
            at = hit
            best = self._best(at)
            if best is None or self._longer_one_line_on(best):
                continue
            runs.append(best)
            at = best.at + best.length
            if self._repeats:
                self._own.rows.blot(best.at, at)  # what is replaced cannot be referred to
                self._alike.forget(self._own)
            if len(runs) > MOST_REFERENCES:
                break
        return runs

    def _promising(self) -> list[int]:
        """Lines where a run may start: as many windows as the shortest run has must be known from there on."""
        streak, out, needed = 0, [], self._fewest - WINDOW + 1
        for at in range(len(self._windows) - 1, -1, -1):
            window = self._windows[at]
            streak = streak + 1 if self._index.has(window) or window in self._repeats else 0
            if streak >= needed:
                out.append(at)
        return out[::-1]

    def _longer_one_line_on(self, best: Run) -> bool:
        """A short match must not block a longer one that starts a line later."""
        at = best.at + 1
        if best.length > _PATIENCE or at >= len(self._windows):
            return False
        longest = max((count for count, _, _ in self._matches(at)), default=0)
        later = self._best(at) if longest > best.length else None
        return later is not None and later.length > best.length

    def _matches(self, at: int) -> list[tuple[int, Source, int]]:
        """What the lines from `at` on match: how many lines, and where."""
        window = self._windows[at]
        places = self._index.places(window)
        here = self._repeats.get(window, [])
        before = bisect_left(here, at)
        near = here[max(0, before - PLACES) : before]
        places += [(self._own, there) for there in (here[:1] if near and near[0] > here[0] else []) + near]
        return [(self._extent(at, source, there), source, there) for source, there in places]

    def _best(self, at: int) -> Run | None:
        """The longest run from line `at` on that pays and that a reader can resolve."""
        for count, source, there in sorted(self._matches(at), key=lambda match: match[0], reverse=True):
            if count < self._fewest:
                return None
            threshold = self._threshold(source)
            if count < threshold.lines * self._factor or self._worthless.until(source, there - at) > at:
                continue
            run = self._readable(at, source, there, count, threshold.lines * self._factor)
            if run is None:
                continue
            if run.weight - self._weigher.at_most(markers.render(run.marker)) >= threshold.tokens * self._factor:
                return run
            self._worthless.reaches(source, there - at, run.at + run.length)  # no part of it is worth more
        return None

    def _extent(self, at: int, source: Source, there: int) -> int:
        """How many lines from `at` on are those from `there` on. Of its own text, only lines before `at` count."""
        ids, theirs, by = self._target.read.ids, source.rows.ids, there - at
        end = self._alike.until(source, by)
        if end <= at:
            end, last = at, min(len(ids), source.end - by)
            while end < last and ids[end] == theirs[end + by]:
                end += 1
            self._alike.reaches(source, by, end)
            self._effort -= end - at
        return min(end - at, at - there) if source is self._own else end - at

    def _copies(self, at: int, source: Source, there: int, count: int) -> int:
        """How many of `count` lines from `at` on are those from `there` on to the letter, displayed numbers included."""
        ours, theirs, by = self._here.lines, source.rows.lines, there - at
        end = self._copied.until(source, by)
        if end <= at:
            end, last = at, self._alike.until(source, by)
            while end < last and ours[end] == theirs[end + by]:
                end += 1
            self._copied.reaches(source, by, end)
        return min(end - at, count)

    def _threshold(self, source: Source) -> Threshold:
        if source is self._own:
            return SAME_TEXT
        return SAME_FILE if source.path and source.path == self._target.path else OTHER_SOURCE

    def _readable(self, at: int, source: Source, there: int, count: int, fewest: int) -> Run | None:
        """The run with a marker that resolves to these lines, trimmed where its first lines make no anchor."""
        for skip in range(_TRIMMED + 1):
            bare = self._form(at + skip, source, there + skip, count - skip)
            if bare.count < fewest:
                return None
            self._effort -= _NAMING
            named = self._named(bare, source, there + skip)
            if named is not None:
                lines = self._target.read.lines.lines[at + skip : at + skip + bare.count]
                return Run(at + skip, bare.count, named[0], named[1], self._weigher.at_least("\n".join(lines)))
        return None

    def _form(self, at: int, source: Source, there: int, count: int) -> Marker:
        """The marker, still nameless, for as many of the lines as one can stand for: by numbers, or by an anchor."""
        ours, theirs = self._here, source.rows
        first, origin = ours.numbers[at], theirs.numbers[there]
        ours_run = ours.regular(at, at + count) if first >= 0 else ours.plain(at, at + count)
        theirs_run = theirs.regular(there, there + count) if origin >= 0 else theirs.plain(there, there + count)
        renumbered = min(ours_run, theirs_run)
        copied = self._copies(at, source, there, count)
        if renumbered >= copied and origin >= 0:
            return Marker(renumbered, "", first if first >= 0 else None, lines=(origin, origin + renumbered - 1))
        shown = first if first >= 0 and renumbered >= copied else None
        return Marker(max(renumbered, copied), "", shown, anchor=markers.anchor_of(theirs.lines[there]))

    def _named(self, bare: Marker, source: Source, there: int) -> tuple[Marker, Style | None] | None:
        """The marker under the first label that leads a reader to these very lines, and the style shown there."""
        if bare.anchor is not None and len(bare.anchor) < _SHORTEST_ANCHOR:
            return None
        for label in source.labels:
            marker = msgspec.structs.replace(bare, label=label)
            found = self._nearest(marker, source)
            if found is None or not _shows_the_same(marker, found, (source, there)):
                continue
            if markers.parse(markers.render(marker)) == marker:
                return marker, found[0].rows.styles[found[1]]
        return None

    def _nearest(self, marker: Marker, source: Source) -> tuple[Source, int] | None:
        """Where the rule leads: the nearest source of the label that shows the lines."""
        sources = [self._own] if source is self._own else self._index.named(marker.label)
        for each in reversed(sources):
            at = each.by_number(*marker.lines) if marker.lines else each.by_anchor(marker.anchor or "", marker.count)
            if at is not None:
                return each, at
        return None

    def changes(self, runs: Sequence[Run]) -> list[Change]:
        """The runs as changes. What the markers must say about numbering is known only now: it depends on what stays."""
        worded = self._worded(runs)
        while not all(net > 0 for _, _, net in worded):  # what they must say made some too dear
            paying = [run for run, _, net in worded if net > 0]
            worded = self._worded([run for run in paying if run.marker.label != markers.SELF])
        ends = list(accumulate(map(len, self._target.read.lines.lines), initial=0))
        return [
            Change(
                self._target.part,
                ends[run.at] + run.at,
                ends[run.at + run.length] + run.at + run.length - 1,  # a line feed a line, but for the last
                words,
                NAME,
                net,
            )
            for run, words, net in worded
        ]

    def _worded(self, runs: Sequence[Run]) -> list[tuple[Run, str, int]]:
        """The runs with the words of their finished markers, and the tokens each saves net of them."""
        if not runs:
            return []
        replaced = {i for run in runs for i in range(run.at, run.at + run.length)}
        shown = next((style for i, style in enumerate(self._here.styles) if style and i not in replaced), None)
        worded = [(run, markers.render(self._finished(run, shown))) for run in runs]
        return [(run, words, run.weight - self._weigher.at_most(words)) for run, words in worded]

    def _finished(self, run: Run, shown: Style | None) -> Marker:
        """The marker with its check, and with the numbering spelled out where nothing in sight tells it."""
        target, style = self._target, self._here.styles[run.at]
        prefix = None
        if run.marker.first is not None and style is not None and (shown or run.style) != style:
            prefix = style.prefix(run.marker.first)
        marker = msgspec.structs.replace(run.marker, prefix=prefix)
        lines = target.read.lines.lines[run.at : run.at + run.length]
        check = markers.check(target.chain, target.part, run.at, marker, lines)
        return msgspec.structs.replace(marker, check=check)


class _Reach:
    """How far something holds along a line of matches: up to which line of the target, by source and distance to it.

    So a long match is walked along once, and not again from each of its lines.
    """

    def __init__(self) -> None:
        self._ends: dict[tuple[int, int], int] = {}

    def until(self, source: Source, distance: int) -> int:
        """The line where it ends, 0 where nothing is known."""
        return self._ends.get((id(source.rows), distance), 0)

    def reaches(self, source: Source, distance: int, end: int) -> None:
        """It is now known to hold up to a line."""
        self._ends[id(source.rows), distance] = end

    def forget(self, source: Source) -> None:
        """The lines of a source have changed."""
        self._ends = {key: end for key, end in self._ends.items() if key[0] != id(source.rows)}


def _repeats(windows: list[Window]) -> dict[Window, list[int]]:
    """The places of the windows that a text has more than once."""
    if len(set(windows)) == len(windows):
        return {}
    first: dict[Window, int] = {}
    again: dict[Window, list[int]] = {}
    for at, window in enumerate(windows):
        known = first.setdefault(window, at)
        if known != at:
            again.setdefault(window, [known]).append(at)
    return again


def _shows_the_same(marker: Marker, found: tuple[Source, int], place: tuple[Source, int]) -> bool:
    """True when both places show the same lines, as far as the marker speaks of them."""
    if found == place:
        return True
    (a, i), (b, j), count = found, place, marker.count
    ours, theirs = (a.rows.lines, b.rows.lines) if marker.lines is None else (a.rows.ids, b.rows.ids)
    return ours[i] == theirs[j] and ours[i : i + count] == theirs[j : j + count]
