"""Turns through the engine and the ledger, as the front and a worker would have taken them.

Each request is asked about in two worlds, with one set of accounts: as it was, where what the provider reported settles
it and teaches what tokens are worth; and as TokenPak would have sent it, where nothing was reported and the ledger
answers. So the log's usage is that of the ORIGINAL, and no saving of ours ever rests on it. The worlds have caches of their
own (they are told apart as two hosts), and the clock is the log's. The difficulty is what must not be counted twice: turns
that stand in an earlier file, and those before the time that was asked for, are replayed, since caches and plans remember
them, and not booked.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from tokenpak.cli.estimate import head
from tokenpak.cli.estimate.head import Heads
from tokenpak.cli.estimate.request import body_of
from tokenpak.cli.estimate.rows import Booked, Counts, Row, book
from tokenpak.cli.estimate.turns import Broken, Compacted, Read, Turn
from tokenpak.core import savings
from tokenpak.core.body import Outline, Unreadable, outline
from tokenpak.core.cost import PriceTable
from tokenpak.core.ledger import PRICES, Prices, relative
from tokenpak.core.patch import Footprint, Form, Format, Job, Patch, Trace
from tokenpak.core.rules import Rule, Terms, resolved
from tokenpak.core.splice import apply_edits
from tokenpak.core.usage import Observation, Usage
from tokenpak.services.accounts import Account, Accounts, Told
from tokenpak.services.compress import Compressor, Counter
from tokenpak.services.marks import CacheMarks

TURN_S = 20.0
"""Between turns of a log that has no times."""
_AS_IT_WAS, _AS_SENT = "as it was", "as sent"


class Means(NamedTuple):
    """What a replay is made with. model, missing: of sessions that name no model, and that do not tell their head's size."""

    counter: Counter
    table: PriceTable
    rules: tuple[Rule, ...] = ()
    terms: Terms = Terms()
    model: str = ""
    missing: int = 0


class Sent(NamedTuple):
    """A request as the client sent it, and as the engine would. missing: tokens of its stand-in, by size."""

    body: bytes
    edited: bytes
    about: Outline
    patch: Patch
    ours: tuple[int, ...]
    missing: int


class Engine:
    """A worker, what a front remembers, and the clock they share, for the conversations of one file."""

    def __init__(self, means: Means) -> None:
        self._means, self.now = means, 0.0
        self._worker = Compressor(means.counter)
        self._marks = CacheMarks(lambda: self.now, self._relative)
        self._forms: dict[bytes, dict[bytes, Form]] = {}

    def send(self, turn: Turn, missing: int, *, count: Callable[[str, int], bool]) -> Sent:
        """The request of a turn in both forms. count: whether one of a model and a size is counted. Raises Unreadable."""
        try:
            body = body_of(turn, missing)
        except msgspec.MsgspecError as error:
            raise Unreadable("not_a_request") from error
        about = outline(turn.format, body)
        terms = resolved(self._means.rules, self._means.terms, turn.client, about.model)
        forms = self._forms.setdefault(about.family, {})
        counted = count(turn.model, len(body))
        patch = self._worker.run(Job(turn.format, terms.policy, tuple(forms.values()), counted), body)
        if patch.footprint is None:
            raise Unreadable("unread")
        for form in patch.forms:
            forms.setdefault(form.chain, form)
        edited = apply_edits(body, patch.edits)
        if turn.format is not Format.ANTHROPIC or not terms.cache_marks:
            return Sent(body, edited, about, patch, (), missing)
        marked = self._marks.place(edited, turn.model)
        ours = marked.places if marked.blocks == len(patch.footprint.blocks) else ()
        return Sent(body, marked.body, about, patch, ours, missing)

    def _relative(self, model: str) -> Prices:
        found = self._means.table.find("anthropic", model)
        return relative(found.prices) if found else PRICES


