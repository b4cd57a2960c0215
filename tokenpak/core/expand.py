"""What a model reads, put back: every marker in a request replaced by the lines it stands for, from the sent bytes alone.

This file knows no pass, no patch, no plan and no original. It reads a request front to back as a model would and keeps
what it has seen under the names that markers use. A marker resolves by one rule: the nearest earlier source of that
name that shows those lines. The difficulty is honesty: only lines that stand in the sent request themselves may be
copied (never lines that a marker stands for), and whatever fails its check is text. A text with one such line is
opaque as a whole: nothing in it is expanded, and nothing refers to it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from tokenpak.core import markers
from tokenpak.core.body import Block, Kind, Unreadable, read
from tokenpak.core.body.model import chain_after, digest_of, first_chain
from tokenpak.core.markers import Marker, Style
from tokenpak.core.patch import Format

_TARGETS = frozenset({Kind.RESULT, Kind.USER})


class _Source:
    """A text as sent, and its lines that are markers: those show nothing, and no run may cross them."""

    __slots__ = ("_marked", "_text")

    def __init__(self, text: str, marked: frozenset[str] = frozenset()) -> None:
        self._text, self._marked = text, marked

    def by_number(self, first: int, last: int) -> tuple[list[str], Style] | None:
        """The texts of the lines displayed as first..last, where they follow each other in one style; and the style."""
        for start in self._lines_that_begin(f"{first}", blanks=" "):
            lines = self._lines(start, last - first + 1)
            if len(lines) != last - first + 1:
                return None  # too few are left here, fewer further on
            style = markers.first_style(lines[0])
            bodies = style.bodies(lines, first) if style else None
            if style and bodies is not None:
                return bodies, style
        return None

    def by_anchor(self, anchor: str, count: int) -> list[str] | None:
        """The `count` lines from the first one that begins with the anchor."""
        for start in self._lines_that_begin(anchor, blanks=None):
            lines = self._lines(start, count)
            if len(lines) == count and self._marked.isdisjoint(lines):
                return lines
        return None

    def _lines_that_begin(self, words: str, blanks: str | None) -> Iterator[int]:
        """Where the lines start that begin with the words, blanks before them set aside (None: any white space)."""
        text, at = self._text, self._text.find(words)
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            if not text[start:at].strip(blanks):
                yield start
            end = text.find("\n", at)  # what comes later in a line does not begin it
            at = text.find(words, end + 1) if end >= 0 else -1

    def _lines(self, start: int, count: int) -> list[str]:
        """As many lines as there are from `start` on, up to `count`; no more of the text is looked at than that."""
        text, end = self._text, start - 1
        for _ in range(count):
            end = text.find("\n", end + 1)
            if end < 0:
                return text[start:].split("\n")
        return text[start:end].split("\n")


class Expander:
    """Feeds on the blocks of a sent request in canonical order; gives each back expanded."""

    def __init__(self, fmt: Format) -> None:
        self.chain = first_chain(fmt)
        """Chain hash, over the expanded blocks, after the last block fed."""
        self._sources: dict[str, list[_Source]] = {}
        self._names = markers.Names()

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
                self._show(markers.argument_labels(key, labels), _Source(value))
        return block

    def _expanded(self, block: Block) -> Block:
        texts: list[str] = []
        for part, text in enumerate(block.texts):
            words, source = text.text, None
            if markers.looks_like(words):
                if block.kind in _TARGETS:
                    words, source = self._text(words, part)
            elif "\n" in words:  # one line shows no run of lines
                source = _Source(words)
            texts.append(words)
            if source is not None:
                self._show(self._names.text(block)[0], source)
        if all(new == old.text for new, old in zip(texts, block.texts, strict=True)):
            return block
        renewed = tuple(msgspec.structs.replace(old, text=new) for old, new in zip(block.texts, texts, strict=True))
        return msgspec.structs.replace(block, texts=renewed, digest=digest_of(block.shape, texts))

    def _text(self, text: str, part: int) -> tuple[str, _Source | None]:
        """The text expanded, and what it shows itself; a text with a false marker comes back as it is, showing nothing."""
        found = [(match, markers.parse(match[0])) for match in markers.CANDIDATE.finditer(text)]
        marked = frozenset(match[0] for match, marker in found if marker)
        style = markers.first_style(text)
        out, at, line = [], 0, 0
        for match, marker in found:
            if marker is None:
                continue
            literal = text[at : match.start()]
            own = [_Source(text[: match.start()], marked)] if marker.label == markers.SELF else None
            run = self._resolve(marker, style, own)
            line += literal.count("\n")
            if markers.looks_like(literal) or run is None:
                return text, None
            if markers.check(self.chain, part, line, marker, run) != marker.check:
                return text, None
            out += [literal, "\n".join(run)]
            line += len(run) - 1
            at = match.end()
        if markers.looks_like(text[at:]):
            return text, None
        return "".join([*out, text[at:]]), _Source(text, marked)

    def _resolve(self, marker: Marker, style: Style | None, own: list[_Source] | None) -> list[str] | None:
        """The lines a marker stands for: those of the nearest earlier source of its name that shows them."""
        for source in reversed(own or self._sources.get(marker.label, [])):
            if marker.lines is not None:
                found = source.by_number(*marker.lines)
                if found is not None:
                    return _renumbered(marker, found[0], style or found[1])
            else:
                lines = source.by_anchor(marker.anchor or "", marker.count)
                if lines is not None:
                    return _renumbered(marker, lines, style)
        return None

    def _show(self, labels: Iterable[str], source: _Source) -> None:
        for label in labels:
            self._sources.setdefault(label, []).append(source)


def _renumbered(marker: Marker, bodies: list[str], style: Style | None) -> list[str] | None:
    if len(bodies) != marker.count:
        return None
    if marker.first is None:
        return bodies
    if marker.prefix is not None:
        style = markers.first_style(marker.prefix)
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
