"""One recorded session through the engine, in this process, turn by turn, weighed as the shared replay weighs it.

The engine is asked as the front asks a worker: body and known forms in, patch out, its forms kept by conversation family.
What is counted and priced comes from the shared place's `bench/`, imported when it is there and never copied. The
difficulty is time: a session of n turns holds its first message n times, so an element of a body (one tool, one message)
is weighed once and remembered by its bytes.
"""

import importlib
import json
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import tiktoken.registry

from tests.bench.references import Reference, references
from tests.shared_place import shared
from tokenpak.core.body import outline, read
from tokenpak.core.expand import expand_body
from tokenpak.core.passes import PASSES
from tokenpak.core.patch import Form, Format, Job, Patch, Policy
from tokenpak.core.pipeline import replay
from tokenpak.core.plan import plan_of
from tokenpak.core.splice import apply_edits
from tokenpak.services.compress import Compressor
from tokenpak.services.marks import CacheMarks
from tokenpak.services.tokens import Exact, load_counter, search_path

MODELS = {"anthropic": "claude-sonnet-4-5-20250929", "openai": "gpt-4.1"}
FORMATS = {"anthropic": Format.ANTHROPIC, "openai": Format.OPENAI_CHAT, "responses": Format.OPENAI_RESPONSES}


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """How sessions are played. The words are those of the shared replay; 0 most_turns: all; expand_every: check each Nth
    changed body. only: how the format or the agent of a session begins that is played at all.
    """

    head: int = 0
    recast_reads: bool = False
    as_responses: bool = False
    markers: bool = True
    mutate: str | None = None
    most_turns: int = 0
    passes: tuple[str, ...] = tuple(PASSES)
    expand_every: int = 10
    only: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A session as played. Percentages of the unedited session; bills below zero are cheaper. passes: (edits, tokens).

    sent_tokens, cost: sums over all turns, before and after; cost under the rules of the session's own provider, in
    uncached input tokens.
    """

    id: str
    agent: str
    format: str
    turns: int
    tokens: int
    long: bool
    sent_tokens: tuple[int, int]
    cost: tuple[float, float]
    final_saved_pct: float
    bill_own_pct: float
    bill_anthropic_pct: float
    bill_openai_pct: float
    bill_marked_pct: float | None
    worst_pct: float
    names_lost_pct: float
    references: int
    lines: float
    most_in_one_block: int
    hops: int
    prefix_pairs: int
    prefix_kept: int
    changed: int
    expand_tried: int
    expand_wrong: int
    invalid: int
    defects: int
    passes: dict[str, tuple[int, int]]


class Bench(NamedTuple):
    """The shared bench's modules."""

    sessions: Any
    billing: Any
    weigh: Any
    replay: Any


@cache
def bench() -> Bench:
    """The shared bench. Exits with a message where it is not there."""
    place = shared()
    if place is None or not (place / "bench").is_dir():
        raise SystemExit("the shared place with bench/ is not there; set TOKENPAK_SHARED")
    sys.path.insert(0, str(place / "bench"))
    return Bench(*(importlib.import_module(name) for name in Bench._fields))


@cache
def counters() -> tuple[Exact, Any]:
    """The tokenizer the engine decides with, and the one that weighs. Exits where there is no vocabulary."""
    ours = load_counter(search_path())
    if not isinstance(ours, Exact):
        raise SystemExit("no vocabulary of the tokenizer on this machine; name its folder in TIKTOKEN_CACHE_DIR")
    tiktoken.registry.ENCODINGS[ours.name] = ours._encoding  # else it is looked for once more, and then on the network
    return ours, bench().billing.Counter(ours.name)


