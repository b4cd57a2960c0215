"""Beginnings that lines have in common."""

from tests.core.passes.asked import sent, words

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
