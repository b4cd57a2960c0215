"""Plan and passes into a patch.

One walk over the canonical blocks, front to back. A block with a form keeps it; a block without one is decided, once,
from what stands before it, and before a decision counts, `expand` must give the block back from its sent form. The
difficulty is that the same walk has three callers that must agree: a worker that decides, a front that re-applies the
plan when no worker answers, and a worker that starts cold. All three end in `Decision`s, and those in one `Patch`.
"""

import zlib
from collections import Counter
from collections.abc import MutableMapping, Sequence
from typing import NamedTuple

import msgspec

from tokenpak.core.body import Unreadable, View
from tokenpak.core.body.spans import offsets, string
from tokenpak.core.conversation import Conversation, Defect, Means, Step, TakeApart, sent_texts, steps
from tokenpak.core.lines import taken_apart
from tokenpak.core.markers import looks_like
from tokenpak.core.passes import Weigher
from tokenpak.core.patch import Change, Edit, Form, Patch, Policy, Tally
from tokenpak.core.plan import EMPTY_PLAN_HASH, Plan, plan_hash_after
from tokenpak.core.splice import Sent, spliced

CHARS_PER_TOKEN = 4
"""The fixed estimate for positions."""

Placed = MutableMapping[tuple[bytes, int], tuple[tuple[Change, ...], tuple[Edit, ...]]]
"""Where the changes of a block lie in its unit's bytes, by unit key and block index. Only an optimisation."""


class Decision(NamedTuple):
    """A step and its form; new: taken now, to be kept. why: why a new text stays as it is, one word, or None.

    sent: the texts of a changed block as they are sent, where somebody has them already.
    """

    step: Step
    changes: tuple[Change, ...]
    new: bool
    why: str | None = None
    sent: tuple[Sent, ...] = ()


class Decided(NamedTuple):
    """The outcome of a walk: decisions, the conversation to go on from, why new texts stayed literal, defects."""

    decisions: list[Decision]
    conversation: Conversation
    reasons: Counter[str]
    defects: int


def replay(view: View, plan: Plan) -> list[Decision]:
    """Planned blocks in their forms, all others literal: what is sent when no worker answers."""
    return [_planned(step, plan) for step in steps(view)]


def decide(
    view: View,
    policy: Policy,
    plan: Plan,
    weigher: Weigher,
    *,
    warm: Sequence[Conversation] = (),
    take_apart: TakeApart = taken_apart,
) -> Decided:
    """Planned blocks in their forms, all others decided. `warm` are conversations that may be gone on from."""
    walk = list(steps(view))
    terms = (policy, view.keep, view.unreferable)
    conversation = next((c for c in warm if c.precedes(walk, plan, terms)), None)
    conversation = conversation or Conversation(view.format, take_apart)
    seen = zip(walk, conversation.resume(walk, plan, terms), strict=False)
    decisions = [Decision(step, changes, step.target and step.chain not in plan) for step, changes in seen]
    reasons: Counter[str] = Counter()
    defects = 0
    means = Means(policy.passes, weigher, alone=view.unreferable is not None)
    for step in walk[conversation.blocks :]:
        known = plan.get(step.chain) if step.target else ()
        why = _why_not(view, policy, step, conversation) if known is None else None
        try:
            changes = conversation.advance(step, known, None if why else means)
        except Defect:
            defects += 1
            why = "defect"
            conversation = _again(view, decisions, terms)
            changes = conversation.advance(step, (), None)
        why = (why or view.unreferable or "no_match") if known is None and not changes else None
        reasons.update([why] if why else [])
        decisions.append(Decision(step, changes, known is None, why, conversation.sent))
    return Decided(decisions, conversation, reasons, defects)


def _planned(step: Step, plan: Plan) -> Decision:
    known = plan.get(step.chain) if step.target else ()
    return Decision(step, known or (), known is None)


