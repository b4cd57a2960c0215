"""What the walk over a conversation knows: the sources so far, the reader's side of them, and where it stands.

A `Conversation` takes in the blocks of a request front to back. When the next request begins with the same blocks in the
same forms, the walk goes on where it stood, and deciding a turn costs the new blocks alone. It holds nothing that could
not be had again from the request and the plan.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from tokenpak.core.body import Block, Kind, View
from tokenpak.core.body.model import Text, chain_after, digest_of, first_chain
from tokenpak.core.expand import Expander
from tokenpak.core.lines import ESCAPED_END, Lines, taken_apart
from tokenpak.core.markers import Place, Whole, looks_like, parse
from tokenpak.core.names import Names, argument_labels
from tokenpak.core.passes import Target, Weigher, kept, propose
from tokenpak.core.passes.index import Index, Read
from tokenpak.core.passes.line_runs import SHORTEST_RUN
from tokenpak.core.patch import Change, Format
from tokenpak.core.plan import EMPTY_PLAN_HASH, Plan, plan_hash_after
from tokenpak.core.splice import Sent, sent_of

TakeApart = Callable[[str], Lines]
"""`taken_apart`, or something that remembers what it gave."""


class Means(NamedTuple):
    """How a block is decided: by which passes, with which counter. alone: nothing before it may be referred to."""

    passes: Sequence[str]
    weigher: Weigher
    alone: bool = False


class Step(NamedTuple):
    """A block where it stands: unit offset, unit key, its place in the unit, the block, its chain, may it be edited."""

    offset: int
    key: bytes
    place: int
    block: Block
    chain: bytes
    target: bool


def steps(view: View) -> Iterator[Step]:
    """The blocks with their chains. Targets: texts of tool results, and of user messages after the first."""
    chain, users = first_chain(view.format), 0
    for offset, key, unit in view.units:
        users += unit.user and any(block.kind is Kind.USER for block in unit.blocks)
        for index, block in enumerate(unit.blocks):
            chain = chain_after(chain, block.digest)
            target = bool(block.texts) and (block.kind is Kind.RESULT or (block.kind is Kind.USER and users > 1))
            yield Step(offset, key, index, block, chain, target)


class Conversation:
    """What a walk knows after the blocks it has seen: sources, the reader's side of them, and where it stands."""

    def __init__(self, fmt: Format, take_apart: TakeApart = taken_apart) -> None:
        self._take_apart = take_apart
        self.chain = first_chain(fmt)
        self.plan_hash = EMPTY_PLAN_HASH
        self.blocks = 0
        self.size = 0
        self.sound = True
        """False once a planned form cannot be expanded: then nothing new is edited behind it."""
        self.answered = False
        """True once the model has said something: a request without a past is left alone."""
        self.sent: tuple[Sent, ...] = ()
        """The texts of the last block, each as it is sent; none where the block is sent literally."""
        self._torn = False
        self._terms: object = None
        self._taken: dict[bytes, tuple[Change, ...]] = {}
        self._index = Index()
        self._names = Names()
        self._expander = Expander(fmt)

    def precedes(self, walk: Sequence[Step], plan: Plan, terms: object) -> bool:
        """True when the walk begins with the blocks seen here, in the forms they have here by the plan, or would get.

        terms: all that a decision depends on beside what stands before its block.
        """
        if self._torn or not 0 < self.blocks <= len(walk) or walk[self.blocks - 1].chain != self.chain:
            return False
        plan_hash = EMPTY_PLAN_HASH
        for step in walk[: self.blocks]:
            changes = self._form(step, plan, terms)
            if changes is None:
                return False
            plan_hash = plan_hash_after(plan_hash, step.chain, changes)
        return plan_hash == self.plan_hash

    def resume(self, walk: Sequence[Step], plan: Plan, terms: object) -> list[tuple[Change, ...]]:
        """The forms of the blocks seen here, once it is known that they precede the walk. From now on `terms` hold."""
        forms = [self._form(step, plan, terms) or () for step in walk[: self.blocks]]
        self._taken = {chain: changes for chain, changes in self._taken.items() if chain not in plan}
        self._terms = terms
        return forms

    def _form(self, step: Step, plan: Plan, terms: object) -> tuple[Change, ...] | None:
        """The form of a block: by the plan, else as it was decided here, if that was on the same terms."""
        if not step.target:
            return ()
        known = plan.get(step.chain)
        return known if known is not None or terms != self._terms else self._taken.get(step.chain)

    def advance(self, step: Step, known: tuple[Change, ...] | None, means: Means | None) -> tuple[Change, ...]:
        """Take in one block in its known form, or decide it (means: how; None: literally). Raises Defect."""
        block, changes = step.block, known or ()
        self._torn = True
        if block.kind is Kind.CALL:
            self._call(block)
        else:
            changes = self._texts(block, known, means if self.sound else None)
        self._verify(block, changes, planned=known is not None)
        self.chain = step.chain
        self.blocks += 1
        self.size += block.size
        self.plan_hash = plan_hash_after(self.plan_hash, step.chain, changes)
        self.answered = self.answered or block.kind in (Kind.ASSISTANT, Kind.CALL)
        if known is None:
            self._taken[step.chain] = changes
        self._torn = False
        return changes

    def _call(self, block: Block) -> None:
        self._names.hear(block)
        for key, value in block.arguments:
            if _long_enough(value) and not looks_like(value):
                labels, path = self._names.call(block)
                read = self._index.read(value, self._take_apart(value))
                self._index.add(argument_labels(key, labels), path, read, [(0, len(read.ids))])

    def _texts(self, block: Block, known: tuple[Change, ...] | None, means: Means | None) -> tuple[Change, ...]:
        labels, path = self._names.text(block)
        if not labels:
            return known or ()
        caller = self._names.caller(block)
        changes: list[Change] = []
        for part, text in enumerate(block.texts):
            if looks_like(text.text):
                self._index.passed(labels, None)
                continue
            ours = [change for change in known or () if change.part == part]
            long = _long_enough(text.text)
            read = self._index.read(text.text, self._take_apart(text.text)) if long else None
            if known is None and means is not None:
                target = Target(Place(self.chain, part), text.text, read, labels, path, caller)
                ours = propose(self._index, target, means.passes, means.weigher, alone=means.alone)
            changes += ours
            replaced = _replaced(ours)
            self._index.hear(text.text, kept(text.text, replaced), caller.name if caller else "")
            self._show(labels, path, text.text, read, replaced)
        return known if known is not None else tuple(changes)

    def _show(
        self, labels: tuple[str, ...], path: str, text: str, read: Read | None, replaced: Sequence[Change]
    ) -> None:
        """The sent text may be referred to from now on, as far as it stands there itself."""
        if any(isinstance(parse(change.new), Whole) for change in replaced):
            return  # the text stands elsewhere
        self._index.passed(labels, None if replaced else text)
        if read is not None:
            self._index.add(labels, path, read, _stays(read, replaced))

    def _verify(self, block: Block, changes: tuple[Change, ...], *, planned: bool) -> None:
        self.sent = sent_texts(block, changes) if changes else ()
        sent = _renewed(block, self.sent) if changes else block
        if self.sound and self._expander.feed(sent).digest != block.digest:
            if not planned:
                raise Defect
            self.sound = False


