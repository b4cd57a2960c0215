"""A text that is the same as an earlier one of its name, from its first character to its last."""

from tokenpak.core.markers import Whole, parse, render
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

NAME = "whole-texts"
LEAST_SAVED = 24


def propose(index: Index, target: Target, weigher: Weigher) -> list[Change]:
    """One change for the whole text, or none."""
    text = target.text
    label = next((label for label in target.labels if index.latest(label) == text), None)
    if label is None or not text:
        return []
    marker = target.place.signed(Whole(label), 0, text)
    words = render(marker)
    saved = weigher.at_least(text) - weigher.at_most(words)
    if saved < LEAST_SAVED or parse(words) != marker:
        return []
    return [Change(target.place.part, 0, len(text), words, NAME, saved)]
