"""What each model's replies teach: what its tokens are worth in ours, and whether its cache does what the ledger expects.

Two scales. `token` turns the fixed estimate of sizes into the model's tokens, newly with every reply; it only says where
in a prompt a cached prefix ends. `factor` turns tokens that were counted into the model's, from requests that were counted
whole; every saving is scaled by it, and its spread is the ± of the money. Drift is how far replies were from what was
expected, of late: the share of a prompt that should have been read and was not, and all of it where the tokens are no
longer worth what they were. Beyond the tolerance no new edit is made for that model until drift is low again.

The difficulty is that a prompt's tokens differ by what it holds, twofold between prose and pictures. So `token` is held
against the same conversation's only, and only while that has not grown much.

What is known of models outlives the process (services/learned_file), so that one that drifts is not edited again because of
a restart. Conversations do not. So for a while nothing is expected of replies, and a reply that is held against nothing is
no sign of calm: it leaves the drift as it was.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tokenpak.core.cost import input_tokens
from tokenpak.core.ledger import Used
from tokenpak.core.patch import Footprint
from tokenpak.core.savings import Scale
from tokenpak.core.usage import Usage
from tokenpak.services.learned_file import Kept, LearnedFile
from tokenpak.services.newest import Newest

MODELS = 256
CONVERSATIONS = 4096
TOLERANCE = 0.35
"""Drift from which on a model gets no new edits: two replies in a row that read nothing, not one."""
CALM = 0.1
"""Drift below which it gets them again."""
ENOUGH = 3
"""Replies before drift is believed, and samples before a factor is."""
WEIGHT = 0.3
"""Of the latest reply in the drift: one bad reply is 0.3, two in a row are 0.51, and six good ones are calm again."""
APART = 0.2
"""A count that is off by more is drift."""
BELIEVED = 5
"""Replies in a row that are apart, after which tokens are worth what those say."""
GROWTH = 1.25
"""How much a conversation may have grown or shrunk for its tokens to be held against what they were."""
SAME = 1.05
UNLEARNED = 0.35
"""Spread of a factor that nobody has learned."""
LEAST_SPREAD = 0.02
WINDOW = 16
"""Samples that a factor rests on, the latest ones most."""
SAMPLES = 8
"""Requests counted whole at first; then one every SAMPLE_S."""
SAMPLE_S = 600.0
APART_S = 5.0
LARGEST_SAMPLE = 500_000
"""Bytes of a body that is counted whole: about 50 ms of a worker. Coding agents begin at 150,000."""
SAVE_S = 10.0
"""How long what was learned may wait to be kept. That a model is halted, or no longer, never waits."""


class Counted(Protocol):
    """`accounts.Told`, as far as it teaches."""

    @property
    def provider(self) -> str: ...
    @property
    def outline(self) -> "Asked": ...
    @property
    def footprint(self) -> Footprint: ...
    @property
    def counted(self) -> int | None: ...


class Asked(Protocol):
    """A request that names a model, of a conversation."""

    @property
    def model(self) -> str | None: ...
    @property
    def family(self) -> bytes: ...


class Lesson(NamedTuple):
    """The scales of one reply, and the share of it whose count is off: all or nothing; None: nothing to hold it against."""

    scale: Scale
    apart: float | None = None


class _Worth(NamedTuple):
    """What a conversation's tokens were worth, how many estimated ones it had, how many the provider counted and read.

    apart: how many replies since were apart.
    """

    token: float
    size: int
    total: int
    read: int
    apart: int = 0


class _Model:
    """token: as in Scale. samples: factors seen; mean and variance are of the latest of them."""

    __slots__ = ("drift", "halted", "mean", "replies", "sampled", "samples", "token", "variance")

    def __init__(self) -> None:
        self.token = 1.0
        self.samples, self.mean, self.variance = 0, 1.0, 0.0
        self.sampled = float("-inf")
        self.drift, self.replies, self.halted = 0.0, 0, False

    def sample(self, factor: float) -> float | None:
        """Take in one more factor; how far it lies from the mean so far, as a share of that. 0 where that is its usual way;
        None before there are enough.
        """
        usual = 2 * self.spread
        self.samples += 1
        weight = 1 / min(self.samples, WINDOW)
        delta, apart = factor - self.mean, abs(factor / self.mean - 1) if self.samples > ENOUGH else 0.0
        self.mean += weight * delta
        self.variance = (1 - weight) * (self.variance + weight * delta * delta)
        if self.samples <= ENOUGH:
            return None
        return apart if apart > usual else 0.0

    def note(self, off: float | None) -> None:
        """Take one more reply into the drift. None: it says nothing, neither for the ledger nor against it."""
        self.replies += 1
        if off is None:
            return
        self.drift += WEIGHT * (min(1.0, off) - self.drift)
        if self.replies >= ENOUGH and self.drift > TOLERANCE:
            self.halted = True
        elif self.drift < CALM:
            self.halted = False

    def become(self, kept: Kept) -> None:
        """Know what was kept."""
        self.token, self.samples, self.mean, self.variance = kept.token, kept.samples, kept.mean, kept.variance
        self.drift, self.replies, self.halted = kept.drift, kept.replies, kept.halted

    def join(self, kept: Kept) -> None:
        """Put two pictures of a model into one, of slots that both have learned: the one that rests on more, and the worse
        drift, because an edit too few is no harm.
        """
        drift, halted = max(self.drift, kept.drift), self.halted or kept.halted
        if kept.replies + kept.samples > self.replies + self.samples:
            self.become(kept)
        self.drift, self.halted = drift, halted

    @property
    def spread(self) -> float:
        """Relative standard deviation of the factor."""
        if self.samples < ENOUGH:
            return UNLEARNED
        counted = min(self.samples, WINDOW)
        return max(LEAST_SPREAD, math.sqrt(self.variance * counted / (counted - 1)) / self.mean)

    @property
    def scale(self) -> Scale:
        return Scale(self.token, self.mean, self.spread)


class Learned:
    """Models by provider and name. `clock`: seconds, never going back. file: where it outlives the process, if anywhere."""

    def __init__(self, clock: Callable[[], float], file: LearnedFile | None = None) -> None:
        self._clock, self._file = clock, file
        self._models: Newest[tuple[str, str], _Model] = Newest(MODELS)
        self._worths: Newest[tuple[str, str, bytes], _Worth] = Newest(CONVERSATIONS)
        self._unsaved: set[tuple[str, str]] = set()
        self._urgent, self._saved = False, clock()
        self._follow()
        self._restored = len(self._models)

    def scale(self, provider: str, model: str) -> Scale:
        """What is known of a model's tokens by now."""
        known = self._models.get((provider, model))
        return known.scale if known else Scale(spread=UNLEARNED)

    def taught(self, told: Counted, usage: Usage | None) -> Lesson:
        """The scales of this very reply: `token` makes what was sent come to the provider's total."""
        total = input_tokens(usage) if usage is not None else 0
        blocks = told.footprint.blocks
        sent = sum(block.tokens for block in blocks)
        if not total or not sent:
            return Lesson(self.scale(told.provider, told.outline.model or ""))
        model = self._model(told.provider, told.outline.model or "")
        model.token = total / sent
        self._unsaved.add((told.provider, told.outline.model or ""))
        apart = [self._apart(told, _Worth(model.token, sent, total, usage.cache_read or 0 if usage else 0))]
        left = (told.counted or 0) - sum(block.saved for block in blocks)
        if told.counted is not None and left > 0:
            apart.append(model.sample(total / left))
        held = [each for each in apart if each is not None]
        return Lesson(model.scale, float(max(held) > APART) if held else None)

    def compare(self, told: Counted, expected: Used, usage: Usage, lesson: Lesson) -> None:
        """Note how far a reply was from what was expected. More read than expected is no harm: others write, too. A reply
        that says nothing of a cache, or of which nothing was expected, says nothing of the ledger.
        """
        total = input_tokens(usage)
        if not total:
            return
        told_of = expected.read and usage.cache_read is not None
        short = max(0, expected.read - (usage.cache_read or 0)) / total if told_of else None
        model = self._model(told.provider, told.outline.model or "")
        before = model.halted
        model.note(max((off for off in (short, lesson.apart) if off is not None), default=None))
        self._urgent = self._urgent or model.halted is not before

    def save(self) -> None:
        """Keep what was learned, now and then; at once when a model was halted or set free."""
        if self._urgent or self._clock() - self._saved >= SAVE_S:
            self.close()

    def close(self) -> None:
        """Keep what was learned."""
        if self._file is not None and self._unsaved and self._file.write(self._told):
            self._unsaved.clear()
            self._urgent = False
        self._saved = self._clock()

    def _told(self, news: Sequence[Kept]) -> list[Kept]:
        """Everything that is known, with what another slot has learned."""
        self._take(news)
        return [_kept(*key, known) for key, known in self._models.items()]

    def _follow(self) -> None:
        if self._file is not None:
            self._take(self._file.news())

    def _take(self, news: Sequence[Kept]) -> None:
        """What another slot wrote. It knows better, but for what was learned here since."""
        for kept in news:
            known, key = self._model(kept.provider, kept.model), (kept.provider, kept.model)
            if key in self._unsaved:
                known.join(kept)
            else:
                known.become(kept)

    def _apart(self, told: Counted, now: _Worth) -> float | None:
        """How far a conversation's tokens are from what they were worth, until so many replies agree that it is so. None
        where they cannot be held against what they were.
        """
        key = (told.provider, told.outline.model or "", told.outline.family)
        was = self._worths.get(key)
        if was is None or not 1 / GROWTH <= now.size / was.size <= GROWTH:
            self._worths[key] = now
            return None
        if was.apart >= BELIEVED or _as_before(was, now):
            self._worths[key] = now
            return 0.0
        apart = abs(now.token / was.token - 1)
        self._worths[key] = now if apart <= APART else was._replace(apart=was.apart + 1)
        return apart

    def allows(self, model: str) -> bool:
        """False while new edits are stopped for a model, whatever provider it drifts at, and whichever slot has seen it."""
        self._follow()
        return not any(known.halted for (_, name), known in self._models.items() if name == model)

    def wants(self, model: str, size: int) -> bool:
        """Whether a request of so many bytes is worth counting whole. Says yes at most once in APART_S."""
        if size > LARGEST_SAMPLE:
            return False
        now = self._clock()
        models = [known for (_, name), known in self._models.items() if name == model]
        if not models or any(now - known.sampled < APART_S for known in models):
            return False
        if all(known.samples >= SAMPLES and now - known.sampled < SAMPLE_S for known in models):
            return False
        for known in models:
            known.sampled = now
        return True

    def kept(self) -> dict[str, object] | None:
        """Models known from before this start, and what is wrong with their file; None where there is none."""
        return {"restored": self._restored, **self._file.trouble()._asdict()} if self._file is not None else None

    def statistics(self) -> dict[str, dict[str, object]]:
        """By model: the factor and its spread, from how many samples; drift, and whether new edits are stopped for it."""
        return {
            f"{provider}/{name}": {
                "factor": round(known.mean, 4),
                "spread": round(known.spread, 4),
                "samples": known.samples,
                "drift": round(known.drift, 4),
                "halted": known.halted,
            }
            for (provider, name), known in self._models.items()
        }

    def _model(self, provider: str, model: str) -> _Model:
        known = self._models.get((provider, model))
        if known is None:
            self._models[provider, model] = known = _Model()
        return known


def _kept(provider: str, name: str, known: _Model) -> Kept:
    return Kept(
        provider,
        name,
        _within(known.token),
        known.samples,
        _within(known.mean),
        min(known.variance, 1e12),
        known.drift,
        known.replies,
        known.halted,
    )


def _within(worth: float) -> float:
    """A worth that can be kept; a reply may claim any number of tokens."""
    return min(max(worth, 1e-6), 1e6)


def _as_before(was: _Worth, now: _Worth) -> bool:
    """True where what was there before has been read for what it was worth: then it is the new text that is denser."""
    return was.total / 2 <= now.read <= was.total * SAME
