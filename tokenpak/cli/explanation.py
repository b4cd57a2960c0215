"""What would happen to each text of a request that may be edited, and why: the figures of `tokenpak compress --explain`.

The engine decides by block; a reader thinks in texts at places. So each text is named by where its message stands in the
body, as a program would index it, and by the name a marker would use for it.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from tokenpak.cli.reasons import sentence
from tokenpak.cli.render import amount
from tokenpak.core.body import Block, Kind, View
from tokenpak.core.body.spans import members
from tokenpak.core.conversation import Step, sent_form
from tokenpak.core.names import Names
from tokenpak.core.patch import Change
from tokenpak.core.pipeline import CHARS_PER_TOKEN, Decided, Decision
from tokenpak.services.tokens import Counter as Tokens

COLUMNS = 100
_SHORTEST_NAME = 12

GOES_ON = "(as its marker above says)"
"""What stands for the words of an edit that has none of its own."""

KINDS = {
    Kind.TOOL: "tool definition",
    Kind.SYSTEM: "system text",
    Kind.USER: "user text",
    Kind.ASSISTANT: "assistant text",
    Kind.CALL: "tool call",
    Kind.RESULT: "tool result",
    Kind.OPAQUE: "other block",
}


class Made(msgspec.Struct, frozen=True):
    """An edit of a text. new: its marker, which what is shortened may follow. saved: tokens net of it, at least."""

    name: str = msgspec.field(name="pass")
    new: str
    saved: int = msgspec.field(name="tokens_saved")


class Told(msgspec.Struct, frozen=True):
    """A text that may be edited.

    where: its message or item, as the body would be indexed. block, text: counted from 1, None where there is but one.
    kind: what it is. name: what a marker would call it, "" for nothing. before, after: tokens.
    why, meaning: the reason word and its sentence, None where it was edited.
    """

    where: str
    block: int | None
    text: int | None
    kind: str
    name: str
    before: int = msgspec.field(name="tokens")
    after: int = msgspec.field(name="tokens_sent")
    edits: tuple[Made, ...]
    why: str | None
    meaning: str | None

    @property
    def place(self) -> str:
        """`messages[4] #2.1`: block 2 of that message, and of that the first text."""
        numbers = [str(number) for number in (self.block, self.text) if number is not None]
        return f"{self.where} #{'.'.join(numbers)}" if numbers else self.where


def told(body: bytes, view: View, decided: Decided, tokens: Tokens) -> list[Told]:
    """Every text that may be edited, in the order in which a provider reads the request."""
    out: list[Told] = []
    places, names = _places(body, view), Names()
    blocks = Counter(decision.step.offset for decision in decided.decisions)
    for decision in decided.decisions:
        step = decision.step
        if step.block.kind is Kind.CALL:
            names.hear(step.block)
        if step.target:
            block = step.place + 1 if blocks[step.offset] > 1 else None
            label = next(iter(names.text(step.block)[0]), "")
            out += _texts(decision, places[step.offset], block, label, tokens)
    return out


def _texts(decision: Decision, where: str, number: int | None, label: str, tokens: Tokens) -> Iterator[Told]:
    block, several = decision.step.block, len(decision.step.block.texts) > 1
    sent = sent_form(block, decision.changes)
    for part, (old, new) in enumerate(zip(block.texts, sent.texts, strict=True)):
        edits = tuple(_made(change) for change in decision.changes if change.part == part)
        why = None if edits else decision.why or "no_match"
        yield Told(
            where=where,
            block=number,
            text=part + 1 if several else None,
            kind=KINDS[block.kind],
            name=label,
            before=tokens(old.text),
            after=tokens(new.text),
            edits=edits,
            why=why,
            meaning=sentence(why) if why else None,
        )


def _made(change: Change) -> Made:
    return Made(change.name, change.new, change.saved)


def _places(body: bytes, view: View) -> dict[int, str]:
    """Where each unit stands, by its offset: `messages[4]`, or `system` where that is one string."""
    spans = [(*span, name) for name, span in members(body, (0, len(body))).items()]
    seen: Counter[str] = Counter()
    places: dict[int, str] = {}
    for offset, _, _ in view.units:
        start, name = next((start, name) for start, end, name in spans if start <= offset < end)
        places[offset] = f"{name}[{seen[name]}]" if body[start : start + 1] == b"[" else name
        seen[name] += 1
    return places


def never_edited(steps: Sequence[Step]) -> dict[str, tuple[int, int]]:
    """What is no target: by kind, how many blocks, and about how many tokens."""
    count: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for step in steps:
        if not step.target:
            kind = _kind_of(step.block)
            count[kind] += 1
            size[kind] += step.block.size
    return {kind: (count[kind], size[kind] // CHARS_PER_TOKEN) for kind in count}


def _kind_of(block: Block) -> str:
    return "first user text" if block.kind is Kind.USER and block.texts else KINDS[block.kind]


def table(texts: Sequence[Told]) -> str:
    """A line for each text and one for each edit below it, within COLUMNS."""
    rows = [(t.place, f"{t.before:,}", f"{t.after:,}", t.why or "") for t in texts]
    head = ("WHERE", "TOKENS", "SENT", "WHY NOT")
    wide = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    room = max(_SHORTEST_NAME, COLUMNS - sum(wide) - 2 * len(wide))
    room = min(room, max((len(t.name) for t in texts), default=_SHORTEST_NAME))

    def line(row: Sequence[str], name: str) -> str:
        where, before, after, why = row
        return (
            f"{where:{wide[0]}}  {clipped(name, room):{room}}  {before:>{wide[1]}}  {after:>{wide[2]}}  {why}".rstrip()
        )

    lines = [line(head, "TEXT")]
    for row, text in zip(rows, texts, strict=True):
        lines.append(line(row, text.name))
        lines += [clipped(f"    {e.name}, {e.saved:,} saved: {e.new or GOES_ON}", COLUMNS) for e in text.edits]
    return "\n".join(lines)


def why_not(texts: Sequence[Told]) -> str:
    """For each reason word how many texts it kept as they are, and what it means."""
    count, tokens = Counter(t.why for t in texts), Counter[str | None]()
    for text in texts:
        tokens[text.why] += text.before
    lines: list[str] = []
    for word in sorted(filter(None, count), key=lambda word: -tokens[word]):
        lines.append(f"  {word}: {amount(count[word], 'text')}, {amount(tokens[word], 'token')}")
        lines += textwrap.wrap(sentence(word), COLUMNS, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def clipped(text: str, width: int) -> str:
    """The text on one line of at most `width` characters."""
    line = " ⏎ ".join(text.splitlines())
    return line if len(line) <= width else line[: width - 1] + "…"
