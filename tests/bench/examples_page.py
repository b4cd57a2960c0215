"""The page of fifty texts as a client sent them and as a model reads them, drawn at random from recorded sessions.

    python tests/bench/examples_page.py [SESSIONS] docs/examples.md

SESSIONS is a folder of recorded sessions; without it those of the shared place are read. The last request of each goes
through the engine as a conversation never seen before, and every text that comes out changed has the same chance to be
drawn: the fifty whose seeded hashes are the smallest. So a session more or less moves a few examples, never all.

The difficulty is the verdicts: they are a reader's, written into the page by hand. An example is named by a hash over
what the page shows of it, and a verdict is kept for exactly as long as that stays the same. Needs the tokenizer's
vocabulary (TIKTOKEN_CACHE_DIR).
"""

import argparse
import hashlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tests.bench.savings import recorded  # noqa: E402 - the path above makes it importable when run as a script
from tests.core.corpus import request  # noqa: E402 - see above
from tokenpak.core.body import Kind, read  # noqa: E402 - see above
from tokenpak.core.lines import split  # noqa: E402 - see above
from tokenpak.core.names import Names  # noqa: E402 - see above
from tokenpak.core.patch import Change, Format, Policy  # noqa: E402 - see above
from tokenpak.core.pipeline import decide  # noqa: E402 - see above
from tokenpak.core.splice import apply_changes, sent_in_place  # noqa: E402 - see above
from tokenpak.services.tokens import Counter as TokenCounter  # noqa: E402 - see above
from tokenpak.services.tokens import Exact, load_counter, search_path  # noqa: E402 - see above

DRAWN = 50
SEED = b"fifty examples"
MOST_LINES, MOST_CHARS, AROUND = 14, 160, 2
VERDICTS = ("clear", "doubtful", "bad")
UNJUDGED = "not judged yet"

_HOME = re.compile(r"(?:/(?:home|Users)/|\b[A-Z]:\\Users\\)[\w.-]+|/root(?=/)")
_FLAT_HOME = re.compile(r"(?<![\w-])-(?:home|Users)-[A-Za-z0-9]+")
_CONTROL = {code: 0x2400 + code for code in range(32) if code != ord("\t")}
_SHOWN = re.compile(
    rf"^### [0-9]+ · `([0-9a-f]{{10}})`$(?:(?!^### [0-9]+ · `).)*?^\*\*Verdict:\*\* ({'|'.join(VERDICTS)})(?:: ([^\n]+))?$",
    re.MULTILINE | re.DOTALL,
)

INTRODUCTION = """# What a model reads: fifty examples

Fifty texts as a client sent them and as a model reads them, drawn at random from recorded sessions of public
repositories: the last request of each session, all passes on, nothing else set. Every changed text had the same chance
to be drawn, so a session with many of them shows up often. What the markers mean stands in
[reference/markers.md](reference/markers.md).

Each example shows a window: the text around one change, at most {lines} lines, lines cut at {chars} characters (`…`), and
the middle of a longer run left out (`⋮`). Only this page cuts; a model gets whole lines. Home directories are shown as
`~`, which is also why the checks behind `#` would not be right for the text as printed. `\\n` at the end of a line is a
literal one: the text is a line of JSON that carries a file or a screen in a string.

Each was judged by one question: would a model that reads this text in its place know what stands there? *Clear*: yes, at
once. *Doubtful*: yes, but it has to look twice or to look something up that may be far away; the reason stands beside it.
*Bad*: it could take the text for something it is not, or would not find what the marker stands for.

This page is written by `tests/bench/examples_page.py`, which keeps the verdicts of the examples that have not changed.
"""


class Text(NamedTuple):
    """A changed text of a session: what it is, as it came, its changes, and a hash of where it stands."""

    session: str
    name: str
    text: str
    changes: tuple[Change, ...]
    place: bytes


class Example(NamedTuple):
    """What the page shows of a text: the pass of the change shown, and the text around it, before and after."""

    text: Text
    change: Change
    before: str
    after: str

    @property
    def ident(self) -> str:
        """The hash over what is shown; a verdict belongs to it."""
        return hashlib.sha256(f"{self.text.name}\0{self.before}\0{self.after}".encode()).hexdigest()[:10]


def changed_texts(path: Path, counter: TokenCounter) -> Iterator[Text]:
    """The texts of a session's last request that are sent otherwise."""
    session = json.loads(path.read_bytes())
    fmt = Format.OPENAI_CHAT if session.get("format") == "openai" else Format.ANTHROPIC
    body = json.dumps(request(session, session["turn_ends"][-1] + 1, fmt)).encode()
    names = Names()
    for step, changes, *_ in decide(read(fmt, body), Policy(), {}, counter).decisions:
        if step.block.kind is Kind.CALL:
            names.hear(step.block)
        labels = names.text(step.block)[0]
        for part, text in enumerate(step.block.texts):
            ours = tuple(change for change in changes if change.part == part)
            if ours:
                place = hashlib.sha256(SEED + path.stem.encode() + step.chain + bytes([part])).digest()
                yield Text(path.stem, labels[0] if labels else "text", text.text, ours, place)


def drawn(texts: Sequence[Text], count: int = DRAWN) -> list[Example]:
    """As many texts as asked for, each with one of its changes."""
    return [shown(text) for text in sorted(texts, key=lambda text: text.place)[:count]]


