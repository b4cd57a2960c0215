"""Expand, from the sent bytes alone; and what it must refuse to expand."""

import ast
import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.core.contract import Front, changed_blocks
from tests.core.readings import played
from tests.core.sessions import agent_session, body_of
from tests.core.writing import written
from tokenpak.core import expand as module
from tokenpak.core import markers
from tokenpak.core.body import Block, Unreadable, blocks_of, canonical, read
from tokenpak.core.expand import Expander, expand_body
from tokenpak.core.markers import Place, Reference
from tokenpak.core.names import SELF
from tokenpak.core.patch import Format

FORMATS = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


def test_it_knows_no_pass_no_patch_and_no_plan():
    imported = {
        node.module
        for node in ast.walk(ast.parse(Path(module.__file__).read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert {name for name in imported if name and name.startswith("tokenpak")} <= {
        "tokenpak.core",
        "tokenpak.core.body",
        "tokenpak.core.body.model",
        "tokenpak.core.lines",
        "tokenpak.core.markers",
        "tokenpak.core.names",
        "tokenpak.core.numbers",
        "tokenpak.core.patch",
        "tokenpak.core.tags",
    }


@FORMATS
def test_what_has_no_markers_is_the_same_object(fmt: Format):
    session = agent_session(1, 4)
    body = written(body_of(fmt, session, len(session.messages)))
    assert expand_body(fmt, body) is body
    with pytest.raises(Unreadable):
        expand_body(fmt, b"{}")


# ---------------------------------------------------------------- mutations

Mutation = Callable[[str, Random], str]


def bump(index: int) -> Mutation:
    """The number at an index of all numbers in the marker, one higher."""

    def mutated(line: str, rng: Random) -> str:
        runs = [i for i, c in enumerate(line) if c.isdigit() and not (i and line[i - 1].isdigit())]
        if index >= len(runs):
            return line
        start = runs[index]
        end = next(i for i in range(start, len(line)) if not line[i].isdigit())
        number = f"{(int(line[start:end]) + 1) % 10**6:0{end - start}d}"
        return line[:start] + number + line[end:]

    return mutated


def relabel(line: str, rng: Random) -> str:
    at = line.index("same as ") + 8
    at = rng.randrange(at, len(line) - 9)
    return line[:at] + ("x" if line[at] != "x" else "y") + line[at + 1 :]


def longer_label(line: str, rng: Random) -> str:
    """Another name of the same source: a reader would still find it, but these are not the words that were proved."""
    return line.replace("Read ", "Read /repo/", 1) if "Read " in line else line.replace(" #", "  #", 1)


def reprefix(line: str, rng: Random) -> str:
    return (
        line.replace(', numbered as "', ', numbered as " ', 1)
        if "numbered as" in line
        else line.replace(":", ', numbered as "9:":', 1)
    )


def recheck(line: str, rng: Random) -> str:
    return line[:-2] + str((int(line[-2]) + rng.randint(1, 9)) % 10) + "]"


def indented(line: str, rng: Random) -> str:
    return " " + line


def twice(line: str, rng: Random) -> str:
    return line + "\n" + line


MUTATIONS: dict[str, Mutation] = {
    **{f"number {n}": bump(n) for n in range(5)},
    "label": relabel,
    "another label": longer_label,
    "prefix": reprefix,
    "check": recheck,
    "blank before": indented,
    "twice": twice,
    "line before": lambda line, rng: "\n" + line,
    "joined": lambda line, rng: line + "]",
}


def blocks_in(fmt: Format, body: bytes) -> list[Block]:
    return list(blocks_of(read(fmt, body)))


def put(fmt: Format, body: bytes, index: int, part: int, text: str) -> bytes:
    """The body with another text in one place."""
    places = [(start, block) for start, _, unit in read(fmt, body).units for block in unit.blocks]
    start, block = places[index]
    old = block.texts[part]
    return body[: start + old.start] + msgspec.json.encode(text)[1:-1] + body[start + old.end :]


@FORMATS
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_marker_that_was_changed_is_not_taken_for_the_original(fmt: Format, name: str):
    rng, tried = Random(name), 0
    for seed in range(3):
        session = agent_session(70 + seed, 12)
        front, body = Front(fmt, cold=False), written(body_of(fmt, session, len(session.messages)))
        sent = front.turn(body)
        for index, old, new in changed_blocks(fmt, body, sent):
            for part, text in enumerate(new.texts):
                for line in [each for each in text.text.split("\n") if isinstance(markers.parse(each), Reference)]:
                    mutant = MUTATIONS[name](line, rng)
                    if mutant == line:
                        continue
                    lines = [mutant if each == line else each for each in text.text.split("\n")]
                    tampered = put(fmt, sent, index, part, "\n".join(lines))
                    found = blocks_in(fmt, expand_body(fmt, tampered))[index].texts[part].text
                    assert found != old.texts[part].text
                    assert mutant in found
                    tried += 1
    assert tried > 3 or name in ("number 4", "number 3")


@FORMATS
def test_a_changed_source_line_breaks_every_marker_behind_it(fmt: Format):
    tried = 0
    for seed in range(3):
        session = agent_session(80 + seed, 12)
        front, body = Front(fmt, cold=False), written(body_of(fmt, session, len(session.messages)))
        sent = front.turn(body)
        changed = changed_blocks(fmt, body, sent)
        first = next(i for i, block in enumerate(blocks_in(fmt, sent)) if block.texts)
        text = blocks_in(fmt, sent)[first].texts[0].text
        blocks = blocks_in(fmt, expand_body(fmt, put(fmt, sent, first, 0, text + "\nx")))
        for index, _, new in changed:
            assert [t.text for t in blocks[index].texts] == [t.text for t in new.texts]
            tried += 1
    assert tried > 5


@FORMATS
def test_each_line_of_a_source_counts(fmt: Format):
    """A number shifted, a letter changed, a line doubled in the very lines a marker leads to."""
    tried = 0
    body, sent = played(fmt, 90, 10)
    wanted = canonical(read(fmt, body))
    for index, block in enumerate(blocks_in(fmt, sent)):
        for part, text in enumerate(block.texts):
            lines = text.text.split("\n")
            for at in (0, len(lines) // 2, len(lines) - 1):
                for new in (lines[at] + "x", lines[at] + "\n" + lines[at], "9" + lines[at]):
                    tampered = put(fmt, sent, index, part, "\n".join([*lines[:at], new, *lines[at + 1 :]]))
                    assert canonical(read(fmt, expand_body(fmt, tampered))) != wanted
                    tried += 1
    assert tried > 30


@FORMATS
def test_a_genuine_marker_quoted_later_stays_text(fmt: Format):
    session = agent_session(91, 10)
    count = len(session.messages)
    front = Front(fmt, cold=False)
    sent = front.turn(written(body_of(fmt, session, count)))
    line = next(
        line
        for _, _, new in changed_blocks(fmt, written(body_of(fmt, session, count)), sent)
        for t in new.texts
        for line in t.text.split("\n")
        if markers.parse(line)
    )
    last = session.messages[-1]
    for quoted in (line, "quote:\n" + line, line + "\n" + line):
        texts = (*last.texts, quoted)
        longer = session._replace(
            messages=(
                *session.messages,
                session.messages[-2]._replace(calls=()),
                last._replace(texts=texts, results=()),
            )
        )
        body = written(body_of(fmt, longer, count + 2))
        again = Front(fmt, cold=False)
        again.forms = list(front.forms)
        expanded = read(fmt, expand_body(fmt, again.turn(body)))
        assert expanded.units[-1][2].blocks[-1].texts[0].text == quoted


# ---------------------------------------------------------------- by hand


def conversation(*texts: str, tool: str = "Read", path: str = "/r/a.py") -> bytes:
    messages: list[object] = [{"role": "user", "content": "go"}]
    for n, text in enumerate(texts):
        call = {"id": f"t{n}", "type": "function", "function": {"name": tool, "arguments": json.dumps({"path": path})}}
        messages += [
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"t{n}", "content": text},
        ]
    return written({"messages": messages})


def signed(body: bytes, marker: Reference, lines: list[str], at: int = 0) -> str:
    """The marker with the check that it needs at character `at` of the last text of a body."""
    chain = Expander(Format.OPENAI_CHAT)
    for _, _, unit in read(Format.OPENAI_CHAT, body).units[:-1]:
        for block in unit.blocks:
            chain.feed(block)
    return markers.render(Place(chain.chain, 0).signed(marker, at, "\n".join(lines)))


def expanded(*texts: str) -> str:
    body = conversation(*texts)
    view = read(Format.OPENAI_CHAT, expand_body(Format.OPENAI_CHAT, body))
    return view.units[-1][2].blocks[0].texts[0].text


def last(marker: Reference, lines: list[str], *before: str, around: tuple[str, str] = ("", "")) -> str:
    text = signed(conversation(*before, ""), marker, lines, len(around[0]))
    return expanded(*before, around[0] + text + around[1])


PLAIN = ["alpha", "beta", "gamma", "delta"]
NUMBERED = [f"{n:>6}→{line}" for n, line in enumerate(PLAIN, 1)]


def test_a_marker_by_numbers():
    assert last(Reference(4, "Read r/a.py", 1, None, (1, 4)), NUMBERED, "\n".join(NUMBERED)) == "\n".join(NUMBERED)


def test_a_marker_by_an_anchor():
    marker = Reference(3, "Read r/a.py", None, None, None, "beta")
    assert last(marker, PLAIN[1:], "\n".join(PLAIN), around=("x\n", "\ny")) == "x\nbeta\ngamma\ndelta\ny"


def test_numbers_shift_and_take_the_style_in_sight():
    shifted = [f"{n}\t{line}" for n, line in enumerate(PLAIN[1:], 12)]
    marker = Reference(3, "Read r/a.py", 12, None, (2, 4))
    assert last(marker, shifted, "\n".join(NUMBERED), around=("11\tx\n", "")) == "11\tx\n" + "\n".join(shifted)
    told = msgspec.structs.replace(marker, prefix="12\t")
    assert last(told, shifted, "\n".join(NUMBERED)) == "\n".join(shifted)


def test_numbers_may_be_set_aside_or_given():
    assert last(Reference(3, "Read r/a.py", None, None, (2, 4)), PLAIN[1:], "\n".join(NUMBERED)) == "\n".join(PLAIN[1:])
    given = [f"{n}:{line}" for n, line in enumerate(PLAIN, 5)]
    marker = Reference(4, "Read r/a.py", 5, "5:", None, "alpha")
    assert last(marker, given, "\n".join(PLAIN)) == "\n".join(given)


def test_the_nearest_source_that_shows_the_lines_is_meant():
    other = [line.upper() for line in NUMBERED]
    marker = Reference(4, "Read r/a.py", 1, None, (1, 4))
    before = "\n".join(NUMBERED), "\n".join(other), "\n".join(NUMBERED[1:])
    assert last(marker, other, *before) == "\n".join(other)
    assert last(marker, NUMBERED, *before).startswith("[")


def test_sources_in_the_text_itself_stand_before_the_marker():
    marker = Reference(4, SELF, None, None, None, "alpha")
    text = "\n".join(PLAIN)
    assert last(marker, PLAIN, around=(text + "\n", "\nend")) == f"{text}\n{text}\nend"
    assert last(marker, PLAIN, around=("", "\n" + text)).startswith("[")


def test_lines_that_are_markers_show_nothing():
    first = Reference(4, "Read r/a.py", 1, None, (1, 4))
    middle = signed(conversation("\n".join(NUMBERED), ""), first, NUMBERED, len("head of it\n"))
    texts = "\n".join(NUMBERED), f"head of it\n{middle}\ntail"
    assert expanded(*texts) == "\n".join(["head of it", *NUMBERED, "tail"])
    across = Reference(3, "Read r/a.py", None, None, None, "head of it")
    assert last(across, ["head of it", middle, "tail"], *texts).startswith("[")
    within = Reference(4, "Read r/a.py", 1, None, (1, 4))
    assert last(within, NUMBERED, *texts) == "\n".join(NUMBERED)  # from the first text, not from the second


FALSE = Reference(4, "Read r/a.py", 1, None, (1, 4), None, "000000")


def test_one_false_marker_makes_the_whole_text_opaque():
    good = signed(conversation("\n".join(NUMBERED), ""), Reference(4, "Read r/a.py", 1, None, (1, 4)), NUMBERED)
    for false in (markers.render(FALSE), "x " + good, good + "\r", good.replace("lines 1-4", "lines 01-4")):
        text = good + "\n" + false
        assert expanded("\n".join(NUMBERED), text) == text
    assert expanded("\n".join(NUMBERED), good) == "\n".join(NUMBERED)


def test_also_one_that_stands_before_the_true_ones():
    marker = Reference(4, "Read r/a.py", 1, None, (1, 4))
    for false in (markers.render(FALSE), "x " + markers.render(FALSE)):
        assert last(marker, NUMBERED, "\n".join(NUMBERED), around=(false + "\n", "")).startswith(false + "\n[lines")
    assert last(marker, NUMBERED, "\n".join(NUMBERED), around=("x\n", "")) == "\n".join(["x", *NUMBERED])


@pytest.mark.parametrize("look", ["", "\nsee " + markers.render(FALSE)])
def test_what_looks_like_a_marker_is_no_source_whoever_said_it(look: str):
    text = "\n".join(PLAIN) + look
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "Write", "arguments": json.dumps({"path": "a", "content": text})},
    }
    head = [{"role": "user", "content": "go"}, {"role": "assistant", "content": text, "tool_calls": [call]}]
    for label in ("assistant text", "content of Write a"):
        marker = Reference(4, label, None, None, None, "alpha")
        words = signed(written({"messages": [*head, {"role": "user", "content": ""}]}), marker, PLAIN)
        body = written({"messages": [*head, {"role": "user", "content": words}]})
        found = blocks_in(Format.OPENAI_CHAT, expand_body(Format.OPENAI_CHAT, body))[-1].texts[0].text
        assert found == (words if look else "\n".join(PLAIN))


def test_a_text_with_a_false_marker_is_no_source():
    spoilt = "\n".join([*NUMBERED, markers.render(FALSE)])
    assert last(Reference(4, "Read r/a.py", 1, None, (1, 4)), NUMBERED, spoilt).startswith("[")
    anchor = Reference(4, "Read r/a.py", None, None, None, "alpha")
    assert last(anchor, PLAIN, "\n".join([*PLAIN, "z " + markers.render(FALSE)])).startswith("[")


def test_only_users_and_results_are_expanded():
    marker = Reference(4, "user text", None, None, None, "alpha")
    for role, is_expanded in (("user", True), ("assistant", False), ("system", False)):
        head = [{"role": "user", "content": "\n".join(PLAIN)}, {"role": "assistant", "content": "ok"}]
        text = signed(written({"messages": [*head, {"role": role, "content": ""}]}), marker, PLAIN)
        body = written({"messages": [*head, {"role": role, "content": text}]})
        view = read(Format.OPENAI_CHAT, expand_body(Format.OPENAI_CHAT, body))
        assert (view.units[-1][2].blocks[0].texts[0].text == "\n".join(PLAIN)) is is_expanded


@pytest.mark.parametrize(
    "text",
    [
        "[lines 1-999999999: same as in Read r/a.py #123456]",
        '[999999999 lines: same as Read r/a.py from "alpha" #123456]',
        '[3 lines: same as Read r/a.py from "\\nbeta" #123456]',
        '[3 lines: same as this text from "" #123456]',
        "\n".join(["[lines 1-4: same as in Read r/a.py #123456]"] * 2000),
        "\n".join(["[lines 1-4: same as in this text #123456]"] * 2000),
        "[1 lines: same as " * 20_000,
    ],
    ids=range(7),
)
def test_hostile_markers_cost_no_time_and_no_memory(text: str):
    source = "\n".join([*NUMBERED, *(f"1: {n}" for n in range(3000)), "1," * 200_000])
    began = time.perf_counter()
    tracemalloc.start()
    try:
        assert expanded(source, text) == text
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000
    assert time.perf_counter() - began < 10


def test_overlaps_cannot_happen_in_what_read_gives_but_are_refused(monkeypatch: pytest.MonkeyPatch):
    body = conversation("x", "x")
    view = read(Format.OPENAI_CHAT, body)
    doubled = msgspec.structs.replace(view, units=(view.units[2], view.units[2]))
    monkeypatch.setattr(module, "read", lambda fmt, sent: doubled)
    monkeypatch.setattr(
        Expander,
        "feed",
        lambda self, block: msgspec.structs.replace(
            block, texts=(msgspec.structs.replace(block.texts[0], text="longer"),)
        ),
    )
    with pytest.raises(Unreadable):
        expand_body(Format.OPENAI_CHAT, body)
