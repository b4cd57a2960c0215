import ast
from random import Random

from tokenpak.mock_provider.session.modules import SHAPES, THINGS, write_module


def test_modules_are_python():
    for nth in range(len(THINGS)):
        ast.parse(write_module(Random(nth), nth, len(SHAPES)).text)


def test_no_two_functions_of_a_repository_have_the_same_text():
    seen = set()
    for nth in range(10):
        pieces = write_module(Random(3), nth, 8).text.split("\n\n\n")
        assert not seen & set(pieces[1:])
        seen |= set(pieces[1:])


def test_the_same_seed_writes_the_same_text():
    assert write_module(Random(1), 0, 6) == write_module(Random(1), 0, 6)
    assert write_module(Random(1), 0, 6) != write_module(Random(2), 0, 6)
