from random import Random

import msgspec
import pytest

from tokenpak.core.echo import MOST_BLOCKS, SAYS, WINDOW, EchoWatch, NoEcho, unescaped

MARKERS = [
    "[lines 12-66: same as in Read cli/clean.go #482913]",
    "[lines 14-68: same as lines 12-66 of Read cli/clean.go #482913]",
    '[lines 1-90, numbered as "     1→": same as content of Write cli/clean.go from "package cli" #482913]',
    '[42 lines: same as assistant text from "## Plan" #482913]',
    "[42 lines: same as in " + "x" * 590 + " #482913]",
]
NO_MARKERS = [
    "[lines 12-66: same as in Read cli/clean.go]",
    "[lines 12-66: same as in Read\ncli/clean.go #482913]",
    "lines 12-66: same as in Read cli/clean.go #482913",
    "[lines: same as] #482913]",
]


def heard(text: str, seed: int) -> bool:
    watch = EchoWatch()
    for part in deltas(text, seed):
        watch.said(0, part)
    return watch.heard


def heard_in_json(text: str, seed: int) -> bool:
    watch = EchoWatch()
    for part in deltas(text, seed):
        watch.argued(0, part)
    return watch.heard


def deltas(text: str, seed: int):
    rng, at = Random(seed), 0
    while at < len(text):
        size = rng.randint(0, 9)
        yield text[at : at + size]
        at += size


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("wrap", ["{}", "x" * 5000 + "\n{}\n" + "y" * 5000], ids=["alone", "amid"])
def test_a_marker_is_heard_in_any_deltas(marker, wrap):
    for seed in range(10):
        assert heard(wrap.format(marker), seed)


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_is_heard_inside_the_json_of_arguments(marker):
    arguments = msgspec.json.encode({"file": "a\\b", "content": f'"quoted"\n{marker}\n'}).decode()
    ascii_only = arguments.encode("ascii", "namereplace").decode().replace("\\N{RIGHTWARDS ARROW}", "\\u2192")
    for seed in range(10):
        assert heard_in_json(arguments, seed)
        assert heard_in_json(ascii_only, seed)


@pytest.mark.parametrize("text", NO_MARKERS)
def test_what_only_resembles_a_marker_is_not_heard(text):
    assert not any(heard(text, seed) for seed in range(10))
    assert not heard_in_json(msgspec.json.encode(text).decode(), 1)


def test_a_marker_across_two_blocks_is_none():
    watch = EchoWatch()
    watch.said(0, MARKERS[0][:20])
    watch.said(1, MARKERS[0][20:])
    assert not watch.heard
    watch.said(0, MARKERS[0][20:])
    assert watch.heard


def test_windows_and_blocks_are_bounded():
    watch = EchoWatch()
    for block in range(1000):
        watch.said(block, "x" * 10_000)
    assert len(watch._windows) == MOST_BLOCKS
    assert max(map(len, watch._windows.values())) == WINDOW


def test_nothing_is_kept_after_a_hit():
    watch = EchoWatch()
    assert watch.wants
    watch.said(0, MARKERS[0])
    watch.said(1, "more")
    assert (watch.heard, watch.wants, watch._windows) == (True, False, {})


def test_nobody_listens():
    nobody = NoEcho()
    nobody.said(0, MARKERS[0])
    nobody.argued(0, MARKERS[0])
    assert not nobody.heard
    assert not nobody.wants


@pytest.mark.parametrize("marker", MARKERS)
def test_every_marker_holds_the_bytes_a_document_is_searched_for(marker):
    assert SAYS in msgspec.json.encode(marker)


def test_escapes_are_undone_but_for_one_that_is_cut():
    assert unescaped(r"a\n\t\"\\\u00e9\/\u20") == 'a\n\t"\\é/u20'
    assert unescaped("a\\") == "a\\"