class Replay:
    """One file. After `run`, `rows` has its sessions and `counts` what else there was."""

    def __init__(self, means: Means, heads: Heads) -> None:
        self._means, self._heads = means, heads
        self._engine = Engine(means)
        self._accounts = Accounts(lambda: means.table, lambda: self._engine.now)
        self.rows: dict[str, Row] = {}
        self.counts = Counts(files=1)

    def run(self, read: Iterable[Read], since: float, copied: frozenset[str]) -> None:
        """Replay what a reader gives. since: seconds since the epoch. copied: ids of answers that are booked elsewhere."""
        for each in read:
            match each:
                case Broken(why):
                    self.counts.broken[why] = self.counts.broken.get(why, 0) + 1
                case Compacted():
                    self.counts.compactions += 1
                case Turn():
                    self._turn(each, since, copied)

    def _turn(self, turn: Turn, since: float, copied: frozenset[str]) -> None:
        turn = turn if turn.model else msgspec.structs.replace(turn, model=self._means.model)
        self._engine.now = max(self._engine.now, turn.at or self._engine.now + TURN_S)
        missing = self._heads.sizes.get(turn.conversation, self._means.missing)
        try:
            sent = self._engine.send(turn, missing, count=self._is_counted(turn))
        except Unreadable:
            self.counts.unread += 1
            return
        booked = self._booked(turn, sent)
        if turn.response and turn.response in copied:
            self.counts.copied += 1
        elif turn.at is None or turn.at >= since:
            self.counts.untimed += turn.at is None
            row = self.rows.setdefault(turn.session, Row(turn.session, turn.agent))
            book(row, booked)

    def _is_counted(self, turn: Turn) -> Callable[[str, int], bool]:
        """Only a request whose tokens the provider told of teaches anything by being counted."""
        known = head.counted(turn) is not None
        return lambda model, size: known and self._accounts.learned.wants(model, size)

    def _booked(self, turn: Turn, sent: Sent) -> Booked:
        footprint = sent.patch.footprint or Footprint()
        was = self._told(turn, sent, _AS_IT_WAS, _unedited(footprint))
        will = self._told(turn, sent, _AS_SENT, footprint)._replace(ours=sent.ours)
        opened = [self._accounts.open(told) for told in (was, will)]
        usage, total = turn.usage, head.counted(turn)
        reported = usage if usage is not None else Usage(uncached=total) if total is not None else None
        seen = Observation(reported or Usage(), None, "provider" if reported else None)
        original = self._accounts.settle(opened[0], turn.provider, turn.model, seen)
        ours = self._accounts.settle(opened[1], turn.provider, turn.model, Observation())
        self._compare(original, usage)
        lines = [line for line in ours.savings if line.cause == "proxy"]
        lines += original.savings if usage is not None else ()
        tokens, bill = self._bill(turn, original, usage)
        return Booked(
            turn.model, turn.conversation, turn.at, tokens, sent.missing,
            usage is not None, total is not None and usage is None, bill, tuple(lines),
        )  # fmt: skip

    def _told(self, turn: Turn, sent: Sent, world: str, footprint: Footprint) -> Told:
        return Told(turn.provider, world, sent.about, footprint, (), 0, sent.patch.counted)

    def _bill(self, turn: Turn, account: Account, usage: Usage | None) -> tuple[int, int | None]:
        """Input tokens of the request as the client sent it, and what they cost: as reported, or by the ledger."""
        used = savings.reported(usage) if usage is not None else account.expected
        found = self._means.table.find(turn.provider, turn.model)
        if used is None:
            return head.counted(turn) or 0, None
        return used.total, savings.nanos_of(used, found.prices if found else None)

    def _compare(self, account: Account, usage: Usage | None) -> None:
        if usage is None or account.expected is None:
            return
        self.counts.expected_read += account.expected.read
        self.counts.reported_read += usage.cache_read or 0
        self.counts.reported_input += savings.reported(usage).total


def _unedited(footprint: Footprint) -> Footprint:
    """The request as the client sent it."""
    blocks = tuple(Trace(block.chain, block.chain, block.tokens, 0) for block in footprint.blocks)
    return msgspec.structs.replace(footprint, blocks=blocks)


def replayed(
    read: Callable[[], Iterator[Read]], means: Means, since: float = 0.0, copied: frozenset[str] = frozenset()
) -> tuple[list[Row], Counts]:
    """The rows of one file, which is read twice: once for the size of what it does not hold."""
    heads = head.heads(head.sized(turn for turn in read() if isinstance(turn, Turn)))
    replay = Replay(means, heads)
    replay.run(read(), since, copied)
    return list(replay.rows.values()), replay.counts
