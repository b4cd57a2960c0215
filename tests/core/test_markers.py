"""The grammar: what is written is read back as meant, and nothing else is read as a marker."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.writing import written
from tokenpak.core import markers
from tokenpak.core.body.openai_chat import message_unit
from tokenpak.core.markers import (
    LOOKS_LIKE,
    Marker,
    Names,
    Style,
    check,
    first_style,
    looks_like,
    parse,
    render,
    taken_apart,
)

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60)
LABELS = st.sampled_from(
    [
        "Read cli/clean.go",
        "user text",
        'content of Write a/b "c" from "x"',
        "Bash ls #123456]",
        "in x",
        "lines 1-2 of y",
        "x from",
    ]
) | LINE.filter(bool)
COUNTS = st.integers(1, 10**6)
CHECKS = st.integers(0, 999_999).map("{:06d}".format)
PREFIXES = st.none() | st.sampled_from(["     1→", "1\t", "  12:"])


@st.composite
def marker_values(draw: st.DrawFn) -> Marker:
    count = draw(COUNTS)
    label, first, prefix, told = draw(LABELS), draw(st.none() | COUNTS), draw(PREFIXES), draw(CHECKS)
    if draw(st.booleans()):
        start = draw(st.one_of(COUNTS, st.just(first or 1)))
        return Marker(count, label, first, prefix, (start, start + count - 1), None, told)
    anchor = markers.anchor_of(draw(LINE)) or "x"
    return Marker(count, label, first, prefix, None, anchor, told)


@given(marker_values())
def test_what_is_written_is_read_back_or_not_read_at_all(marker: Marker):
    """Some labels (" from ", " of ") make a marker ambiguous; the passes use none that reads otherwise."""
    line = render(marker)
    assert "\n" not in line
    found = parse(line)
    assert found is None or render(found) == line
    assert looks_like(line) or found is None


PLAIN_LABELS = st.lists(
    st.sampled_from(["Read", "cli/clean.go", "content", "Write", "naïve.py", "数据", '"q"', "#1", "x]"]),
    min_size=1,
    max_size=4,
)


@given(marker_values(), PLAIN_LABELS.map(" ".join))
def test_plain_labels_are_always_read_back(marker: Marker, label: str):
    marker = msgspec.structs.replace(marker, label=label)
    assert parse(render(marker)) == marker


WRITTEN = [
    "[lines 12-66: same as in Read cli/clean.go #482913]",
    "[lines 14-68: same as lines 12-66 of Read cli/clean.go #482913]",
    '[lines 1-90, numbered as "     1→": same as content of Write cli/clean.go from "package cli" #482913]',
    '[42 lines: same as assistant text from "## Plan" #482913]',
]


@pytest.mark.parametrize("line", WRITTEN)
def test_the_examples_of_the_module_are_markers(line: str):
    marker = parse(line)
    assert marker is not None
    assert render(marker) == line
    assert line in (markers.__doc__ or "")


NOT_ONE_SPELLING = [
    "[lines 012-66: same as in Read x #482913]",
    "[lines 12-66: same as lines 12-66 of Read x #482913]",
    "[lines 12-66: same as lines 1-66 of Read x #482913]",
    "[lines 66-12: same as in Read x #482913]",
    "[lines \u0661-\u0663: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #٤٨٢٩١٣]",
    "[lines 1-3: same as in Read x #48291]",
    "[lines 1-3: same as in Read x #4829133]",
    "[lines 1-3:  same as in Read x #482913]",
    "[Lines 1-3: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #482913] ",
    " [lines 1-3: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #482913]\r",
    "[lines 1-3: same as in Read\nx #482913]",
    "[lines 1-3: same as in  #482913]",
    "[0 lines: same as in Read x #482913]",
    "[3 lines: same as in Read x #482913]",
    "[3 lines: same as Read x #482913]",
    '[3 lines: same as Read x from "" #482913]',
    '[3 lines: same as Read x from " a" #482913]',
    '[3 lines: same as Read x from "a\\nb" #482913]',
    '[3 lines: same as Read x from "\\nb" #482913]',
    '[3 lines: same as Read x from "\\u0061b" #482913]',
    '[3 lines: same as Read x from "\\ud800" #482913]',
    '[3 lines: same as Read x from "' + "a" * 41 + '" #482913]',
    '[lines 1-3, numbered as "' + " " * 21 + '1:": same as in Read x #482913]',
    "[lines 1-3: same as in Read " + "x" * 601 + " #482913]",
    "[lines 1-9999999999: same as in Read x #482913]",
]


@pytest.mark.parametrize("line", NOT_ONE_SPELLING)
def test_each_marker_has_one_spelling(line: str):
    assert parse(line) is None


@pytest.mark.parametrize(
    "line", [*WRITTEN, *(line for line in NOT_ONE_SPELLING[:4]), "x " + WRITTEN[0] + " y", "a\nb" + WRITTEN[1]]
)
def test_what_reads_like_a_marker_looks_like_one(line: str):
    assert looks_like(line)
    assert LOOKS_LIKE.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[lines 1-3]",
        "[lines 1-3: same as in x]",
        "lines 1-3: same as in x #123456",
        "[1 line: same as in x #123456]",
        "[lines 1-3: same as in\nx #123456]",
    ],
)
def test_what_does_not_read_like_one_does_not(line: str):
    assert not looks_like(line)


def test_looking_is_quick_in_texts_made_to_be_slow():
    began = time.perf_counter()
    for text in (
        "[1 lines: same as " * 20_000,
        ": same as " * 100_000,
        "[lines 1-3: same as " + "#12345 " * 50_000,
        '[1 lines, numbered as "' * 20_000 + ": same as x",
    ):
        looks_like(text)
    assert time.perf_counter() - began < 2.0


# ---------------------------------------------------------------- displayed numbers

TEXTS = st.lists(
    st.tuples(
        st.sampled_from(["", "", " ", "     ", " " * 10, " " * 11]),
        st.sampled_from(["", "0", "1", "7", "12", "007", "99999", "1234567", "12345678", "٣"]),
        st.sampled_from(["", "→", "\t", ":", "x"]),
        LINE,
    ).map("".join),
    max_size=12,
).map("\n".join)


@given(TEXTS)
def test_lines_taken_apart_give_the_text_back(text: str):
    lines = taken_apart(text)
    assert lines.lines == text.split("\n")
    rebuilt = [
        style.prefix(number) + body if style else body
        for style, number, body in zip(lines.styles, lines.numbers, lines.bodies, strict=True)
    ]
    assert "\n".join(rebuilt) == text
    assert all((number == -1) == (style is None) for number, style in zip(lines.numbers, lines.styles, strict=True))


@given(TEXTS)
def test_runs_count_the_lines_that_go_on_in_the_same_manner(text: str):
    lines = taken_apart(text)
    for at, run in enumerate(lines.runs):
        wanted = 1
        while at + wanted < len(lines.lines) and lines.styles[at + wanted] is lines.styles[at]:
            if lines.styles[at] and lines.numbers[at + wanted] != lines.numbers[at] + wanted:
                break
            wanted += 1
        assert run == wanted


def test_styles():
    assert taken_apart("     1→a\n    10→b\n100000→c\n1\td\n 2:e\nf").styles == [
        Style(6, "→"),
        Style(6, "→"),
        Style(0, "→"),
        Style(0, "\t"),
        Style(2, ":"),
        None,
    ]
    assert first_style("x\n  7:y") == Style(3, ":")
    assert first_style("x\n[lines 1-2: y") is None
    assert Style(6, "→").prefix(42) == "    42→"
    assert Style(0, "\t").prefix(42) == "42\t"


def test_styles_are_shared_and_few():
    one, two = taken_apart("  7:a"), taken_apart("  9:b")
    assert one.styles[0] is two.styles[0]
    before = len(markers._STYLES)
    for pad in range(60):
        taken_apart(" " * pad + "1:x")
    assert len(markers._STYLES) == before


# ---------------------------------------------------------------- checks

CHAIN, MARKER = bytes(16), Marker(3, "Read x", 1, None, (4, 6))


def test_a_check_is_six_digits_over_everything_that_matters():
    plain = check(CHAIN, 0, 7, MARKER, ["a", "b", "c"])
    assert len(plain) == 6
    assert plain.isdecimal()
    assert plain == check(CHAIN, 0, 7, msgspec.structs.replace(MARKER, check="123456"), ["a", "b", "c"])
    others = [
        check(bytes(15) + b"x", 0, 7, MARKER, ["a", "b", "c"]),
        check(CHAIN, 1, 7, MARKER, ["a", "b", "c"]),
        check(CHAIN, 0, 8, MARKER, ["a", "b", "c"]),
        check(CHAIN, 0, 7, MARKER, ["a", "b", "d"]),
        check(CHAIN, 0, 7, MARKER, ["a", "b\nc"]),
        *(
            check(CHAIN, 0, 7, msgspec.structs.replace(MARKER, **{name: value}), ["a", "b", "c"])
            for name, value in [
                ("label", "Read y"),
                ("first", 2),
                ("first", None),
                ("lines", (3, 5)),
                ("prefix", "  1:"),
                ("count", 4),
            ]
        ),
    ]
    assert len({plain, *others}) == len(others) + 1


# ---------------------------------------------------------------- names


def call(ident: str, name: str, arguments: str) -> dict[str, object]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def labels_of(name: str, arguments: str) -> tuple[tuple[str, ...], str]:
    (block,) = message_unit(written({"role": "assistant", "tool_calls": [call("c", name, arguments)]})).blocks
    names = Names()
    told = names.call(block)
    (result,) = message_unit(written({"role": "tool", "tool_call_id": "c", "content": "x"})).blocks
    assert names.text(result) == told
    return told


@pytest.mark.parametrize(
    ("name", "arguments", "labels", "path"),
    [
        ("Read", '{"file_path": "/a/b/c.py", "limit": 3}', ("Read b/c.py", "Read /a/b/c.py"), "/a/b/c.py"),
        ("Read", '{"path": "c.py"}', ("Read c.py",), "c.py"),
        ("Bash", '{"description": "List", "command": "ls -la\\npwd"}', ("Bash ls -la",), ""),
        ("exec", '{"cmd": ["bash", "-lc", "make"]}', ("exec make",), ""),
        ("think", '{"b": "x", "a": "y"}', ("think y",), ""),
        ("patch", "*** Begin", ("patch *** Begin",), ""),
        ("ping", "{}", ("ping",), ""),
        ("", '{"path": "c.py"}', ("tool result",), "c.py"),
        ("Bash", '{"command": "' + "x" * 200 + '"}', ("Bash " + "x" * 48, "Bash " + "x" * 160), ""),
    ],
)
def test_results_go_by_tool_and_path_or_command(name: str, arguments: str, labels: tuple[str, ...], path: str):
    assert labels_of(name, arguments) == (labels, path)


def test_other_texts_have_names_too():
    names = Names()
    told = {}
    for role in ("user", "assistant", "system", "tool"):
        (block,) = message_unit(
            written({"role": role, "content": "x", **({"tool_call_id": "?"} if role == "tool" else {})})
        ).blocks
        told[role] = names.text(block)
    assert told == {
        "user": (("user text",), ""),
        "assistant": (("assistant text",), ""),
        "system": ((), ""),
        "tool": (("tool result",), ""),
    }


def test_arguments_have_the_names_of_their_call():
    assert markers.argument_labels("content", ("Write a", "Write /x/a")) == (
        "content of Write a",
        "content of Write /x/a",
    )


def test_anchors():
    assert markers.anchor_of("    def f():  ") == "def f():"
    assert markers.anchor_of("x" * 39 + "  y") == "x" * 39
    assert markers.anchor_of("  ") == ""
