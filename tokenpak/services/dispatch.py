"""The front's side of compression: one body in, the body to be sent out, whatever happens to the workers.

The order matters. The forms known for the conversation go with the job; the answer is checked against its own sum
before it is believed; and the new forms are in memory before the body leaves. When no worker answers in time, the front
re-applies the plan itself and remembers that everything else went literally: what was sent once is sent so again.
"""

import zlib
from typing import Literal, Protocol

import msgspec
import trio

from tokenpak.core.body import Outline, Unreadable, View, outline, read
from tokenpak.core.footprint import footprint_of
from tokenpak.core.patch import Footprint, Form, Format, Job, Patch, Policy
from tokenpak.core.pipeline import CHARS_PER_TOKEN, patch_of, replay
from tokenpak.core.plan import plan_of
from tokenpak.core.rules import Rule, Terms, resolved
from tokenpak.core.splice import BadEdits, apply_edits
from tokenpak.services.errand import Answer, Missed
from tokenpak.services.memory import PlanMemory

How = Literal["worker", "planned", "literal", "unread"]
"""worker: a worker answered. planned: the front re-applied the plan. literal: nothing to re-apply, or nothing to gain.
unread: the body cannot be read exactly."""

_LONGEST_FLOOR = 8192
_ESTIMATE = "estimate"
_RETRY_S = 0.1
_COMMITS = 3


class Compressed(msgspec.Struct, frozen=True):
    """A body ready to be sent. body: the same object when nothing was edited. reason: why no worker's answer was used.

    outline: what the body says of itself, None where it cannot be read. claims: False for a count or a pre-warm, which
    save nobody anything. cache_marks: may cache marks be placed in it, by the rules for its client and model. unedited: the
    footprint of a body that no patch was asked for.
    """

    body: bytes
    how: How
    reason: str | None = None
    patch: Patch | None = None
    outline: Outline | None = None
    queue_ms: float | None = None
    worker_ms: float | None = None
    claims: bool = True
    cache_marks: bool = True
    unedited: Footprint | None = None

    @property
    def footprint(self) -> Footprint | None:
        """The request as a provider's cache sees it, where it could be read."""
        return self.patch.footprint if self.patch else self.unedited

    @property
    def session(self) -> str | None:
        """The conversation family, in hexadecimal."""
        return self.outline.family.hex() if self.outline else None


class Pool(Protocol):
    """Workers, as far as dispatch needs them."""

    async def ask(self, job: Job, body: bytes, session: bytes, party: bytes) -> Answer | Missed:
        """A patch, or why there is none."""


class Learning(Protocol):
    """`services.learned.Learned`, as far as dispatch needs it."""

    def allows(self, model: str) -> bool:
        """False while new edits are stopped for a model."""

    def wants(self, model: str, size: int) -> bool:
        """Whether a request of so many bytes is worth counting whole."""


class Limits(msgspec.Struct, frozen=True):
    """base and rules: on what terms a request is compressed. patience_s: how long a request waits for a worker whose
    original may not fit its model, being beyond about window_tokens.
    """

    base: Terms = Terms()
    rules: tuple[Rule, ...] = ()
    window_tokens: int = 180_000
    patience_s: float = 10.0


class _Untaught:
    """Knows nothing of any model, and learns nothing."""

    def allows(self, _model: str) -> bool:
        return True

    def wants(self, _model: str, _size: int) -> bool:
        return False


_UNTAUGHT: Learning = _Untaught()


