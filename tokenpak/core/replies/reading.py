"""What every reader of replies shares: the token classes, and the manners of reading what others wrote.

Providers, and hosts that imitate them, leave fields out, send null, change types and repeat themselves. So a field
counts only if it is what it should be, the last value given wins field by field, and what was never given stays None.
A reader keeps counts under its own names, taken from the reply by a table of paths; only at the end does it turn them
into disjoint classes.

Where a reply told no usage at all, the words that passed are all there is to go by: its output is then estimated, and
the basis says so. An estimate stands alone; it never fills a gap in what a provider told.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from tokenpak.core.echo import Watch

Basis = Literal["provider", "count", "estimate"]
"""provider: usage the provider reported. count: the answer to a question for a count, which used nothing. estimate: no
usage was told, and `output` is made from the size of the words that passed; what passed unseen, hidden reasoning above
all, is not in it. The input is for the caller to estimate, who knows what was sent."""

WORD_BYTES_PER_TOKEN = 4
"""UTF-8 bytes of a model's words that stand for one token, in an estimate. tests/conformance prints what the recorded
replies have."""

Paths = Mapping[str, tuple[tuple[str, ...], ...]]
"""For each count its places in a usage object, each a path of keys; the first place that holds a count is believed."""

MAX_COUNT = 2**53
MAX_WORD = 200
MOST_BESIDE = 32
"""Passes of a reply beyond which none is kept."""
_ERROR_WORD = re.compile(r"[\w.:/ -]{1,80}", re.ASCII)
_ERROR_KEYS = ("type", "status", "code")
DEEPEST = 32
"""Levels down to which strings inside a tool's arguments are looked at."""


class Usage(msgspec.Struct, frozen=True):
    """Token classes of one response, disjoint, as the provider reported them (reasoning lies inside output).

    Missing is None, never 0.
    """

    uncached: int | None = None
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    cache_write_other: int | None = None
    output: int | None = None
    reasoning: int | None = None


class Beside(msgspec.Struct, frozen=True):
    """Tokens a provider used on a pass of its own that lies outside the reply's usage, and bills all the same.

    kind: its word for the pass. model: whose price it has; None: the reply's.
    """

    kind: str
    model: str | None
    usage: Usage


class Reading(ABC):
    """One reply being read.

    finished: the reply said that it is complete, or ended itself with an error. counts: see the module's docstring.
    answered: set when the reply is the answer to a question for a count. word_bytes: size of the model's words that
    passed, so far as the reader measures them. beside: passes outside `counts`. searches: searches of the web the
    provider made, which are billed by the piece and are no tokens.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.model: str | None = None
        self.stop_reason: str | None = None
        self.error: str | None = None
        self.finished = False
        self.answered: int | None = None
        self.counts: dict[str, int] = {}
        self.word_bytes = 0
        self.beside: tuple[Beside, ...] = ()
        self.searches: int | None = None

    @abstractmethod
    def event(self, name: bytes, data: bytes) -> None:
        """Read one event of a stream. Raises ValueError or RecursionError for data that cannot be read."""

    @abstractmethod
    def document(self, data: bytes) -> None:
        """Read the whole reply. Raises ValueError or RecursionError for data that cannot be read."""

    @abstractmethod
    def classes(self) -> Usage:
        """The counts as disjoint classes."""

    def usage(self) -> Usage:
        """The token classes told so far, or what is estimated in their place."""
        match self.basis():
            case "count":
                return Usage(uncached=self.answered)
            case "estimate":
                return Usage(output=-(-self.word_bytes // WORD_BYTES_PER_TOKEN))
            case _:
                return self.classes()

    @property
    def is_over(self) -> bool:
        """Whether the model came to an end, so that its output is what was made, and not what had been made so far."""
        return self.stop_reason is not None or (self.finished and self.error is None)

    def basis(self) -> Basis | None:
        """Where `usage` is from; None when no count was told and no words passed."""
        if self.classes() != Usage():
            return "provider"
        if self.answered is not None:
            return "count"
        return "estimate" if self.word_bytes else None

    def take(self, paths: Paths, usage: object) -> None:
        """Take over the counts a usage object holds."""
        self.counts.update(pick(paths, usage))

    def note_searches(self, searches: object) -> None:
        """The last count of searches is the one."""
        told = count(searches)
        self.searches = self.searches if told is None else told

    def note_model(self, model: object) -> None:
        """The first model named is the one that serves."""
        self.model = self.model or word(model)

    def note_stop(self, reason: object) -> None:
        """The last reason given is the one."""
        self.stop_reason = word(reason) or self.stop_reason

    def note_error(self, error: object) -> None:
        """Remember an error's kind, never its text; None is no error."""
        if error is not None:
            self.error = error_word(error)
            self.finished = True


def pick(paths: Paths, usage: object) -> dict[str, int]:
    """The counts a usage object holds, by their names; whatever else it is holds none."""
    if not isinstance(usage, dict):
        return {}
    found = (
        (name, next((n for place in places if (n := count(follow(usage, place))) is not None), None))
        for name, places in paths.items()
    )
    return {name: n for name, n in found if n is not None}


def follow(value: object, path: tuple[str, ...]) -> object:
    """The member of nested objects that `path` leads to, else None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def count(value: object) -> int | None:
    """A token count, also one written as 12.0, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if whole and isinstance(value, int) else None


def word(value: object) -> str | None:
    """A name: a string that is not empty, cut to what a row may hold."""
    return value[:MAX_WORD] if isinstance(value, str) and value else None


def error_word(error: object) -> str:
    """The kind of an error; "error" where it has none, as with a bare message."""
    named = (follow(error, (key,)) for key in _ERROR_KEYS)
    kinds = (str(kind) for kind in named if isinstance(kind, str | int) and kind != "error")
    return next((kind for kind in kinds if _ERROR_WORD.fullmatch(kind)), "error")


def strings(value: object, depth: int = 0) -> Iterator[str]:
    """Every string inside a JSON value, names of members left out."""
    if isinstance(value, str):
        yield value
    elif depth < DEEPEST and isinstance(value, dict):
        for member in value.values():
            yield from strings(member, depth + 1)
    elif depth < DEEPEST and isinstance(value, list):
        for member in value:
            yield from strings(member, depth + 1)


def less(whole: int | None, *parts: int | None) -> int | None:
    """A total without its parts. Parts larger than the total cannot lie inside it: then it is the remainder already."""
    inside = sum(part or 0 for part in parts)
    return whole if whole is None or inside > whole else whole - inside


def plus(*parts: int | None) -> int | None:
    """The sum of what is known, None if nothing is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
