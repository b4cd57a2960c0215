"""The references in a request as sent: how many lines each stands for, and how many hops a reader takes for it.

A reference is a marker that names a source: lines of it, or a whole text. Markers that go on "there" belong to the one
before them; a repeated reminder or first line names no source and is none. It is looked for in what the edits put in, so
text of a client's that only looks like a marker is none. A reference to lines is one hop: those lines stand in the sent
request themselves. A reference to a whole text takes one hop more than the references which that text was sent with.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tokenpak.core import markers
from tokenpak.core.body import Kind
from tokenpak.core.names import Names
from tokenpak.core.passes import whole_texts
from tokenpak.core.patch import Change
from tokenpak.core.pipeline import Decision


class Reference(NamedTuple):
    """One reference. block: index of its block. lines: those it stands for. hops: sources to be looked at in turn."""

    block: int
    lines: int
    hops: int


def references(decisions: Sequence[Decision]) -> list[Reference]:
    """The references of a request, in order."""
    found: list[Reference] = []
    names: Names = Names()
    hops_of: dict[str, int] = {}
    for index, decision in enumerate(decisions):
        block = decision.step.block
        if block.kind is Kind.CALL:
            names.hear(block)
            continue
        here: list[Reference] = []
        for change in decision.changes:
            for label, lines in _said(block.texts[change.part].text, change):
                if label == markers.THERE and here:
                    here[-1] = here[-1]._replace(lines=here[-1].lines + lines)
                else:
                    here.append(Reference(index, lines, 1 + hops_of.get(label, 0)))
        if not any(change.name == whole_texts.NAME for change in decision.changes):
            hops_of |= dict.fromkeys(names.text(block)[0], max((each.hops for each in here), default=0))
        found += here
    return found


def _said(text: str, change: Change) -> Iterator[tuple[str, int]]:
    """The references of a change: the text each leads to as a whole ("" for lines of one), and the lines it stands for."""
    for match in markers.LOOKS_LIKE.finditer(change.new):
        marker = markers.parse(match[0])
        if isinstance(marker, markers.Reference):
            yield marker.label if marker.label == markers.THERE else "", marker.count
        elif isinstance(marker, markers.Whole):
            yield marker.label, text.count("\n") + 1
