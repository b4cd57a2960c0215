"""What a provider's cache can see of a request: its blocks by hash and size, as the client sent them and as they leave.

Made where a request is read, used where its bill is worked out (core/savings.py), and small enough to travel with every
patch. Hashes are those of the canonical request, so a client that writes the same turn differently is not taken for one
that changed it. Sizes are characters by a fixed estimate: what they are worth in a model's tokens is learned later.
"""

import hashlib
from collections.abc import Iterable

from tokenpak.core.body import Kind, View
from tokenpak.core.body.marks import Life
from tokenpak.core.body.model import chain_after, digest_of
from tokenpak.core.patch import CHAIN_BYTES, Change, Footprint, Trace
from tokenpak.core.pipeline import CHARS_PER_TOKEN, Decision

_HEAD = (Kind.TOOL, Kind.SYSTEM)


def footprint_of(view: View, decisions: Iterable[Decision]) -> Footprint:
    """The footprint of a request that leaves with these decisions, one for each of its blocks."""
    traces: list[Trace] = []
    sent, edited = b"", False
    for step, changes, *_ in decisions:
        edited = edited or bool(changes)
        sent = _sent_after(sent, step.block.digest, changes) if edited else step.chain
        saved = sum(change.saved for change in changes)
        left = max(0, step.block.size - sum(map(_gone, changes)))
        traces.append(Trace(step.chain, sent, left // CHARS_PER_TOKEN, saved))
    return Footprint(tuple(traces), _head(view), _marks(view))


def _sent_after(sent: bytes, digest: bytes, changes: tuple[Change, ...]) -> bytes:
    """The hash of the blocks as sent, from the one before; a block that stays as it was counts as itself."""
    if not changes:
        return chain_after(sent, digest)
    words = (f"{c.part},{c.start},{c.end},{c.cut},{c.new}" for c in changes)
    return hashlib.sha256(sent + digest_of(digest, words)).digest()[:CHAIN_BYTES]


def _gone(change: Change) -> int:
    """Characters that an edit took out; of lines that stay, as many as the tokens saved stand for."""
    return change.saved * CHARS_PER_TOKEN if change.cut else change.end - change.start - len(change.new)


def _head(view: View) -> int:
    """Blocks before the first that is neither a tool nor of the system."""
    count = 0
    for _, _, unit in view.units:
        for block in unit.blocks:
            if block.kind not in _HEAD:
                return count
            count += 1
    return count


def _marks(view: View) -> tuple[tuple[int, Life], ...]:
    """The client's cache marks by position, with the life each asks for."""
    marks: list[tuple[int, Life]] = []
    before = 0
    for _, _, unit in view.units:
        marks += [(before + place, life) for place, life in unit.marks]
        before += len(unit.blocks)
    return tuple(marks)
