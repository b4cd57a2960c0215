"""Every reason word the engine's code can give has its sentence, and no sentence outlives its word."""

import ast
from collections.abc import Iterator
from pathlib import Path

import tokenpak.core
from tokenpak.cli.reasons import SENTENCES, sentence

CORE = Path(tokenpak.core.__file__).parent
DECIDING = [CORE / "pipeline.py", CORE / "conversation.py", CORE / "body" / "read.py"]
"""Where reasons come from: what the walk decides, and what a body as a whole forbids."""


def words_of(path: Path) -> set[str]:
    """The strings that a file returns, or sets, as a reason: `-> str | None`, `why = ...`, `reasons[...]`."""
    return {word for node in ast.walk(ast.parse(path.read_text())) for part in reasons_in(node) for word in texts(part)}


def reasons_in(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef(returns=returns) if returns is not None and ast.unparse(returns) == "str | None":
            yield from (each for each in ast.walk(node) if isinstance(each, ast.Return))
        case ast.Assign(targets=[ast.Name(id="why" | "reason")], value=value):
            yield value
        case ast.keyword(arg="why" | "reason", value=value):
            yield value
        case ast.Subscript(value=ast.Name(id="reasons"), slice=key):
            yield key


def texts(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.isidentifier():
            yield each.value


def produced() -> set[str]:
    return set().union(*map(words_of, DECIDING))


def test_every_word_has_its_sentence():
    assert produced() - SENTENCES.keys() == set()


def test_no_sentence_is_stale():
    assert SENTENCES.keys() - produced() == set()


def test_the_search_for_words_is_not_blind():
    known = {"one_shot", "below_floor", "no_match", "defect", "billing_cch", "truncation", "previous_response_id"}
    assert known <= produced()


def test_sentences_are_sentences():
    for text in SENTENCES.values():
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text) <= 100


def test_a_word_of_a_newer_engine_stands_for_itself():
    assert sentence("sunspots") == "sunspots"
    assert sentence("one_shot") == SENTENCES["one_shot"]
