"""What a pass is given: a text to be decided, where it stands, whose result it is, and how tokens are counted."""

from typing import NamedTuple, Protocol

from tokenpak.core.body.model import Block
from tokenpak.core.markers import Marker, Place, parse, render
from tokenpak.core.passes.index import Read
from tokenpak.core.patch import Change


class Weigher(Protocol):
    """Token counts with bounds, so that a saving is never overestimated. An exact tokenizer's bounds are equal."""

    def at_least(self, text: str, /) -> int:
        """A lower bound."""

    def at_most(self, text: str, /) -> int:
        """An upper bound."""


class Target(NamedTuple):
    """A text to be decided: its place, itself, its lines if they are enough for a run, its names, the path it is about
    ("": none), and the call it answers.
    """

    place: Place
    text: str
    read: Read | None
    labels: tuple[str, ...]
    path: str
    call: Block | None = None

    def replaced(self, marker: Marker, start: int, end: int, weigher: Weigher, name: str) -> Change | None:
        """The change that puts a marker in place of a range, whatever it saves; None where it would not read as meant."""
        text = self.text[start:end]
        signed = self.place.signed(marker, start, text)
        words = render(signed)
        saved = weigher.at_least(text) - weigher.at_most(words)
        return Change(self.place.part, start, end, words, name, saved) if parse(words) == signed else None
