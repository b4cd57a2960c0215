"""Matches of a search under their file."""

import pytest

from tests.core.passes.asked import Worth, sent, target, whole, words
from tokenpak.core.passes import paths

DEEP = "/home/someone/work/with/a/rather/long/way/down/to/the/files/of/one/project/source/deep/inside/module.py"


def test_matches_stand_under_their_path():
    text = "\n".join([f"src/cli/commands/compress.py:{n}:    found {n}" for n in range(10, 18)] + ["README.md:3:x"])
    lines = words(sent(["paths"], text, name="Grep", pattern="found")[0]).split("\n")
    assert lines[:2] == ["[next 8 lines: found in src/cli/commands/compress.py]", "10:    found 10"]
    assert lines[-1] == "README.md:3:x"


def test_lines_around_a_match_too_where_the_path_is_long():
    text = "\n".join([f"{DEEP}-{n}-around" for n in range(7, 10)] + [f"{DEEP}:10:match", f"{DEEP}-11-around"])
    lines = words(sent(["paths"], text, name="Grep", pattern="match")[0]).split("\n")
    assert lines == [f"[next 5 lines: found in {DEEP}]", "7-around", "8-around", "9-around", "10:match", "11-around"]
    short = text.replace(DEEP, "src/a.py")
    assert sent(["paths"], short, name="Grep", pattern="match") == [short]


def test_what_is_no_search_is_left_alone():
    text = "\n".join(f"src/cli/commands/compress.py:{n}:    found {n}" for n in range(10, 18))
    assert sent(["paths"], text, name="Read", path="notes.txt") == [text]
    times = "\n".join(f"12:{n}:30 started" for n in range(10, 40))
    assert sent(["paths"], times) == [times]


def proposed(lines: list[str], tokens: int) -> int:
    text = "\n".join(lines)
    return len(paths.propose(target(text), whole(text), Worth(tokens)))


@pytest.mark.parametrize(("tokens", "made"), [(16, 1), (15, 0)])
def test_a_path_must_be_long_where_lines_around_a_match_lose_it(tokens: int, made: int):
    assert proposed(["src/a.py-3-around", "src/a.py:4:match"], tokens) == made
    assert proposed(["src/a.py:3:match", "src/a.py:4:match"], tokens) == 1


@pytest.mark.parametrize(("tokens", "made"), [(6, 1), (5, 0)])
def test_what_it_must_save(tokens: int, made: int):
    assert proposed(["src/a.py:3:match", "src/a.py:4:match"], tokens) == made


def test_lines_around_a_match_alone_must_show_a_directory():
    assert proposed(["src/a.py-3-around", "src/a.py-4-around"], 99) == 1
    assert proposed(["release.v2-3-around", "release.v2-4-around"], 99) == 0