class Dispatch:
    """Compression as a step of a request."""

    def __init__(self, pool: Pool, memory: PlanMemory, limits: Limits, learned: Learning = _UNTAUGHT) -> None:
        self._pool, self._memory, self._limits, self._learned = pool, memory, limits, learned
        self._counts = {"worker": 0, "planned": 0, "literal": 0, "unread": 0, "garbled": 0, "missed": 0, "defects": 0}

    async def compress(
        self, fmt: Format, kind: str, body: bytes, client: str | None = None, party: str | None = None
    ) -> Compressed:
        """The body to be sent for a request of this format. Never raises for a body or a worker's fault.

        client: the name of who sends it, as core/client.py tells it; a claim, which picks rules and nothing else.
        party: who takes turns with others when workers are short; None: the conversation by itself.
        """
        try:
            about = outline(fmt, body)
        except Unreadable as unreadable:
            return self._counted(Compressed(body, "unread", str(unreadable), cache_marks=False))
        terms = resolved(self._limits.rules, self._limits.base, client, about.model)
        whose = party.encode() if party else about.family
        found = await self._on_terms(terms.policy, fmt, kind, body, about, whose)
        return self._counted(msgspec.structs.replace(found, cache_marks=terms.cache_marks))

    async def _on_terms(  # noqa: PLR0917 what one body is, and on which terms; none of it is left out
        self, policy: Policy, fmt: Format, kind: str, body: bytes, about: Outline, whose: bytes
    ) -> Compressed:
        smallest = CHARS_PER_TOKEN * min(policy.floor_tokens, _LONGEST_FLOOR)
        turn = _is_a_turn(kind, about)
        if len(body) < smallest and not self._memory.forms(about.family):
            told = _footprint(fmt, body) if turn else None
            return Compressed(body, "literal", "below_floor", outline=about, claims=turn, unedited=told)
        found = await self._asked(policy, fmt, body, about, whose)
        return self._committed(found, fmt, body, about) if turn else msgspec.structs.replace(found, claims=False)

    def _committed(self, found: Compressed, fmt: Format, body: bytes, about: Outline) -> Compressed:
        """What is sent, remembered; where a request that was quicker sent the same blocks otherwise, theirs holds."""
        for _ in range(_COMMITS):
            if found.patch is None or self._memory.commit(about.family, found.patch.forms):
                break
            found = self._replayed(fmt, body, about, self._memory.forms(about.family), "overtaken")
        return found

    def echoed(self, session: str) -> None:
        """A model repeated a marker as its own words: make no new edits for this conversation."""
        self._memory.stop(bytes.fromhex(session))

    def statistics(self) -> dict[str, int]:
        """How bodies left, garbled and missed answers, defects that workers reported; and what memory holds."""
        return {**self._counts, **{f"memory_{name}": n for name, n in self._memory.statistics().items()}}

    async def _asked(self, policy: Policy, fmt: Format, body: bytes, about: Outline, whose: bytes) -> Compressed:
        forms, model = self._memory.forms(about.family), about.model or ""
        if self._memory.stopped(about.family) or not self._learned.allows(model):
            policy = msgspec.structs.replace(policy, level="off")
        job = Job(fmt, policy, forms, self._learned.wants(model, len(body)))
        answer = await self._pool.ask(job, body, about.family, whose)
        if isinstance(answer, Missed):
            self._counts["missed"] += 1
            return await self._unanswered(job, body, about, whose, answer)
        return self._believed(body, about, answer) or self._replayed(fmt, body, about, forms, "garbled")

    def _believed(self, body: bytes, about: Outline, answer: Answer) -> Compressed | None:
        """The patched body, when it is what the worker proved."""
        patch = answer.patch
        try:
            sent = apply_edits(body, patch.edits)
        except BadEdits:
            sent = None
        if sent is None or zlib.crc32(sent) != patch.check:
            self._counts["garbled"] += 1
            return None
        self._counts["defects"] += patch.defects
        return Compressed(sent, "worker", None, patch, about, answer.queue_ms, answer.worker_ms)

    async def _unanswered(self, job: Job, body: bytes, about: Outline, whose: bytes, missed: Missed) -> Compressed:
        """The plan re-applied; but a new conversation that may not fit its model's window waits for a worker a while."""
        if job.forms or len(body) <= self._limits.window_tokens * CHARS_PER_TOKEN:
            return self._replayed(job.format, body, about, job.forms, missed.reason)
        with trio.move_on_after(self._limits.patience_s):
            while True:
                await trio.sleep(_RETRY_S)
                answer = await self._pool.ask(job, body, about.family, whose)
                if isinstance(answer, Answer) and (found := self._believed(body, about, answer)):
                    return found
        return self._replayed(job.format, body, about, job.forms, "beyond_window")

    def _replayed(self, fmt: Format, body: bytes, about: Outline, forms: tuple[Form, ...], why: str) -> Compressed:
        try:
            view: View = read(fmt, body)
            decisions = replay(view, plan_of(forms))
            patch = patch_of(body, decisions, _ESTIMATE)
            patch = msgspec.structs.replace(patch, footprint=footprint_of(view, decisions))
            sent = apply_edits(body, patch.edits)
        except Unreadable as unreadable:
            return Compressed(body, "unread", str(unreadable), outline=about)
        except BadEdits:
            return Compressed(body, "literal", "bad_plan", outline=about)
        return Compressed(sent, "planned" if patch.edits else "literal", why, patch, about)

    def _counted(self, compressed: Compressed) -> Compressed:
        self._counts[compressed.how] += 1
        return compressed


def _is_a_turn(kind: str, about: Outline) -> bool:
    """True when the provider answers and remembers this body: a count and a pre-warm get edits but leave no plan."""
    return kind != "count_tokens" and about.max_tokens != 0


def _footprint(fmt: Format, body: bytes) -> Footprint | None:
    """That of a body that goes as it came; None where it cannot be read."""
    try:
        view = read(fmt, body)
    except Unreadable:
        return None
    return footprint_of(view, replay(view, {}))
