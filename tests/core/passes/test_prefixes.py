"""Beginnings that lines have in common."""

import pytest

from tests.core.passes.asked import Worth, sent, target, whole, words
from tokenpak.core.passes import prefixes

JOB = "ci-libgit2 (macos-latest)\tRun the tests of everything\t2026-07-13T20:22:"


def test_said_once_and_cut_where_a_clock_is_read():
    text = "\n".join(["start", *(f"{JOB}{n}.123Z line {n}" for n in range(10, 30)), "end"])
    lines = words(sent(["prefixes"], text)[0]).split("\n")
    said = JOB.replace("\t", "\\t")
    assert lines[:3] == ["start", f'[next 20 lines: each begins with "{said}"]', "10.123Z line 10"]
    assert lines[-1] == "end"


def test_never_inside_a_word_or_a_number():
    text = "\n".join(f"identifier_number_{n} is here" for n in range(100, 140))
    assert sent(["prefixes"], text) == [text]
    table = "\n".join(f'"2026-07-13T20:{n}",{n}' for n in range(10, 40))
    assert sent(["prefixes"], table) == [table]


def test_files_are_never_rewritten():
    text = "\n".join(f"{JOB}{n}.123Z line {n}" for n in range(10, 30))
    assert sent(["prefixes"], text, name="Read", path="ci.log") == [text]
    assert sent(["prefixes"], text, command="sed -n 1,20p ci.log") == [text]


def test_indentation_is_no_beginning():
    text = "\n".join(f"                        value{n}" for n in range(40))
    assert sent(["prefixes"], text) == [text]


def test_lines_of_a_group_may_be_referred_to():
    text = "\n".join(f"{JOB}{n}.123Z line {n}" for n in range(10, 30))
    one, two = sent(["prefixes", "line-runs"], text, "again\n" + text)
    assert "each begins with" in one
    assert words(two).startswith("again\n[20 lines: same as Bash make from ")


@pytest.mark.parametrize(
    ("first", "second", "cut"),
    [
        ("09:10:00", "17:10:00", "2026-07-13T"),
        ("20:10:00", "20:50:00", "2026-07-13T20:"),
        ("20:10:1", "20:10:5", "2026-07-13T20:10:"),
    ],
)
def test_a_time_is_cut_at_the_day_the_hour_or_the_minute(first: str, second: str, cut: str):
    text = "\n".join(f"2026-07-13T{time}Z line {n}" for n in range(8) for time in (first, second))
    assert f'each begins with "{cut}"' in sent(["prefixes"], text)[0]


@pytest.mark.parametrize(("tokens", "made"), [(17, 1), (16, 0)])
def test_a_directory_must_be_long(tokens: int, made: int):
    """One token of a beginning is not counted on: it may have been part of the next word."""
    text = "\n".join(f"some/where/far/down/in/the/tree/of/it/f{n}" for n in range(20))
    assert len(prefixes.propose(target(text), whole(text), Worth(tokens))) == made


@pytest.mark.parametrize(("tokens", "made"), [(3, 1), (2, 0)])
def test_what_it_must_save(tokens: int, made: int):
    text = "\n".join(f"a beginning that is rather long for a line {n}" for n in "abcdef")
    assert len(prefixes.propose(target(text), whole(text), Worth(tokens))) == made
