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
from functools import cached_property
from typing import NamedTuple

import msgspec

from tokenpak.core import markers
from tokenpak.core.lines import Style
from tokenpak.core.markers import THERE, Reference
from tokenpak.core.names import SELF
from tokenpak.core.passes.index import PLACES, WINDOW, Index, Read, Rows, Source, Window, rows_of
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

NAME = "line-runs"
MOST_REFERENCES = 6
"""Markers in one text."""
_MOST_RUNS = 32
_MANY, _SHORT = 4, 12
_TRIMMED = 4
_PATIENCE = 24
_NAMING = 64
_LEAST_EFFORT, _EFFORT_PER_LINE = 65_536, 32
_SHORTEST_ANCHOR = 4


class Threshold(NamedTuple):
    """What a run must have: lines, and tokens saved net of its marker."""

    lines: int
    tokens: int


SAME_FILE, OTHER_SOURCE, SAME_TEXT, CONTINUED = Threshold(4, 24), Threshold(8, 48), Threshold(12, 64), Threshold(4, 24)
"""By relation of source and target; measured to cost 1.5 points of savings against the smallest useful values.

CONTINUED: for a run that goes on in the source of the run before it.
"""


SHORTEST_RUN = min(SAME_FILE.lines, OTHER_SOURCE.lines, SAME_TEXT.lines, CONTINUED.lines)
"""Lines that the shortest run of all has."""


class Run(NamedTuple):
    """A match: `length` target lines from `at`, and the marker for them, its check and prefix still open.

    style: how the source that the marker leads to numbers its lines. weight: tokens of the lines.
    source: where the lines were found, and their row there. end: the source that the marker leads to, and the row behind
    the lines there.
    """

    at: int
    length: int
    marker: Reference
    style: Style | None
    weight: int
    source: tuple[Source, int]
    end: tuple[Source, int]


def propose(index: Index, target: Target, weigher: Weigher) -> list[Change]:
    """The changes for one text, sorted."""
    if target.read is None:
        return []
    best: list[Change] = []
    factor = 1
    while True:  # a reader can follow few: the best of all runs, or runs that must be longer, whatever saves more
        search = _Search(index, target, target.read, weigher, factor)
        runs = search.runs()
        readable = runs
        while len(readable) > MOST_REFERENCES or _is_mosaic(readable):
            readable = search.named_again(_most_saving(readable))
        best = max(best, search.changes(readable), key=_saved)
        if len(runs) <= MOST_REFERENCES:
            return best
        factor *= 2


def _saved(changes: Sequence[Change]) -> int:
    return sum(change.saved for change in changes)


def _most_saving(runs: Sequence[Run]) -> list[Run]:
    """The runs that save most, in order: as many as may stay, or one fewer than there are."""
    best = sorted(runs, key=lambda run: -run.weight)[: min(MOST_REFERENCES, len(runs) - 1)]
    return sorted(best, key=lambda run: run.at)


def _is_mosaic(runs: Sequence[Run]) -> bool:
    """True for a text put together from many short runs: it is exact, but a reader would rather see it again."""
    return len(runs) >= _MANY and sum(run.length for run in runs) < _SHORT * len(runs)


