"""Lines: taken apart they give the text back, and literal line ends count where a JSON string holds many."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core import lines as module
from tokenpak.core.lines import ESCAPED_END, LEAST_ESCAPED, Style, first_line, first_style, split, taken_apart

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60)

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
    assert lines.ends is not None or lines.lines == text.split("\n")
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
    before = len(module._STYLES)
    for pad in range(60):
        taken_apart(" " * pad + "1:x")
    assert len(module._STYLES) == before


ESCAPED = st.lists(st.sampled_from(["a", "b c", ESCAPED_END, "\n", "\\\\n", '"', "7\t"]), max_size=60).map("".join)


@given(ESCAPED)
def test_lines_and_their_ends_are_the_text(text: str):
    taken = taken_apart(text)
    starts = taken.starts()
    ends = taken.ends or [1] * len(taken.lines)
    assert len(starts) == len(taken.lines) + 1
    for at, line in enumerate(taken.lines):
        assert text[starts[at] : starts[at] + len(line)] == line
        if at < len(taken.lines) - 1:
            assert text[starts[at] + len(line) : starts[at + 1]] == ("\n" if ends[at] == 1 else ESCAPED_END)


@given(ESCAPED)
def test_only_line_ends_that_are_not_escaped_themselves_end_a_line(text: str):
    lines, ends, edges = split(text)
    wanted: list[str] = []
    for line in text.split("\n"):
        many = line.count(ESCAPED_END) >= LEAST_ESCAPED
        wanted += re.split(r"(?<!\\)\\n", line) if many else [line]
    assert lines == wanted
    assert (ends is None) == (not edges) == (len(wanted) == text.count("\n") + 1)


@pytest.mark.parametrize(("before", "counts"), [("", True), ("x", True), ("\\", False)])
def test_a_marker_between_line_ends_that_are_not_escaped_themselves_makes_them_count(before: str, counts: bool):
    line = f'{{"a": "one{before}\\n[3 lines: same as in x from "a" #123456]\\nend"}}'
    assert (split(line)[1] is not None) is counts


def test_a_json_string_with_many_line_ends_is_many_lines():
    screen = json.dumps({"output": "\n".join(f"step {n} of the job" for n in range(12))})
    lines, ends, edges = split(f"Output:\n{screen}\nend")
    assert lines[2:4] == ["step 1 of the job", "step 2 of the job"]
    assert ends is not None
    assert ends[:3] == [1, 2, 2]
    assert edges == {1, 12}


def test_a_source_file_that_prints_line_ends_is_not():
    text = "\n".join(f'print("{n}{ESCAPED_END}")' for n in range(40))
    assert split(text) == (text.split("\n"), None, frozenset())
    few = ESCAPED_END.join("x" * LEAST_ESCAPED)
    assert split(few)[1] is None
    assert split(few + ESCAPED_END)[1] is not None


@given(st.text(st.sampled_from("a\n\r"), max_size=6))
def test_first_line_is_the_first_of_all(text: str):
    assert first_line(text) == text.split("\n", 1)[0]