def shown(text: Text) -> Example:
    """The window around the change of a text that its hash picks."""
    worded = [at for at, change in enumerate(text.changes) if change.new]  # the others go on with the one before
    at = worded[text.place[-1] % len(worded)]
    change = text.changes[at]
    sent = apply_changes(text.text, text.changes)
    grown = sum(len(sent_in_place(text.text, each)) - (each.end - each.start) for each in text.changes[:at])
    start = change.start + grown
    end = start + len(sent_in_place(text.text, change))
    return Example(text, change, window(text.text, change.start, change.end), window(sent, start, end))


def window(text: str, start: int, end: int) -> str:
    """The lines of a text that hold a range, with some around it, few and short enough to be read."""
    lines, ends, _ = split(text)
    widths = [len(line) + (ends[at] if ends else 1) for at, line in enumerate(lines)]
    starts = list(accumulate(widths, initial=0))
    inside = [at for at in range(len(lines)) if starts[at] <= end and starts[at] + len(lines[at]) >= start]
    first, last = max(0, inside[0] - AROUND), min(len(lines), inside[-1] + 1 + AROUND)
    cells = [printable(lines[at] + ("\\n" if ends and ends[at] == len("\\n") else "")) for at in range(first, last)]
    if len(cells) > MOST_LINES:
        head = MOST_LINES // 2
        tail = MOST_LINES - head - 1
        cells = [*cells[:head], f"⋮ {len(cells) - head - tail} lines", *cells[-tail:]]
    return "\n".join(cells)


def printable(line: str) -> str:
    """A line as it can stand in a page: home directories trimmed, control characters visible, long ones cut."""
    trimmed = _FLAT_HOME.sub("-~", _HOME.sub("~", line)).translate(_CONTROL)
    return trimmed if len(trimmed) <= MOST_CHARS else trimmed[: MOST_CHARS - 1] + "…"


def verdicts(page: str) -> dict[str, tuple[str, str]]:
    """The verdicts that stand in a page, with their reasons, by the example they are about."""
    return {match[1]: (match[2], match[3] or "") for match in _SHOWN.finditer(page)}


def written(examples: Sequence[Example], judged: Mapping[str, tuple[str, str]], texts: int) -> str:
    """The page."""
    parts = [INTRODUCTION.format(lines=MOST_LINES, chars=MOST_CHARS), _summary(examples, judged, texts)]
    parts += [_section(number, each, judged.get(each.ident)) for number, each in enumerate(examples, 1)]
    return "\n".join(parts)


def _summary(examples: Sequence[Example], judged: Mapping[str, tuple[str, str]], texts: int) -> str:
    verdict = Counter(judged.get(each.ident, (UNJUDGED, ""))[0] for each in examples)
    sessions = len({each.text.session for each in examples})
    told = ", ".join(
        f"**{verdict[word]} {word}**" for word in (*VERDICTS, UNJUDGED) if word in VERDICTS or verdict[word]
    )
    table = "\n".join(
        f"| {name} | {count} | {' | '.join(str(_of(examples, judged, name, word)) for word in VERDICTS)} |"
        for name, count in Counter(each.change.name for each in examples).most_common()
    )
    return f"""## Summary

{len(examples)} examples out of {texts:,} changed texts, from {sessions} sessions: {told}.

| pass | shown | clear | doubtful | bad |
|---|--:|--:|--:|--:|
{table}

Not clear:

{_not_clear(examples, judged)}

## The examples
"""


def _of(examples: Sequence[Example], judged: Mapping[str, tuple[str, str]], name: str, word: str) -> int:
    return sum(each.change.name == name and judged.get(each.ident, ("", ""))[0] == word for each in examples)


def _not_clear(examples: Sequence[Example], judged: Mapping[str, tuple[str, str]]) -> str:
    lines = [
        f"- example {number}: {word}: {reason}"
        for number, each in enumerate(examples, 1)
        for word, reason in [judged.get(each.ident, (UNJUDGED, "no reason yet"))]
        if word != VERDICTS[0]
    ]
    return "\n".join(lines) or "none."


def _section(number: int, example: Example, judged: tuple[str, str] | None) -> str:
    word, reason = judged or (UNJUDGED, "")
    text = example.text
    worded = sum(change.new != "" for change in text.changes)
    beside = f", one of {worded} changes in this text" if worded > 1 else ""
    fence = "`" * (max(map(len, re.findall(r"`{3,}", example.before + example.after)), default=2) + 1)
    return f"""### {number} · `{example.ident}`

{printable(text.name)} · session {text.session} · `{example.change.name}`{beside}

{fence}text
{example.before}
{fence}

{fence}text
{example.after}
{fence}

**Verdict:** {word}{f": {reason}" if reason else ""}
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="SESSIONS")
    parser.add_argument("page", type=Path)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    counter = load_counter(search_path())
    if not isinstance(counter, Exact):
        raise SystemExit("no vocabulary of the tokenizer on this machine; name its folder in TIKTOKEN_CACHE_DIR")
    texts = [text for path in recorded(options.folder, "*") for text in changed_texts(path, counter)]
    judged = verdicts(options.page.read_text()) if options.page.exists() else {}
    options.page.write_text(written(drawn(texts), judged, len(texts)))


if __name__ == "__main__":
    main()
