"""Questions whose answer lies in text that a marker stands for, and the exact text that answers each.

A question is only fair when the request as the client sent it has exactly one answer, so each asks for what was shown
last: a displayed line number under a tool's name, or the line that follows a given one. Only the latest result of a
name that shows the line counts, and where a line stands twice in it nothing is asked. A line is hidden when an edit
covers it and what is sent in its place does not contain it; lines in a user's own messages are not asked about, because
they have no name that tells them apart. Which of the questions are asked is for the caller to draw.
"""

from collections.abc import Iterator, Sequence

import msgspec

from tokenpak.core.body import Block, Kind
from tokenpak.core.lines import Lines, taken_apart
from tokenpak.core.names import Names
from tokenpak.core.patch import Change
from tokenpak.core.pipeline import Decision
from tokenpak.core.splice import sent_in_place

SHORTEST, LONGEST = 8, 160
"""Characters of a line that may be asked for: shorter ones are guessed, longer ones test typing."""

HOW = (
    "Answer with the text of that one line, exactly as it stands there, and nothing else: no line number, no quotes, no "
    "explanation. Do not use any tool."
)


class Question(msgspec.Struct, frozen=True):
    """kind: "number" asks for a displayed line number, "next" for the line after one. words: as a user would ask.

    answer: the line, without its displayed number. label: the name of the result it is asked about.
    """

    kind: str
    label: str
    words: str
    answer: str


def questions_about(decisions: Sequence[Decision]) -> list[Question]:
    """Every fair question about hidden lines of a request, in the order in which their lines stand in it.

    decisions: all blocks of the request in the forms they are sent in (`pipeline.replay`).
    """
    latest: dict[tuple[str, int | str], Question | None] = {}
    names = Names()
    for decision in decisions:
        block = decision.step.block
        if block.kind is Kind.CALL:
            names.hear(block)
        elif block.kind is Kind.RESULT and names.caller(block) is not None:
            for key, question in _asked_of(names.text(block)[0][-1], block, decision.changes):
                latest.pop(key, None)  # what is shown again is asked about at its new place
                latest[key] = question
    return [question for question in latest.values() if question]


Key = tuple[str, int | str]
"""What a question is about: a name, and a displayed number or the line before the answer."""


def _asked_of(label: str, block: Block, changes: Sequence[Change]) -> Iterator[tuple[Key, Question | None]]:
    """All that a result shows under its name, with the question about it where there is a fair one."""
    shown: dict[Key, Question | None] = {}
    for part, text in enumerate(block.texts):
        lines = taken_apart(text.text)
        hidden = _hidden(text.text, lines, [change for change in changes if change.part == part])
        for at, body in enumerate(lines.bodies):
            for key, question in _about(label, lines, at):
                fair = question if key not in shown and hidden[at] and _can_be_asked(body) else None
                shown[key] = fair
    yield from shown.items()


def _about(label: str, lines: Lines, at: int) -> Iterator[tuple[Key, Question]]:
    """The ways to ask for one line: by its number, and by the line before it."""
    body, number = lines.bodies[at], lines.numbers[at]
    before = lines.bodies[at - 1] if at and at - 1 not in lines.edges else ""
    if number >= 0:
        words = f'What is line {number} in the result of "{label}", as it was shown last?'
        yield (label, number), Question("number", label, f"{words} {HOW}", body)
    if _can_be_asked(before):
        words = f'In the latest result of "{label}" that shows the following line, which line comes directly after it?'
        yield (label, before), Question("next", label, f"{words}\n\n{before}\n\n{HOW}", body)


def _hidden(text: str, lines: Lines, changes: Sequence[Change]) -> list[bool]:
    """For each line, whether an edit covers it and does not show it. Lines with JSON around them count as shown."""
    starts = lines.starts()
    edits = [(change.start, change.end, sent_in_place(text, change)) for change in changes]

    def is_hidden(at: int, body: str) -> bool:
        start, end = starts[at], starts[at] + len(lines.lines[at])
        return at not in lines.edges and any(a <= start and end <= b and body not in sent for a, b, sent in edits)

    return [is_hidden(at, body.strip()) for at, body in enumerate(lines.bodies)]


def _can_be_asked(line: str) -> bool:
    """True for a line that says something, and reads the same whether or not its escapes are taken for characters."""
    told = line.strip()
    return SHORTEST <= len(told) <= LONGEST and any(map(str.isalpha, told)) and "\\" not in told and "`" not in told