class Sizes:
    """Blocks of a body with their tokens: what `billing.sized` gives, element by element, remembered by bytes."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], list[Any]] = {}

    def __call__(self, body: bytes) -> list[Any]:
        """[(key, tokens, life of the cache mark)] in provider order."""
        top = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        out: list[Any] = []
        for name in ("tools", "system", "instructions", "messages", "input"):
            whole = bytes(top.get(name, msgspec.Raw(b"[]")))
            if whole.startswith(b"["):
                for element in msgspec.json.decode(whole, type=list[msgspec.Raw]):
                    out += self._sized(name, bytes(element), listed=True)
            else:
                out += self._sized(name, whole, listed=False)
        return out

    def _sized(self, name: str, raw: bytes, *, listed: bool) -> list[Any]:
        known = self._known.get((name, raw))
        if known is None:
            element = json.loads(raw)
            known = bench().billing.sized({name: [element] if listed else element}, counters()[1])
            self._known[name, raw] = known
        return known


class Engine:
    """A worker, and what a front remembers, for one session whose turns follow each other at once."""

    def __init__(self, fmt: Format, passes: tuple[str, ...], model: str) -> None:
        self.format, self._policy = fmt, Policy(passes=passes)
        self._worker = Compressor(counters()[0])
        self._forms: defaultdict[bytes, dict[bytes, Form]] = defaultdict(dict)
        self._marks, self._model = CacheMarks(lambda: 0.0), model
        self.defects = 0

    def send(self, body: bytes) -> tuple[bytes, Patch]:
        """The body as it is sent, cache marks and all, and its patch, whose forms are known from now on."""
        forms = self._forms[outline(self.format, body).family]
        patch = self._worker.run(Job(self.format, self._policy, tuple(forms.values())), body)
        for form in patch.forms:
            forms.setdefault(form.chain, form)
        self.defects += patch.defects
        sent = apply_edits(body, patch.edits)
        if self.format is Format.ANTHROPIC:
            sent = self._marks.place(sent, self._model).body
        return sent, patch

    def references(self, body: bytes) -> list[Reference]:
        """The references in a body that was sent."""
        forms = self._forms[outline(self.format, body).family]
        return references(replay(read(self.format, body), plan_of(forms.values())))


class Last(NamedTuple):
    """The last request: as the client sent it, as the provider got it, its patch, and its tokens on both sides."""

    raw: bytes
    sent: bytes
    patch: Patch
    tokens: tuple[int, int]


class Player:
    """Plays one session. After `run`, `row` says what came of it."""

    def __init__(self, path: Path, variant: Variant) -> None:
        self._variant, self._session = variant, json.loads(path.read_bytes())
        self._wire = self._session.get("format", "anthropic")
        responses = variant.as_responses and self._wire == "openai"
        fmt = FORMATS["responses" if responses else self._wire]
        self._engine = Engine(fmt, variant.passes, MODELS[self._wire])
        self._sizes, self._counts = Sizes(), Counter()
        self._lanes: list[Any] = []
        self._last: Last | None = None
        self._longest = 0

    @property
    def is_meant(self) -> bool:
        """Whether the variant is about this session."""
        told = (self._wire, str(self._session.get("agent")))
        return any(each.startswith(self._variant.only) for each in told)

    def run(self) -> Row:
        """Every turn of every lane, in the order in which a client would send them."""
        kit = bench()
        if self._variant.recast_reads:
            kit.sessions.recast_reads(self._session)
        if not self._session.get("tools"):
            self._session["_tools"] = kit.sessions.minimal_tools(self._wire, self._session["messages"])
        queues = kit.sessions.lanes(self._session, self._variant.mutate, self._variant.most_turns)
        minimum = kit.billing.min_cache(MODELS[self._wire])
        self._lanes = [kit.replay.Lane(minimum) for _ in queues]
        for turn in range(max(map(len, queues))):
            for lane, queue in zip(self._lanes, queues, strict=True):
                if turn < len(queue):
                    self._turn(lane, turn, queue[turn])
        return self._row()

    def _turn(self, lane: Any, turn: int, messages: list[Any]) -> None:
        raw = bench().replay.encode(self._body(messages), turn, self._variant.mutate)
        sent, patch = self._engine.send(raw)
        sized = (self._sizes(raw), self._sizes(sent))
        lane.add(sized, self._counts)
        self._counts["turns"] += 1
        if patch.edits:
            if self._counts["changed"] % self._variant.expand_every == 0:
                self._check(raw, sent)
            self._counts["changed"] += 1
        before, after = (bench().billing.total(side) for side in sized)
        self._counts.update(tokens_before=before, tokens_after=after)
        self._last, self._longest = Last(raw, sent, patch, (before, after)), max(self._longest, before)

    def _body(self, messages: list[Any]) -> dict[str, Any]:
        return bench().sessions.build(
            self._session,
            messages,
            model=MODELS[self._wire],
            stream=True,
            markers=self._variant.markers,
            head=self._variant.head,
            responses=self._engine.format is Format.OPENAI_RESPONSES,
        )

    def _check(self, raw: bytes, sent: bytes) -> None:
        """The request must come back from the sent bytes alone, and what a provider rejects must not have been made."""
        weigh = bench().weigh
        body, back, up = (json.loads(each) for each in (raw, expand_body(self._engine.format, sent), sent))
        self._counts["expand_tried"] += 1
        self._counts["expand_wrong"] += weigh.canonical(back) != weigh.canonical(body)
        self._counts["invalid"] += bool(set(weigh.validity(up)) - set(weigh.validity(body)))

    def _row(self) -> Row:
        assert self._last
        raw, sent, patch, (before, after) = self._last
        own_head = 0 if self._session.get("system") else self._variant.head
        turns, kit = self._counts["turns"], bench()
        found = self._engine.references(raw)
        own, marked = self._bill(self._wire), self._bill("marked") if self._wire == "anthropic" else None
        return Row(
            id=self._session["id"],
            agent=str(self._session.get("agent")),
            format=self._engine.format.value,
            turns=turns,
            tokens=before,
            long=turns >= kit.replay.LONG_TURNS and self._longest - own_head >= kit.replay.LONG_TOKENS,
            sent_tokens=(self._counts["tokens_before"], self._counts["tokens_after"]),
            cost=self._cost(self._wire),
            final_saved_pct=100 * (1 - after / before),
            bill_own_pct=own,
            bill_anthropic_pct=self._bill("anthropic"),
            bill_openai_pct=self._bill("openai"),
            bill_marked_pct=marked,
            worst_pct=own if marked is None else max(own, marked),
            names_lost_pct=kit.weigh.identifiers_lost(json.loads(raw), json.loads(sent)),
            references=len(found),
            lines=sum(each.lines for each in found) / len(found) if found else 0.0,
            most_in_one_block=max(Counter(each.block for each in found).values(), default=0),
            hops=max((each.hops for each in found), default=0),
            prefix_pairs=self._counts["prefix_pairs"],
            prefix_kept=self._counts["prefix_kept"],
            changed=self._counts["changed"],
            expand_tried=self._counts["expand_tried"],
            expand_wrong=self._counts["expand_wrong"],
            invalid=self._counts["invalid"],
            defects=self._engine.defects,
            passes={tally.name: (tally.edits, tally.saved) for tally in patch.tallies},
        )

    def _bill(self, rule: str) -> float:
        before, after = self._cost(rule)
        return 100 * (after / before - 1)

    def _cost(self, rule: str) -> tuple[float, float]:
        bills = sum((lane.bills for lane in self._lanes), Counter())
        return bills[rule, "before"], bills[rule, "after"]