class _Search:
    """One walk over a text's lines with thresholds multiplied by a fixed factor.

    Its effort is bounded, in lines compared: some texts (all lines alike, say) have more matches than are worth trying.
    """

    def __init__(self, index: Index, target: Target, read: Read, weigher: Weigher, factor: int) -> None:
        self._index, self._target, self._read = index, target, read
        self._weigher, self._factor = weigher, factor
        self._windows = read.windows
        self._here = rows_of(read)
        self._repeats = _repeats(self._windows)
        rows = self._here.copy() if self._repeats else Rows()
        self._own = Source(target.text, rows, 0, len(read.ids), (SELF,), "")
        self._alike, self._copied, self._worthless = _Reach(), _Reach(), _Reach()
        self._effort = _LEAST_EFFORT + _EFFORT_PER_LINE * len(read.ids)
        self._there: tuple[Source, int] | None = None

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins. Most texts match nothing, and nobody asks."""
        return self._read.lines.starts()

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
            self._take(best)
            at = best.at + best.length
            if len(runs) >= _MOST_RUNS:
                break
        return runs

    def named_again(self, runs: Sequence[Run]) -> list[Run]:
        """The runs as they are when no others are made: named anew, and those left out that nobody could follow now."""
        self._there = None
        if self._repeats:
            self._own = self._own._replace(rows=self._here.copy())
            self._alike, self._copied = _Reach(), _Reach()
        out: list[Run] = []
        for run in runs:
            source = self._own if run.source[0].labels == (SELF,) else run.source[0]
            again = self._readable(run.at, source, run.source[1], run.length, SHORTEST_RUN * self._factor)
            if again is not None:
                out.append(again)
                self._take(again)
        return out

    def _take(self, run: Run) -> None:
        """A run is made: what it replaces cannot be referred to, and the next one may go on where it has led."""
        self._there = run.end if run.marker.label != SELF else None
        if self._repeats:
            self._own.rows.blot(run.at, run.at + run.length)
            self._alike.forget(self._own)

    def _promising(self) -> list[int]:
        """Lines where a run may start: as many windows as the shortest run has must be known from there on."""
        needed = SHORTEST_RUN * self._factor - WINDOW + 1
        windows = self._index.known(self._windows) | self._repeats.keys()
        known = [at for at, window in enumerate(self._windows) if window in windows] if windows else []
        return [at for at, end in zip(known, known[needed - 1 :], strict=False) if end - at == needed - 1]

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
            if count < SHORTEST_RUN * self._factor:
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
        ids, theirs, by = self._read.ids, source.rows.ids, there - at
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
        if self._there is not None and source is self._there[0]:
            return CONTINUED
        same = source.path == self._target.path if source.path else source.labels == self._target.labels
        return SAME_FILE if same else OTHER_SOURCE

    def _readable(self, at: int, source: Source, there: int, count: int, fewest: int) -> Run | None:
        """The run with a marker that resolves to these lines, trimmed where its first lines make no anchor."""
        for skip in range(_TRIMMED + 1):
            bare = self._form(at + skip, source, there + skip, count - skip)
            if bare.count < fewest:
                return None
            self._effort -= _NAMING
            named = self._named(bare, source, there + skip)
            if named is not None:
                marker, (found, row) = named
                weight = self._weigher.at_least(self._text(at + skip, bare.count))
                style, end = found.rows.styles[row], (found, row + bare.count)
                return Run(at + skip, bare.count, marker, style, weight, (source, there + skip), end)
        return None

    def _text(self, at: int, count: int) -> str:
        """The lines from `at` on, as they stand in the text."""
        return self._target.text[slice(*self._range(at, count))]

    def _range(self, at: int, count: int) -> tuple[int, int]:
        lines, last = self._read.lines, at + count - 1
        return self._starts[at], self._starts[last] + len(lines.lines[last])

    def _form(self, at: int, source: Source, there: int, count: int) -> Reference:
        """The marker, still nameless, for as many of the lines as one can stand for: by numbers, or by an anchor."""
        ours, theirs = self._here, source.rows
        first, origin = ours.numbers[at], theirs.numbers[there]
        ours_run = ours.regular(at, at + count) if first >= 0 else ours.plain(at, at + count)
        theirs_run = theirs.regular(there, there + count) if origin >= 0 else theirs.plain(there, there + count)
        renumbered = min(ours_run, theirs_run)
        copied = self._copies(at, source, there, count)
        if renumbered >= copied and origin >= 0:
            return Reference(renumbered, "", first if first >= 0 else None, lines=(origin, origin + renumbered - 1))
        shown = first if first >= 0 and renumbered >= copied else None
        return Reference(max(renumbered, copied), "", shown, anchor=markers.anchor_of(theirs.lines[there]))

    def _named(self, bare: Reference, source: Source, there: int) -> tuple[Reference, tuple[Source, int]] | None:
        """The marker under the first label that leads a reader to these very lines, and where it leads."""
        if bare.anchor is not None and len(bare.anchor) < _SHORTEST_ANCHOR:
            return None
        goes_on = self._there is not None and source is self._there[0]
        for label in (THERE, *source.labels) if goes_on else source.labels:
            marker = msgspec.structs.replace(bare, label=label)
            found = self._nearest(marker, source)
            if found is None or not _shows_the_same(marker, found, (source, there)):
                continue
            if markers.parse(markers.render(marker)) == marker:
                return marker, found
        return None

    def _nearest(self, marker: Reference, source: Source) -> tuple[Source, int] | None:
        """Where the rule leads: the nearest source of the label that shows the lines."""
        if marker.label == THERE and self._there is not None:
            there, after = self._there
            row = (
                there.by_number(*marker.lines)
                if marker.lines
                else there.by_anchor(marker.anchor or "", marker.count, after)
            )
            return None if row is None else (there, row)
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
            worded = self._worded(_paying(worded))
        part = self._target.place.part
        return [Change(part, *self._range(run.at, run.length), words, NAME, net) for run, words, net in worded]

    def _worded(self, runs: Sequence[Run]) -> list[tuple[Run, str, int]]:
        """The runs with the words of their finished markers, and the tokens each saves net of them."""
        if not runs:
            return []
        replaced = {i for run in runs for i in range(run.at, run.at + run.length)}
        shown = next((style for i, style in enumerate(self._here.styles) if style and i not in replaced), None)
        worded = [(run, markers.render(self._finished(run, shown))) for run in runs]
        return [(run, words, run.weight - self._weigher.at_most(words)) for run, words in worded]

    def _finished(self, run: Run, shown: Style | None) -> Reference:
        """The marker with its check, and with the numbering spelled out where nothing in sight tells it."""
        style = self._here.styles[run.at]
        prefix = None
        if run.marker.first is not None and style is not None and (shown or run.style) != style:
            prefix = style.prefix(run.marker.first)
        marker = msgspec.structs.replace(run.marker, prefix=prefix)
        return self._target.place.signed(marker, self._starts[run.at], self._text(run.at, run.length))


def _paying(worded: Sequence[tuple[Run, str, int]]) -> list[Run]:
    """The runs that are worth their words, without those that lean on one that is not."""
    out: list[Run] = []
    broken = False
    for run, _, net in worded:
        if net <= 0 or run.marker.label == SELF or (broken and run.marker.label == THERE):
            broken = True
        else:
            broken = False
            out.append(run)
    return out


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


def _shows_the_same(marker: Reference, found: tuple[Source, int], place: tuple[Source, int]) -> bool:
    """True when both places show the same lines, as far as the marker speaks of them."""
    if found == place:
        return True
    (a, i), (b, j), count = found, place, marker.count
    ours, theirs = (a.rows.lines, b.rows.lines) if marker.lines is None else (a.rows.ids, b.rows.ids)
    return ours[i] == theirs[j] and ours[i : i + count] == theirs[j : j + count]
