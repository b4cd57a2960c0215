import base64
import hashlib
import importlib.util
import sys
import time
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from tokenpak.services import tokens
from tokenpak.services.tokens import (
    O200K,
    PIECE_CHARS,
    Estimate,
    Vocabulary,
    find_vocabulary,
    load_counter,
    pieces,
    search_path,
)

MERGES = [bytes([byte]) for byte in range(256)] + [b"th", b"the", b" the", b"  ", b"\n\n"]
FILE = b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(MERGES))
TINY = Vocabulary("tiny", len(FILE), hashlib.sha256(FILE).hexdigest(), O200K.pattern)
TEXT = st.text(max_size=60) | st.text("aA1 \n'\u0301\u4e2d.\ud800/s", max_size=60)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    place = tmp_path_factory.mktemp("vocabulary")
    (place / "any-name").write_bytes(FILE)
    return load_counter([place], TINY)


@pytest.fixture(scope="module")
def plain():
    ranks = {token: rank for rank, token in enumerate(MERGES)}
    return tiktoken.Encoding("plain", pat_str=O200K.pattern, mergeable_ranks=ranks, special_tokens={})


def test_the_definition_is_that_of_tiktoken(monkeypatch):
    asked = {}
    monkeypatch.setattr(
        openai_public, "load_tiktoken_bpe", lambda url, expected_hash: asked.update(hash=expected_hash) or {}
    )
    definition = openai_public.o200k_base()
    assert (definition["name"], definition["pat_str"], asked["hash"]) == (O200K.name, O200K.pattern, O200K.sha256)


def test_a_file_is_found_by_its_hash_under_any_name(tmp_path):
    empty, wrong, right = (tmp_path / name for name in ("empty", "wrong", "right"))
    for place in (empty, wrong, right):
        place.mkdir()
    (wrong / "o200k_base.tiktoken").write_bytes(FILE[:-1] + b" ")
    (wrong / "longer").write_bytes(FILE + b"\n")
    (right / "b").write_bytes(FILE)
    assert find_vocabulary([tmp_path / "missing", empty, wrong], TINY) is None
    assert find_vocabulary([tmp_path / "missing", empty, wrong, right], TINY) == right / "b"
    counter = load_counter([wrong, right], TINY)
    assert (counter.name, counter.source) == ("tiny", right / "b")


def test_what_cannot_be_read_does_not_hide_the_vocabulary(tmp_path):
    (tmp_path / "a-directory").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "z").write_bytes(FILE)
    assert find_vocabulary([tmp_path / "z", tmp_path], TINY) == tmp_path / "z"


def test_without_a_vocabulary_counts_are_estimated_and_say_so(tmp_path):
    counter = load_counter([tmp_path], TINY)
    assert (counter.name, counter.source, counter.statistics()) == ("estimate", None, {})


def test_the_search_begins_with_the_instance_and_goes_by_tiktokens_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "one"))
    monkeypatch.setenv("DATA_GYM_CACHE_DIR", str(tmp_path / "two"))
    monkeypatch.setattr(tokens.tempfile, "gettempdir", lambda: str(tmp_path / "three"))
    found = search_path(tmp_path / "own")
    assert found[:4] == (tmp_path / "own", tmp_path / "one", tmp_path / "two", tmp_path / "three" / "data-gym-cache")


def test_packages_are_located_without_being_imported(tmp_path, monkeypatch):
    for package, inside in tokens._SHIPPED:
        place = tmp_path / package / inside
        place.mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('imported')\n")
        (place / "x").write_bytes(FILE)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    found = [path for path in search_path(tmp_path / "own") if tmp_path in path.parents][1:]
    assert found == [tmp_path / package / inside for package, inside in tokens._SHIPPED]
    assert find_vocabulary(found, TINY) is not None


def test_no_network_is_touched(tiny, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("network")

    monkeypatch.setattr(tiktoken.load, "read_file", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    assert tiny("the the") == 2
    assert load_counter(search_path()).at_least("the") == 1


@given(TEXT)
def test_an_exact_count_has_no_bounds_but_itself(tiny, text):
    assert tiny(text) == tiny.at_least(text) == tiny.at_most(text) == len(tiny._encoding.encode_ordinary(text))


@given(TEXT)
def test_the_pattern_with_its_group_cuts_as_the_plain_one(tiny, plain, text):
    assert tiny._encoding.encode_ordinary(text) == plain.encode_ordinary(text)


def test_all_but_the_look_ahead_is_one_group():
    grouped = tokens._grouped(O200K.pattern)
    assert grouped.replace("(?:", "", 1).replace(r"[\r\n]+)|", r"[\r\n]+|") == O200K.pattern
    assert "(?!" not in grouped.split(r"[\r\n]+)|")[0]


@given(TEXT)
def test_the_estimate_bounds_every_count(tiny, text):
    estimate = Estimate(TINY)
    assert estimate.at_least(text) <= tiny(text) <= estimate.at_most(text)
    assert estimate.at_least(text) <= estimate(text) <= estimate.at_most(text)


def test_the_estimate_bounds_the_counts_of_the_real_vocabulary():
    counter = load_counter(search_path())
    if counter.name != O200K.name:
        pytest.skip("the vocabulary is not on this machine; the bounds are tested on a small one above")
    assert counter("Hello, world! The quick brown fox.") == 9
    estimate = Estimate(O200K)
    sources = Path(tokens.__file__).parent.glob("*.py")
    for text in (FILE.decode(), *(path.read_text() for path in sources)):
        assert estimate.at_least(text) <= counter(text) <= estimate.at_most(text)


def test_counts_are_remembered_within_bounds(tiny, monkeypatch):
    monkeypatch.setattr(tokens, "REMEMBERED", 3)
    texts = [letter * 40 for letter in "abcdef"]
    before = tiny.statistics()["hits"]
    counted = [tiny(text) for text in texts]
    assert [tiny(text) for text in texts[-2:]] == counted[-2:]
    assert tiny.statistics()["hits"] == before + 2
    tiny._counts.clear()
    for text in texts:
        tiny(text)
    assert tiny.statistics()["counts"] == 3


def test_long_texts_are_cut_at_line_ends_and_come_together_again():
    lines = "".join(f"line {n}\n" for n in range(20_000))
    for text in (lines, "x" * 70_000, lines[:PIECE_CHARS], "", "\n" * 50_000):
        cut = list(pieces(text))
        assert "".join(cut) == text
        assert all(len(piece) <= PIECE_CHARS for piece in cut)
    assert all(piece.endswith("\n") for piece in list(pieces(lines))[:-1])


@pytest.mark.parametrize("run", ["a", " ", "\n", "=-", "A1", "\u0301", " \t"])
def test_odd_runs_take_time_in_proportion(tiny, run):
    began = time.perf_counter()
    tiny(run * 300_000)
    assert time.perf_counter() - began < 5
