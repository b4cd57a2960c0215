"""A text that is the same as an earlier one of its name, from its first character to its last."""

from tokenpak.core.markers import Whole
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
    change = target.replaced(Whole(label), 0, len(text), weigher, NAME)
    return [change] if change and change.saved >= LEAST_SAVED else []