def _again(view: View, decisions: Sequence[Decision], terms: object) -> Conversation:
    """The conversation up to here once more: the one that met the defect has learnt what will not be sent."""
    conversation = Conversation(view.format)
    conversation.resume((), {}, terms)
    for step, changes, *_ in decisions:
        conversation.advance(step, changes, None)
    return conversation


def _why_not(view: View, policy: Policy, step: Step, conversation: Conversation) -> str | None:
    """Why a block may not be edited, in one word, or None. Nothing here looks at the size or age of the request."""
    if policy.level == "off" or not policy.passes:
        return "level_off"
    if view.keep:
        return view.keep
    if not conversation.sound:
        return "unsound"
    if not conversation.answered:
        return "one_shot"
    if conversation.size < policy.floor_tokens * CHARS_PER_TOKEN:
        return "below_floor"
    if any(looks_like(text.text) for text in step.block.texts):
        return "looks_like_marker"
    return None


def patch_of(body: bytes, decided: Decided | list[Decision], counter: str, placed: Placed | None = None) -> Patch:
    """The patch that carries decisions out on a body. Raises Unreadable where a text cannot be located exactly."""
    decisions = decided if isinstance(decided, list) else decided.decisions
    edits: list[Edit] = []
    tallies: Counter[str] = Counter()
    saved: Counter[str] = Counter()
    plan_hash = EMPTY_PLAN_HASH
    for decision in decisions:
        step, changes = decision.step, decision.changes
        if changes:
            plan_hash = plan_hash_after(plan_hash, step.chain, changes)
            tallies.update(change.name for change in changes)
            for change in changes:
                saved[change.name] += change.saved
            edits += (
                Edit(step.offset + e.start, step.offset + e.end, e.new, e.name) for e in _placed(body, decision, placed)
            )
    edits.sort(key=lambda edit: edit.start)  # tools and system may stand behind the messages
    return Patch(
        edits=tuple(edits),
        forms=tuple(Form(d.step.chain, d.changes) for d in decisions if d.new and d.step.target),
        check=zlib.crc32(spliced(body, edits)),
        plan=plan_hash,
        tallies=tuple(Tally(name, count, saved[name]) for name, count in tallies.items()),
        reasons=dict(decided.reasons) if isinstance(decided, Decided) else {},
        defects=decided.defects if isinstance(decided, Decided) else 0,
        counter=counter,
    )


def untouched(body: bytes, reason: str, counter: str) -> Patch:
    """The patch for a body that is sent as it came, unread."""
    return Patch((), (), zlib.crc32(body), EMPTY_PLAN_HASH, (), {reason: 1}, 0, counter)


def _placed(body: bytes, decision: Decision, placed: Placed | None) -> tuple[Edit, ...]:
    """The edits of a block relative to its unit, proved: the spliced string decodes to the sent text."""
    step, changes = decision.step, decision.changes
    known = placed.get((step.key, step.place)) if placed is not None else None
    if known is not None and known[0] == changes:
        return known[1]
    edits: list[Edit] = []
    sents = decision.sent or sent_texts(step.block, changes)
    for part, (text, sent) in enumerate(zip(step.block.texts, sents, strict=True)):
        ours = [change for change in changes if change.part == part]
        if not ours:
            continue
        raw = body[step.offset + text.start : step.offset + text.end]
        places = offsets(raw, [position for c in ours for position in (c.start, c.end)], len(text.text))
        local = [
            Edit(places[2 * i], places[2 * i + 1], msgspec.json.encode(new)[1:-1], change.name)
            for i, (new, change) in enumerate(zip(sent.news, ours, strict=True))
        ]
        written = b'"' + spliced(raw, local) + b'"'
        if string(written, (0, len(written))) != sent.text:
            raise Unreadable("misplaced")
        edits += (Edit(text.start + e.start, text.start + e.end, e.new, e.name) for e in local)
    out = tuple(edits)
    if placed is not None:
        placed[step.key, step.place] = (changes, out)
    return out
