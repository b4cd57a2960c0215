"""The patch contract of DESIGN section 4, checked request by request on whatever sequence of bodies a test sends.

`Front` plays the front and the worker of one conversation family with nothing but core: a plan, a warm worker, a cold
one, and a front that has only the plan. A test hands it bodies; every rule that can be checked on them is checked.
The reader at the end is a second one, written naively and apart from `core.expand`: it reads as a model would.
"""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tokenpak.core import markers, names
from tokenpak.core.body import Block, Kind, Unit, View, blocks_of, canonical, chains_of, read
from tokenpak.core.conversation import Conversation
from tokenpak.core.expand import expand_body
from tokenpak.core.markers import THERE, Reference
from tokenpak.core.passes.line_runs import MOST_REFERENCES
from tokenpak.core.patch import Change, Form, Format, Patch, Policy
from tokenpak.core.pipeline import CHARS_PER_TOKEN, Decision, decide, patch_of, replay
from tokenpak.core.plan import plan_of
from tokenpak.core.splice import apply_edits


class Words:
    """A weigher: every third of a word is a token."""

    name = "thirds"

    def at_least(self, text: str) -> int:
        return len(text) // 3

    at_most = at_least


LOW = Policy(floor_tokens=40)
REFERENCES = Policy(floor_tokens=40, passes=("line-runs",))
OFF = Policy(level="off", floor_tokens=40)


class Front:
    """One conversation family as the front keeps it, and its workers."""

    def __init__(self, fmt: Format, policy: Policy = LOW, *, cold: bool = True) -> None:
        self.format, self.policy, self.compare = fmt, policy, cold
        self.forms: list[Form] = []
        self.edits = 0
        self._warm: list[Conversation] = []
        self._memo: dict[bytes, Unit] = {}
        self._placed: Any = {}
        self._sent: list[tuple[list[bytes], tuple[bytes, ...]]] = []

    def ask(self, body: bytes, policy: Policy | None = None) -> Patch:
        """A worker's answer, the same from a warm worker and from one that just started."""
        plan, policy = plan_of(self.forms), policy or self.policy
        decided = decide(read(self.format, body, self._memo), policy, plan, Words(), warm=self._warm)
        patch = patch_of(body, decided, Words.name, self._placed)
        assert decided.defects == 0
        self._warm = [decided.conversation, *(c for c in self._warm if c is not decided.conversation)][:3]
        if self.compare:
            cold = patch_of(body, decide(read(self.format, body), policy, plan, Words()), Words.name)
            assert (cold.edits, cold.forms, cold.plan, cold.check) == (
                patch.edits,
                patch.forms,
                patch.plan,
                patch.check,
            )
        return patch

    def turn(self, body: bytes, policy: Policy | None = None) -> bytes:
        """A request that a worker answers. The body as sent, after every check."""
        patch = self.ask(body, policy)
        known = {form.chain for form in self.forms}
        assert not known & {form.chain for form in patch.forms}
        self.forms += patch.forms
        again = self.replayed(body)
        assert (again.edits, again.plan, again.check) == (patch.edits, patch.plan, patch.check)
        return self._checked(body, patch, policy or self.policy, known)

    def alone(self, body: bytes) -> bytes:
        """A request that no worker answers: the plan, and all else literal."""
        patch = self.replayed(body)
        known = {form.chain for form in self.forms}
        self.forms += patch.forms
        assert not any(form.changes for form in patch.forms)
        return self._checked(body, patch, OFF, known)

    def replayed(self, body: bytes) -> Patch:
        return patch_of(body, replay(read(self.format, body), plan_of(self.forms)), Words.name)

    def _checked(self, body: bytes, patch: Patch, policy: Policy, known: set[bytes]) -> bytes:
        sent = apply_edits(body, patch.edits)
        view, sent_view = read(self.format, body), read(self.format, sent)
        assert zlib.crc32(sent) == patch.check
        assert sent is body or patch.edits
        assert outside(body, [(e.start, e.end) for e in patch.edits]) == outside_of_new(sent, patch)
        assert len(sent) <= len(body)
        expanded = expand_body(self.format, sent)
        assert canonical(read(self.format, expanded)) == canonical(view)
        assert expanded is sent or patch.edits
        decisions = replay(view, plan_of(self.forms))
        check_targets(view, sent_view, decisions, policy, known)
        check_references(self.format, view, sent_view, decisions)
        self._check_prefix(view, sent_view)
        self.edits = len(patch.edits)
        return sent

    def _check_prefix(self, view: View, sent_view: View) -> None:
        chains, sent = chains_of(view), canonical(sent_view)
        for before, before_sent in self._sent:
            shared = next(
                (i for i, (a, b) in enumerate(zip(before, chains, strict=False)) if a != b),
                min(len(before), len(chains)),
            )
            assert before_sent[:shared] == sent[:shared]
        self._sent = [*self._sent[-4:], (chains, sent)]


def outside(body: bytes, spans: list[tuple[int, int]]) -> list[bytes]:
    """What lies between spans."""
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(body)]
    return [body[a:b] for a, b in zip(ends, starts, strict=True)]


def outside_of_new(sent: bytes, patch: Patch) -> list[bytes]:
    spans, shift = [], 0
    for edit in patch.edits:
        start = edit.start + shift
        spans.append((start, start + len(edit.new)))
        assert sent[start : start + len(edit.new)] == edit.new
        shift += len(edit.new) - (edit.end - edit.start)
    return outside(sent, spans)


