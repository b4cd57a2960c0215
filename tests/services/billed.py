"""Recorded sessions as a provider would bill them, by the outside yardstick, and as an account tells of them.

The yardstick (`bench/billing.py` of the shared place) knows nothing of the ledger: it sizes the raw and the sent bodies
itself, keeps its own cache, and its answer, scaled by what a model makes of the tokens, is the usage that the account is
settled with. What the account then says was saved is held against the yardstick's own difference of the two bills.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.bench.played import FORMATS, MODELS, Sizes, bench, counters
from tokenpak.config.prices import in_force, shipped
from tokenpak.core import savings
from tokenpak.core.body import outline
from tokenpak.core.cost import PriceTable
from tokenpak.core.ledger import Used
from tokenpak.core.patch import Form, Format, Job, Policy
from tokenpak.core.splice import apply_edits
from tokenpak.core.usage import Observation, Usage
from tokenpak.services.accounts import Account, Accounts, Told
from tokenpak.services.compress import Compressor
from tokenpak.services.marks import CacheMarks, Marked

TABLE: PriceTable = in_force(shipped(), {}, "2026-11-28")
FACTOR, NOISE = 1.27, 0.05
"""What the model makes of a token of the yardstick's, and by how much blocks differ in it."""
TURN_S = 20.0
CLASSES = ("input", "read", "write", "write_1h")


class Classes:
    """One conversation by the yardstick's rules: tokens of every class, each turn. Asked four times, once for each price."""

    def __init__(self, wire: str, model: str) -> None:
        billing = bench().billing
        self._minimum, self._previous, self._marks = billing.min_cache(model), None, wire == "anthropic"
        hot = ({name: float(name == each) for name in CLASSES} for each in CLASSES)
        self._views = [billing.Marked(prices, self._minimum) for prices in hot]

    def __call__(self, sized: list[Any]) -> Used:
        """The classes of one more request."""
        if self._marks:
            uncached, read, short, long = (round(view.turn(sized)[0]) for view in self._views)
            return Used(uncached, read, short, long)
        rules = bench().billing.OPENAI
        _, total, read = bench().billing.ideal_turn(self._previous, sized, rules, self._minimum)
        self._previous = sized
        return Used(total - read, read)


class Turn(NamedTuple):
    """A request as the client sent it; what the yardstick makes of it in the three worlds, in the model's tokens; the account."""

    raw: bytes
    original: Used
    compressed: Used
    sent: Used
    account: Account


class Front:
    """What a front knows of one conversation: the worker, the forms, the marks, and the account of each request."""

    def __init__(self, fmt: Format, model: str) -> None:
        self._format, self.model = fmt, model
        self.now = 0.0
        self.accounts = Accounts(lambda: TABLE, lambda: self.now)
        self._worker, self._marks = Compressor(counters()[0]), CacheMarks(lambda: self.now)
        self._forms: defaultdict[bytes, dict[bytes, Form]] = defaultdict(dict)

    def send(self, raw: bytes, provider: str) -> tuple[bytes, bytes, Callable[[Usage], Account]]:
        """The body with our edits, and with our marks too, as it leaves; and what settles its account."""
        self.now += TURN_S
        about = outline(self._format, raw)
        forms = self._forms[about.family]
        wanted = self.accounts.learned.wants(self.model, len(raw))
        patch = self._worker.run(Job(self._format, Policy(), tuple(forms.values()), wanted), raw)
        for form in patch.forms:
            forms.setdefault(form.chain, form)
        edited = apply_edits(raw, patch.edits)
        marked = self._marks.place(edited, self.model) if self._format is Format.ANTHROPIC else Marked(edited)
        assert patch.footprint is not None
        told = Told(provider, provider, about, patch.footprint, marked.places, 0, patch.counted)
        opened = self.accounts.open(told)
        return (
            edited,
            marked.body,
            lambda usage: self.accounts.settle(
                opened, provider, self.model, Observation(usage, self.model, "provider")
            ),
        )


def sessions() -> list[Path]:
    """The recorded sessions."""
    return sorted((Path(bench().billing.__file__).parent.parent / "corpus" / "dev").glob("*.json"))


def bodies(session: dict[str, Any], *, markers: bool, head: int) -> Iterator[bytes]:
    """The requests of a session, turn by turn."""
    wire = session.get("format", "anthropic")
    if not session.get("tools"):
        session["_tools"] = bench().sessions.minimal_tools(wire, session["messages"])
    for messages in bench().sessions.lanes(session, None, 0)[0]:
        body = bench().sessions.build(
            session, messages, model=MODELS[wire], stream=True, markers=markers, head=head, responses=False
        )
        yield bench().replay.encode(body, 0, None)


def play(path: Path, *, markers: bool = True, head: int = 28_000) -> Iterator[Turn]:
    """A session through the whole path."""
    session = json.loads(path.read_bytes())
    wire = session.get("format", "anthropic")
    front, sizes = Front(FORMATS[wire], MODELS[wire]), Sizes()
    views = [Classes(wire, front.model) for _ in savings.Worlds._fields]
    for raw in bodies(session, markers=markers, head=head):
        edited, sent, settle = front.send(raw, wire)
        used = [view(_scaled(sizes(body))) for view, body in zip(views, (raw, edited, sent), strict=True)]
        yield Turn(raw, *used, settle(_usage(used[-1])))


def _scaled(sized: list[Any]) -> list[Any]:
    return [(key, round(tokens * _scale(place)), mark) for place, (key, tokens, mark) in enumerate(sized)]


@cache
def _scale(place: int) -> float:
    """Of a block by where it stands: the same in all worlds, and on every turn."""
    return FACTOR * (1 + Random(place).gauss(0, NOISE))


def _usage(used: Used) -> Usage:
    return Usage(used.uncached, used.read, used.write_5m, used.write_1h, None, 100)
