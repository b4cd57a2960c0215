"""A shell's line taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.passes.shell import Command, commands


def words(line: str) -> list[tuple[str, ...]] | None:
    found = commands(line)
    return None if found is None else [each.words for each in found]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a b; c&&d||e&f\ng", [("a", "b"), ("c",), ("d",), ("e",), ("f",), ("g",)]),
        ("A=1 B='x y' a 'b c'\"d e\"f\\ g", [("a", "b cd ef g")]),
        ('a "$(b "c d" | e)" `f \\`g\\``', [("b", "c d"), ("e",), ("g",), ("f", "$"), ("a", "$", "$")]),
        ("if a; then b; else { c; } fi", [("a",), ("b",), ("c",)]),
        ("! (a; b) # c", [("a",), ("b",)]),
        ("a \\\n b 2>&1 >&2 2>/dev/null </dev/null", [("a", "b")]),
        ("a <<E <<-'F' | b\nc; $d\nE\n\te `f`\n\tF\ng", [("a",), ("b",), ("g",)]),
        ("a <(b) $((1 + 2)) ${c:-d}", [("b",), ("a", "$", "$", "$")]),
        ('a "\\"b\\" $ \\c"', [("a", '"b" $ \\c')]),
        ("", []),
    ],
)
def test_commands(line: str, found: list[tuple[str, ...]]):
    assert words(line) == found


def test_what_is_piped_and_what_goes_into_a_file():
    assert commands("a | b |& c > f; d &> g") == [
        Command(("a",), False, ""),
        Command(("b",), True, ""),
        Command(("c",), True, "f"),
        Command(("d",), False, "g"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "a < f",
        "a <<< b",
        "a 'b",
        'a "b',
        "a `b",
        "a $(b",
        "a)",
        "f() { a; }",
        "a <<E\n$(b)\nE",
        "$(" * 99,
        "a >",
    ],
)
def test_what_is_not_understood(line: str):
    assert commands(line) is None


@given(st.text(alphabet="ab$(){}`'\"\\<>|&;\n #=-1", max_size=40))
def test_any_text_is_taken_apart_or_not_understood(line: str):
    found = commands(line)
    assert found is None or all(each.words for each in found)


@given(
    st.lists(st.sampled_from(["; ", " && ", " | ", "\n", " & "]), max_size=5),
    st.sampled_from(["$(%s)", '"$(%s)"', "`%s`"]),
)
def test_no_command_is_missed(between: list[str], put_in: str):
    line = "a" + "".join(f"{each}c{n}" for n, each in enumerate(between))
    inner = words(line)
    assert inner == [("a",), *((f"c{n}",) for n in range(len(between)))]
    assert words("echo " + put_in % line) == [*inner, ("echo", "$")]