def check_targets(view: View, sent: View, decisions: Sequence[Decision], policy: Policy, known: set[bytes]) -> None:
    """Only texts on the allow-list changed, none below the floor, none that is planned, and few in each."""
    size, answered, users = 0, False, 0
    user_units = [
        unit.user and any(b.kind is Kind.USER for b in unit.blocks) for _, _, unit in view.units for _ in unit.blocks
    ]
    firsts = [i == 0 for _, _, unit in view.units for i in range(len(unit.blocks))]
    originals, sents = list(blocks_of(view)), list(blocks_of(sent))
    assert len(originals) == len(sents) == len(decisions)
    for old, new, decision, user, first in zip(originals, sents, decisions, user_units, firsts, strict=True):
        users += user and first
        if old.digest != new.digest:
            assert decision.changes
            assert old.kind is Kind.RESULT or (old.kind is Kind.USER and users > 1)
            assert (old.kind, old.shape, old.call_id, old.name, old.arguments) == (
                new.kind,
                new.shape,
                new.call_id,
                new.name,
                new.arguments,
            )
            assert answered
            assert not any(markers.looks_like(text.text) for text in old.texts)
            per_text = [
                sum(c.part == part and c.name == "line-runs" for c in decision.changes)
                for part in range(len(old.texts))
            ]
            assert max(per_text) <= MOST_REFERENCES
            if decision.step.chain not in known:
                assert policy.level != "off"
                assert size >= policy.floor_tokens * CHARS_PER_TOKEN
                assert sum(change.saved for change in decision.changes) > 0
        size += old.size
        answered = answered or old.kind in (Kind.ASSISTANT, Kind.CALL)


class Shown(NamedTuple):
    """A text a model has read, under one of its names. after: the line from which on an anchor is looked for in it."""

    label: str
    kind: Kind
    text: str
    after: int = 0


def check_references(fmt: Format, view: View, sent: View, decisions: Sequence[Decision]) -> None:
    """Every marker leads a naive reader to the lines it stands for, where nothing but references was made."""
    if any(change.name != "line-runs" for decision in decisions for change in decision.changes):
        return
    known, shown = names.Names(), list[Shown]()
    for old, new, decision in zip(blocks_of(view), blocks_of(sent), decisions, strict=True):
        if new.kind is Kind.CALL:
            labels, _ = known.call(new)
            shown += [
                Shown(label, new.kind, v)
                for k, v in new.arguments
                for label in names.argument_labels(k, labels)
                if not _opaque(v)
            ]
            continue
        labels, _ = known.text(new)
        for part, (text, sent_text) in enumerate(zip(old.texts, new.texts, strict=True)):
            ours = [change for change in decision.changes if change.part == part]
            there: Shown | None = None
            for change in ours:
                there = check_reference(change, text.text, sent_text.text, shown, there)
            if ours or not _opaque(sent_text.text):
                shown += [Shown(label, new.kind, sent_text.text) for label in labels]


def _opaque(text: str) -> bool:
    return markers.looks_like(text)


def check_reference(change: Change, original: str, sent: str, shown: list[Shown], there: Shown | None) -> Shown | None:
    """Where a reader finds what a marker stands for, and where that ends, given where the marker before it led."""
    marker = markers.parse(change.new)
    assert isinstance(marker, Reference)
    assert change.new in sent.split("\n")
    wanted = original[change.start : change.end].split("\n")
    assert marker.count == len(wanted) > 1
    before = sent.split("\n")[: sent.split("\n").index(change.new)]
    own = [Shown(names.SELF, Kind.RESULT, "\n".join(before))]
    texts = own if marker.label == names.SELF else shown
    if marker.label == THERE:
        assert there is not None
        texts = [there._replace(label=THERE)]
    led = ((each, look(marker, each)) for each in reversed(texts) if each.label == marker.label)
    source, (at, found) = next((source, seen) for source, seen in led if seen is not None)
    if marker.first is None:
        assert found == wanted
    else:
        assert [body for _, body in map(apart, wanted)] == found
        assert [number for number, _ in map(apart, wanted)] == list(range(marker.first, marker.first + marker.count))
    return source._replace(after=at + marker.count)


_NUMBERED = re.compile(r"( {0,10})(0|[1-9][0-9]{0,6})(→|\t|:)(.*)", re.DOTALL)


def apart(line: str) -> tuple[int, str]:
    """The number a line shows, and what stands behind it; -1 and the line where it shows none."""
    match = _NUMBERED.fullmatch(line)
    return (int(match[2]), match[4]) if match else (-1, line)


def look(marker: Reference, shown: Shown) -> tuple[int, list[str]] | None:
    """What a reader finds for a marker in a text, and at which line; None where he has to look further back."""
    assert shown.kind in (Kind.RESULT, Kind.USER, Kind.ASSISTANT, Kind.CALL)
    lines = shown.text.split("\n")
    for at in range(len(lines) - marker.count + 1):
        run = lines[at : at + marker.count]
        if any(markers.parse(line) for line in run):
            continue
        if marker.lines is None:
            if at >= shown.after and run[0].lstrip().startswith(marker.anchor or "\n"):
                return at, run
        elif [apart(line)[0] for line in run] == list(range(marker.lines[0], marker.lines[1] + 1)) and len(
            {look_of(line) for line in run}
        ) == 1:
            return at, [apart(line)[1] for line in run]
    return None


def look_of(line: str) -> tuple[int, str]:
    """How a line shows its number: width where padded, and separator."""
    match = _NUMBERED.fullmatch(line)
    assert match is not None
    return (len(match[1]) + len(match[2]) if match[1] else 0), match[3]


def changed_blocks(fmt: Format, body: bytes, sent: bytes) -> list[tuple[int, Block, Block]]:
    """The blocks that are sent otherwise: index, original, as sent."""
    pairs = zip(blocks_of(read(fmt, body)), blocks_of(read(fmt, sent)), strict=True)
    return [(i, old, new) for i, (old, new) in enumerate(pairs) if old.digest != new.digest]
