"""The lists of programs: each name in one of them, and none of those that print what they are given."""

from itertools import combinations

import pytest

from tokenpak.core.passes import programs

LISTS = (programs.ANY, programs.BUILTINS, programs.WRAPPERS, programs.FILTERS, programs.SCRIPTED, programs.WRITING)


def test_a_program_stands_in_one_list():
    for one, other in combinations([*LISTS, programs.TOLD], 2):
        assert set(one).isdisjoint(other)
    assert set(programs.BUT) <= programs.ANY


@pytest.mark.parametrize(
    "name", ["cat", "head", "dd", "base64", "diff", "xxd", "ssh", "eval", "source", "parallel", "curl"]
)
def test_what_prints_files_is_in_no_list_of_harmless_names(name: str):
    assert name not in programs.ANY | programs.BUILTINS
    assert name not in programs.TOLD


def test_verbs_are_words():
    assert all("" not in verbs for verbs in programs.TOLD.values())
    assert {"exec", "run"}.isdisjoint(programs.TOLD["docker"] | programs.TOLD["kubectl"] | programs.TOLD["cargo"])
    assert {"diff", "show", "grep", "blame", "cat-file"}.isdisjoint(programs.GIT)
