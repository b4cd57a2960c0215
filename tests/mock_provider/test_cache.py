"""The prompt cache against cases worked out by hand."""

import pytest

from tokenpak.mock_provider.cache import Block, Shelf, Used, ask_automatic, ask_marked, begin, estimate, prefixes


def blocks(words):
    """Blocks from words: "a:1000" a block of 1,000 tokens, "a:1000*" with a mark, "a:1000**" with one of an hour."""
    out = []
    for word in words.split():
        name, _, size = word.partition(":")
        mark = {0: None, 1: "5m", 2: "1h"}[size.count("*")]
        out.append(Block(name.encode(), "x" * int(size.rstrip("*")), 0, mark))
    return out


def steps(words, scope=b""):
    return prefixes(scope, blocks(words), lambda block: len(block.text))


def last(*turns, ask=ask_marked, rule=1024, now=0.0):
    shelf = Shelf()
    for turn in turns:
        reading = ask(shelf, steps(turn), rule, now)
        begin(shelf, reading, now)
    return reading.used


TWENTY_BEFORE = " ".join(f"f{i}:10" for i in range(20))
NINETEEN_BEFORE = " ".join(f"f{i}:10" for i in range(19))

MARKED = {
    "no mark, twice: nothing cached": (["a:2000", "a:2000"], Used(2000)),
    "a mark: written": (["a:2000*"], Used(write_5m=2000)),
    "the same again: read": (["a:2000*", "a:2000*"], Used(read=2000)),
    "text after the last mark is plain input": (["a:2000* b:100"], Used(100, write_5m=2000)),
    "mark moved on: found behind it": (["a:2000*", "a:2000 b:100*"], Used(read=2000, write_5m=100)),
    "20 blocks back: found": (
        ["a:2000*", f"a:2000 {NINETEEN_BEFORE} z:10*"],
        Used(read=2000, write_5m=200),
    ),
    "21 blocks back: missed": (["a:2000*", f"a:2000 {TWENTY_BEFORE} z:10*"], Used(write_5m=2210)),
    "21 back, but the old mark is still there": (
        ["a:2000*", f"a:2000* {TWENTY_BEFORE} z:10*"],
        Used(read=2000, write_5m=210),
    ),
    "mark added later: nothing had been written": (["a:2000", "a:2000 b:100*"], Used(write_5m=2100)),
    "below the minimum nothing is written": (["a:1000*", "a:1000* b:10"], Used(1010)),
    "first block changed": (["t:200* a:2000*", "u:200* a:2000* b:100*"], Used(write_5m=2300)),
    "an hour": (["a:2000**"], Used(write_1h=2000)),
    "an hour, then five minutes": (["a:2000** b:1000*"], Used(write_1h=2000, write_5m=1000)),
    "five minutes before an hour: all for an hour": (["a:2000* b:1000**"], Used(write_1h=3000)),
    "of five marks the first writes nothing": (
        ["a:2000* b:2000* c:10* d:10* e:10*", "a:2000 x:1*"],
        Used(write_5m=2001),
    ),
}

AUTOMATIC = {
    "first turn": (["a:2000"], Used(2000)),
    "read in steps of 128": (["a:2000", "a:2000 b:100"], Used(180, 1920)),
    "exactly the minimum": (["a:1024", "a:1024 b:76"], Used(76, 1024)),
    "one below the minimum": (["a:1023", "a:1023 b:77"], Used(1100)),
    "a common prefix below the minimum": (["a:900 b:900", "a:900 c:1000"], Used(1900)),
    "a common prefix that ends inside the history": (["a:2000 b:900", "a:2000 c:10"], Used(90, 1920)),
}


@pytest.mark.parametrize("case", MARKED)
def test_marked_cache(case):
    turns, expected = MARKED[case]
    assert last(*turns) == expected


@pytest.mark.parametrize("case", AUTOMATIC)
def test_automatic_cache(case):
    turns, expected = AUTOMATIC[case]
    assert last(*turns, ask=ask_automatic, rule=600.0) == expected


def test_the_minimum_is_the_models():
    assert last("a:1000*", "a:1000* b:10", rule=512) == Used(10, 1000)


def test_classes_add_up_to_the_prompt():
    for turns, _ in MARKED.values():
        assert last(*turns).total == sum(step.tokens for step in steps(turns[-1])[-1:])


def ask(shelf, words, now, rule=1024):
    reading = ask_marked(shelf, steps(words), rule, now)
    begin(shelf, reading, now)
    return reading.used


def test_an_entry_dies_five_minutes_after_its_last_use():
    shelf = Shelf()
    ask(shelf, "a:2000*", 0.0)
    assert ask(shelf, "a:2000*", 299.0).read == 2000
    assert ask(shelf, "a:2000*", 598.0).read == 2000
    assert ask(shelf, "a:2000*", 898.0).read == 0


def test_an_hour_is_an_hour_and_a_later_short_mark_does_not_shorten_it():
    shelf = Shelf()
    ask(shelf, "a:2000**", 0.0)
    ask(shelf, "a:2000*", 10.0)
    assert ask(shelf, "a:2000**", 3600.0).read == 2000


def test_an_automatic_entry_dies_when_idle():
    shelf = Shelf()
    begin(shelf, ask_automatic(shelf, steps("a:2000"), 600.0, 0.0), 0.0)
    assert ask_automatic(shelf, steps("a:2000"), 600.0, 599.0).used.read == 1920
    assert ask_automatic(shelf, steps("a:2000"), 600.0, 600.0).used.read == 0


def test_what_a_request_writes_is_readable_only_once_its_response_begins():
    shelf = Shelf()
    first = ask_marked(shelf, steps("a:2000*"), 1024, 0.0)
    assert ask_marked(shelf, steps("a:2000*"), 1024, 0.0).used.read == 0
    begin(shelf, first, 0.0)
    assert ask_marked(shelf, steps("a:2000*"), 1024, 0.0).used.read == 2000


def test_scopes_share_nothing():
    shelf = Shelf()
    begin(shelf, ask_marked(shelf, steps("a:2000*", b"one"), 1024, 0.0), 0.0)
    assert ask_marked(shelf, steps("a:2000*", b"two"), 1024, 0.0).used.read == 0


def test_the_shelf_is_bounded_and_counts_what_it_drops():
    shelf = Shelf(capacity=2)
    for name in "abc":
        ask(shelf, f"{name}:2000*", 0.0)
    assert shelf.statistics().entries == 2
    assert shelf.statistics().dropped == 1
    assert ask(shelf, "a:2000*", 0.0).read == 0
    assert ask(shelf, "c:2000*", 0.0).read == 2000


def test_the_estimate_is_a_quarter_of_the_bytes_and_some_framing():
    assert estimate(Block(b"", "é" * 10)) == 5 + 4
    assert estimate(Block(b"", "", images=2)) == 4 + 3000
