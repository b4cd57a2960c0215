"""What a model reads, put back: every marker in a request replaced by what it stands for, from the sent bytes alone.

This file knows no pass, no patch, no plan and no original. It reads a request front to back as a model would and keeps
what it has seen under the names that markers use. A marker resolves by one rule: the nearest earlier source of that
name that shows those lines. The difficulty is honesty: only lines that stand in the sent request themselves may be
copied (never lines that a marker stands for), and whatever fails its check is text. A text with one such line is
opaque as a whole: nothing in it is expanded, and nothing refers to it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, assert_never

import msgspec

from tokenpak.core import json_text, markers
from tokenpak.core.body import Block, Kind, Unreadable, read
from tokenpak.core.body.model import chain_after, digest_of, first_chain
from tokenpak.core.lines import ESCAPED_END, Style, first_line, first_style, split
from tokenpak.core.markers import FirstLine, FoundIn, Json, Place, Prefixed, Reference, Repeated, Unpadded, Whole
from tokenpak.core.names import SELF, Names, argument_labels
from tokenpak.core.numbers import padded
from tokenpak.core.patch import Format
from tokenpak.core.tags import tagged

_NUMBER = re.compile(r"[0-9]{1,7}([:-])")
_PADDING_TAKEN = f"[{Unpadded().words()} "
_TARGETS = frozenset({Kind.RESULT, Kind.USER})


class _Found(NamedTuple):
    """Lines of a source: without displayed numbers where they were asked for by number, their style, and their end."""

    lines: list[str]
    style: Style | None
    end: int


class _Source:
    """A text as sent, and its lines that are markers: those show nothing, and no run may cross them."""

    __slots__ = ("_marked", "_text")

    def __init__(self, text: str, marked: frozenset[str]) -> None:
        self._text, self._marked = text, marked

    def by_number(self, first: int, last: int) -> _Found | None:
        """The texts of the lines displayed as first..last, where they follow each other in one style."""
        count = last - first + 1
        for start in self._begin(f"{first}", " ", 0):
            lines, end = self._lines(start, count)
            if len(lines) < count:
                return None  # too few are left here, fewer further on
            style = first_style(lines[0])
            bodies = style.bodies(lines, first) if style else None
            if bodies is not None:
                return _Found(bodies, style, end)
        return None

    def by_anchor(self, anchor: str, count: int, after: int = 0) -> _Found | None:
        """The `count` lines from the first one on, from place `after` on, that begins with the anchor."""
        for start in self._begin(anchor, None, after):
            lines, end = self._lines(start, count)
            if len(lines) == count and self._marked.isdisjoint(lines):
                return _Found(lines, None, end)
        return None

    def _begin(self, words: str, blanks: str | None, after: int) -> Iterator[int]:
        """Where the lines start that begin with the words, blanks before them set aside (None: any white space)."""
        text, at = self._text, self._text.find(words, after)
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            if start >= after and not text[start:at].strip(blanks):
                yield start
            end = text.find("\n", at)  # what comes later in a line does not begin it
            at = text.find(words, end + 1) if end >= 0 else -1

    def _lines(self, start: int, count: int) -> tuple[list[str], int]:
        """As many lines as there are from `start` on, up to `count`, and where they end; no more is looked at."""
        text, end = self._text, start - 1
        for _ in range(count):
            end = text.find("\n", end + 1)
            if end < 0:
                return text[start:].split("\n"), len(text)
        return text[start:end].split("\n"), end


class _Listed(_Source):
    """A source of which some lines end in a literal line end: its places are ordinals of lines."""

    __slots__ = ("_all",)

    def __init__(self, lines: list[str], marked: frozenset[str]) -> None:
        super().__init__("", marked)
        self._all = lines

    def _begin(self, words: str, blanks: str | None, after: int) -> Iterator[int]:
        for at in range(after, len(self._all)):
            if self._all[at].lstrip(blanks).startswith(words):
                yield at

    def _lines(self, start: int, count: int) -> tuple[list[str], int]:
        lines = self._all[start : start + count]
        return lines, start + len(lines)


def _source(text: str, marked: frozenset[str] = frozenset()) -> _Source:
    lines, ends, _ = split(text) if ESCAPED_END in text else ([], None, None)
    return _Source(text, marked) if ends is None else _Listed(lines, marked)


class Expander:
    """Feeds on the blocks of a sent request in canonical order; gives each back expanded."""

    def __init__(self, fmt: Format) -> None:
        self.chain = first_chain(fmt)
        """Chain hash, over the expanded blocks, after the last block fed."""
        self._sources: dict[str, list[_Source]] = {}
        self._latest: dict[str, str | None] = {}
        self._tagged: dict[str, str] = {}
        self._first_lines: dict[str, str] = {}
        self._names = Names()

    def feed(self, block: Block) -> Block:
        """The block with its markers expanded: the same object where it has none."""
        expanded = self._call(block) if block.kind is Kind.CALL else self._expanded(block)
        self.chain = chain_after(self.chain, expanded.digest)
        return expanded

    def _call(self, block: Block) -> Block:
        self._names.hear(block)
        for key, value in block.arguments:
            if "\n" in value and not markers.looks_like(value):
                labels, _ = self._names.call(block)
                self._show(argument_labels(key, labels), _source(value))
        return block

    def _expanded(self, block: Block) -> Block:
        texts: list[str] = []
        for part, text in enumerate(block.texts):
            labels, _ = self._names.text(block)
            if markers.looks_like(text.text):
                read = _Reading(self, text.text, Place(self.chain, part)) if block.kind in _TARGETS else None
                expanded = read.expanded() if read else None
                texts.append(text.text if expanded is None else expanded)
                if read and expanded is not None and not read.is_whole:
                    self._show(labels, _source(read.shown(), read.marked))
                    self._latest.update(dict.fromkeys(labels, None if read.marked else expanded))
                    self._hear(read.shown(), block)
                elif expanded is None:
                    self._latest.update(dict.fromkeys(labels))
            else:
                texts.append(text.text)
                if "\n" in text.text or ESCAPED_END in text.text:  # one line shows no run of lines
                    self._show(labels, _source(text.text))
                self._latest.update(dict.fromkeys(labels, text.text))
                self._hear(text.text, block)
        if all(new == old.text for new, old in zip(texts, block.texts, strict=True)):
            return block
        renewed = tuple(msgspec.structs.replace(old, text=new) for old, new in zip(block.texts, texts, strict=True))
        return msgspec.structs.replace(block, texts=renewed, digest=digest_of(block.shape, texts))

    def latest(self, label: str) -> str | None:
        """The nearest earlier text of a name, if it stands there itself."""
        return self._latest.get(label)

    def tagged(self, tag: str) -> str | None:
        """The nearest earlier block of a tag."""
        return self._tagged.get(tag)

    def first_line(self, tool: str) -> str | None:
        """The first line of the nearest earlier result of a tool that shows its own."""
        return self._first_lines.get(tool)

    def _hear(self, text: str, block: Block) -> None:
        call, first = self._names.caller(block), first_line(text)
        if call is not None and call.name and markers.parse(first) is None:
            self._first_lines[call.name] = first
        for tag, start, end in tagged(text, 0, len(text)):
            if not markers.looks_like(text[start:end]):
                self._tagged[tag] = text[start:end]

    def sources(self, label: str) -> list[_Source]:
        """The sources of a name, in the order they were shown."""
        return self._sources.get(label, [])

    def _show(self, labels: Iterable[str], source: _Source) -> None:
        for label in labels:
            self._sources.setdefault(label, []).append(source)


class _Reading:
    """One text with markers in it, read line by line."""

    def __init__(self, past: Expander, text: str, place: Place) -> None:
        self._past, self._text, self._place = past, text, place
        self.is_whole = False
        self.marked: frozenset[str] = frozenset()
        self._out: list[str] = []
        self._seen: list[str] = []
        self._size = 0
        self._there: tuple[_Source, int] | None = None

    def expanded(self) -> str | None:
        """The text with everything put back; None where something in it only looks like a marker."""
        text = _numbers_put_back(self._text, self._place)
        if text is None:
            return None
        found = [(match, marker) for match in markers.candidates(text) if (marker := markers.parse(match[0]))]
        self.marked = frozenset(match[0] for match, marker in found if not isinstance(marker, Prefixed | FoundIn))
        self._style = first_style(text)
        at = 0
        for match, marker in found:
            literal = text[at : match.start()]
            if match.start() < at or markers.looks_like(literal):
                return None
            self._take(literal, literal)
            put_back = self._put_back(marker, text, match.start(), match.end())
            if put_back is None or self._place.check(marker, self._size, put_back[0]) != marker.check:
                return None
            self._take(put_back[0], match[0] if match[0] in self.marked else put_back[0])
            at = put_back[1]
        if markers.looks_like(text[at:]):
            return None
        self._take(text[at:], text[at:])
        return "".join(self._out)

    def shown(self) -> str:
        """What the text shows itself: its literal lines, with markers for the rest."""
        return "".join(self._seen)

    def _take(self, original: str, shown: str) -> None:
        self._out.append(original)
        self._seen.append(shown)
        self._size += len(original)

    def _put_back(self, marker: markers.Marker, text: str, start: int, end: int) -> tuple[str, int] | None:
        """What a marker stands for, and where the text goes on behind it."""
        match marker:
            case Reference():
                between = ESCAPED_END if text.endswith(ESCAPED_END, 0, start) else "\n"
                lines = self._referred(marker, text[start:end] + between)
                return None if lines is None else (between.join(lines), end)
            case Whole():
                self.is_whole = True
                told = self._past.latest(marker.label) if start == 0 and end == len(text) else None
                return None if told is None else (told, end)
            case Repeated():
                told = self._past.tagged(marker.tag)
                return None if told is None else (told, end)
            case FirstLine():
                told = self._past.first_line(marker.tool) if start == 0 else None
                return None if told is None else (told, end)
            case Prefixed():
                return _rewritten(text, end, marker.count, lambda line: marker.prefix + line)
            case FoundIn():
                return _rewritten(text, end, marker.count, lambda line: _found_in(marker.path, line))
            case Json():
                return _rewritten(text, end, 1, lambda line: json_text.put_back(line, marker.layout, rows=marker.rows))
            case Unpadded():
                return None  # one is enough
            case _:
                assert_never(marker)

    def _referred(self, marker: Reference, said: str) -> list[str] | None:
        """The lines a reference stands for: those of the nearest earlier source of its name that shows them."""
        for source, after in self._candidates(marker.label, said):
            if marker.lines is not None:
                found = source.by_number(*marker.lines)
            else:
                found = source.by_anchor(marker.anchor or "", marker.count, after)
            if found is not None:
                self._there = (source, found.end) if marker.label != SELF else None
                return _renumbered(marker, found.lines, self._style or found.style)
        return None

    def _candidates(self, label: str, said: str) -> Iterator[tuple[_Source, int]]:
        if label == SELF:  # the marker, `said`, itself tells that literal ends count in its line
            yield _source(self.shown() + said, self.marked), 0
        elif label == markers.THERE:
            yield from [self._there] if self._there else []
        else:
            yield from ((source, 0) for source in reversed(self._past.sources(label)))


def _numbers_put_back(text: str, place: Place) -> str | None:
    """The text with the padding of its line numbers, where a marker says that it was taken; None where it lies."""
    for match in markers.candidates(text) if _PADDING_TAKEN in text else ():
        marker = markers.parse(match[0])
        if isinstance(marker, Unpadded):
            rest = padded(text[match.end() + 1 :])
            if place.check(marker, match.start(), rest) != marker.check:
                return None
            return text[: match.start()] + rest
    return text


def _rewritten(text: str, at: int, count: int, back: "json_text.Back") -> tuple[str, int] | None:
    """The `count` lines behind place `at`, each put back, and where they end."""
    if text[at : at + 1] != "\n":
        return None
    end = at
    for _ in range(count):
        if end == len(text):
            return None
        end = text.find("\n", end + 1)
        end = len(text) if end < 0 else end
    lines = text[at + 1 : end]
    put_back = [back(line) for line in lines.split("\n")]
    if markers.looks_like(lines) or None in put_back:
        return None
    return "\n".join(filter(lambda line: line is not None, put_back)), end  # type: ignore[arg-type]


def _found_in(path: str, line: str) -> str | None:
    """A line of a search with its path, joined to the number by what follows the number."""
    number = _NUMBER.match(line)
    return f"{path}{number[1]}{line}" if number else None


def _renumbered(marker: Reference, bodies: list[str], style: Style | None) -> list[str] | None:
    if len(bodies) != marker.count:
        return None
    if marker.first is None:
        return bodies
    if marker.prefix is not None:
        style = first_style(marker.prefix)
    if style is None:
        return None
    return [f"{n:>{style.width}}{style.separator}{body}" for n, body in enumerate(bodies, marker.first)]


def expand_body(fmt: Format, sent: bytes) -> bytes:
    """The request with every marker expanded; the same object where it has none. Raises Unreadable."""
    view = read(fmt, sent)
    expander = Expander(fmt)
    pieces: list[tuple[int, int, bytes]] = []
    for start, _, unit in view.units:
        for block in unit.blocks:
            expanded = expander.feed(block)
            for old, new in zip(block.texts, expanded.texts, strict=True):
                if old.text != new.text:
                    pieces.append((start + old.start, start + old.end, msgspec.json.encode(new.text)[1:-1]))
    if not pieces:
        return sent
    pieces.sort()
    out, at = [], 0
    for begin, end, new_bytes in pieces:
        if begin < at:
            raise Unreadable("overlap")
        out += [sent[at:begin], new_bytes]
        at = end
    return b"".join([*out, sent[at:]])