def _long_enough(text: str) -> bool:
    """True for a text that can hold a run: as a target, or as a source that could show one."""
    lines = len(text.split("\n", SHORTEST_RUN - 1))  # most texts have as many, and need not be read to their end
    return lines >= SHORTEST_RUN or lines + text.count(ESCAPED_END) >= SHORTEST_RUN


def _replaced(changes: Sequence[Change]) -> list[Change]:
    """The changes that leave nothing of their lines. Where only beginnings are cut off, the lines still stand there."""
    return [change for change in changes if not change.cut]


def _stays(read: Read, changes: Sequence[Change]) -> list[tuple[int, int]]:
    """The ranges of a text's lines that are sent as they are."""
    if not changes:
        return [(0, len(read.ids))]
    out, at = [], 0
    for change in changes:
        out.append((at, max(at, _row(read, change.start))))
        at = _row(read, change.end) + 1
    return [*out, (at, max(at, len(read.ids)))]


def _row(read: Read, place: int) -> int:
    """The line in which a character of a text stands."""
    if read.lines.ends is None:
        return read.text.count("\n", 0, place)
    return bisect_right(read.lines.starts(), place) - 1


class Defect(Exception):  # noqa: N818 - a counted answer: the block stays literal
    """A decision whose expansion is not the original."""


def sent_form(block: Block, changes: Sequence[Change]) -> Block:
    """The block as it is sent. Only its texts differ; the same object without changes."""
    return _renewed(block, sent_texts(block, changes)) if changes else block


def sent_texts(block: Block, changes: Sequence[Change]) -> tuple[Sent, ...]:
    """The texts of a block, each as it is sent. Raises BadEdits."""
    return tuple(
        sent_of(text.text, [change for change in changes if change.part == part])
        for part, text in enumerate(block.texts)
    )


def _renewed(block: Block, sent: Sequence[Sent]) -> Block:
    texts = tuple(Text(new.text, old.start, old.end) for new, old in zip(sent, block.texts, strict=True))
    return msgspec.structs.replace(block, texts=texts, digest=digest_of(block.shape, (text.text for text in texts)))
