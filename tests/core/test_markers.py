"""The grammar: what is written is read back as meant, and nothing else is read as a marker."""

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core import markers
from tokenpak.core.markers import (
    CANDIDATE,
    LOOKS_LIKE,
    FirstLine,
    FoundIn,
    Json,
    Marker,
    Place,
    Prefixed,
    Reference,
    Repeated,
    Unpadded,
    Whole,
    candidates,
    looks_like,
    parse,
    render,
)

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60)
LABELS = st.sampled_from(
    [
        "Read cli/clean.go",
        "user text",
        'content of Write a/b "c" from "x"',
        "Bash ls #123456]",
        "in x",
        "lines 1-2 of y",
        "x from",
    ]
) | LINE.filter(bool)
COUNTS = st.integers(1, 10**6)
CHECKS = st.integers(0, 999_999).map("{:06d}".format)
PREFIXES = st.none() | st.sampled_from(["     1→", "1\t", "  12:"])


@st.composite
def references(draw: st.DrawFn) -> Reference:
    count = draw(COUNTS)
    label, first, prefix, told = draw(LABELS), draw(st.none() | COUNTS), draw(PREFIXES), draw(CHECKS)
    if draw(st.booleans()):
        start = draw(st.one_of(COUNTS, st.just(first or 1)))
        return Reference(count, label, first, prefix, (start, start + count - 1), None, told)
    anchor = markers.anchor_of(draw(LINE)) or "x"
    return Reference(count, label, first, prefix, None, anchor, told)


OTHERS = st.one_of(
    st.builds(Whole, LABELS, CHECKS),
    st.builds(Repeated, st.from_regex(r"[a-z][a-z0-9_-]{2,40}", fullmatch=True), CHECKS),
    st.builds(FirstLine, st.sampled_from(["Edit", "mcp__a__b", "x" * 80]), CHECKS),
    st.builds(Prefixed, COUNTS, LINE.filter(bool), CHECKS),
    st.builds(FoundIn, COUNTS, LABELS, CHECKS),
    st.builds(Unpadded, CHECKS),
    st.sampled_from(
        [
            Json('", " and ": "', rows=False),
            Json("indent 2", rows=True, check="123456"),
            Json("", rows=True),
        ]
    ),
)


@given(OTHERS)
def test_other_kinds_are_read_back_or_not_read_at_all(marker: Marker):
    line = render(marker)
    assert "\n" not in line
    found = parse(line)
    assert found in (None, marker) or render(found) == line
    assert looks_like(line) or found is None


@given(references())
def test_what_is_written_is_read_back_or_not_read_at_all(marker: Reference):
    """Some labels (" from ", " of ") make a marker ambiguous; the passes use none that reads otherwise."""
    line = render(marker)
    assert "\n" not in line
    found = parse(line)
    assert found is None or render(found) == line
    assert looks_like(line) or found is None


PLAIN_LABELS = st.lists(
    st.sampled_from(["Read", "cli/clean.go", "content", "Write", "naïve.py", "数据", '"q"', "#1", "x]"]),
    min_size=1,
    max_size=4,
)


@given(references(), PLAIN_LABELS.map(" ".join))
def test_plain_labels_are_always_read_back(marker: Reference, label: str):
    marker = msgspec.structs.replace(marker, label=label)
    assert parse(render(marker)) == marker


WRITTEN = [
    "[lines 12-66: same as in Read cli/clean.go #482913]",
    "[lines 14-68: same as lines 12-66 of Read cli/clean.go #482913]",
    '[lines 1-90, numbered as "     1→": same as content of Write cli/clean.go from "package cli" #482913]',
    '[42 lines: same as assistant text from "## Plan" #482913]',
    "[lines 70-222: same as there #482913]",
    '[30 lines: same as there from "## Costs" #482913]',
    "[whole text: same as get_user_details sophia_silva_7557 #482913]",
    "[<system-reminder>: same as the one before #482913]",
    "[first line: same as in the Edit before #482913]",
    r'[next 112 lines: each begins with "ci (macos-latest)\tRun tests\t2026-07-13T20:" #482913]',
    "[next 6 lines: found in cmd/entire/cli/hook_registry.go #482913]",
    "[line numbers: shown without padding #482913]",
    '[next line: JSON, shown without white space (", " and ": ") #482913]',
    "[next line: JSON, shown without white space (indent 2), lists of objects as keys and rows #482913]",
]


@pytest.mark.parametrize("line", WRITTEN)
def test_the_examples_of_the_module_are_markers(line: str):
    marker = parse(line)
    assert marker is not None
    assert render(marker) == line
    assert line in (markers.__doc__ or "")


NOT_ONE_SPELLING = [
    "[lines 012-66: same as in Read x #482913]",
    "[lines 12-66: same as lines 12-66 of Read x #482913]",
    "[lines 12-66: same as lines 1-66 of Read x #482913]",
    "[lines 66-12: same as in Read x #482913]",
    "[lines \u0661-\u0663: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #٤٨٢٩١٣]",
    "[lines 1-3: same as in Read x #48291]",
    "[lines 1-3: same as in Read x #4829133]",
    "[lines 1-3:  same as in Read x #482913]",
    "[Lines 1-3: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #482913] ",
    " [lines 1-3: same as in Read x #482913]",
    "[lines 1-3: same as in Read x #482913]\r",
    "[lines 1-3: same as in Read\nx #482913]",
    "[lines 1-3: same as in  #482913]",
    "[0 lines: same as in Read x #482913]",
    "[3 lines: same as in Read x #482913]",
    "[3 lines: same as Read x #482913]",
    '[3 lines: same as Read x from "" #482913]',
    '[3 lines: same as Read x from " a" #482913]',
    '[3 lines: same as Read x from "a\\nb" #482913]',
    '[3 lines: same as Read x from "\\nb" #482913]',
    '[3 lines: same as Read x from "\\u0061b" #482913]',
    '[3 lines: same as Read x from "\\ud800" #482913]',
    '[3 lines: same as Read x from "' + "a" * 41 + '" #482913]',
    '[lines 1-3, numbered as "' + " " * 21 + '1:": same as in Read x #482913]',
    "[lines 1-3: same as in Read " + "x" * 601 + " #482913]",
    "[lines 1-9999999999: same as in Read x #482913]",
]


@pytest.mark.parametrize("line", NOT_ONE_SPELLING)
def test_each_marker_has_one_spelling(line: str):
    assert parse(line) is None


@pytest.mark.parametrize(
    "line", [*WRITTEN, *(line for line in NOT_ONE_SPELLING[:4]), "x " + WRITTEN[0] + " y", "a\nb" + WRITTEN[1]]
)
def test_what_reads_like_a_marker_looks_like_one(line: str):
    assert looks_like(line)
    assert LOOKS_LIKE.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[lines 1-3]",
        "[lines 1-3: same as in x]",
        "lines 1-3: same as in x #123456",
        "[1 line: same as in x #123456]",
        "[lines 1-3: same as in\nx #123456]",
    ],
)
def test_what_does_not_read_like_one_does_not(line: str):
    assert not looks_like(line)


@given(
    st.lists(
        st.sampled_from(
            [WRITTEN[0], WRITTEN[1], " #123456]", "#123456]", "\n", "\\n", "\\", "x", "[lines 1-3: same as in x"]
        ),
        max_size=8,
    ).map("".join)
)
def test_what_is_looked_at_first_leaves_nothing_out(text: str):
    assert looks_like(text) == (LOOKS_LIKE.search(text) is not None)
    assert [match.span() for match in candidates(text)] == [match.span() for match in CANDIDATE.finditer(text)]


def test_looking_is_quick_in_texts_made_to_be_slow():
    began = time.perf_counter()
    for text in (
        "[1 lines: same as " * 20_000,
        ": same as " * 100_000,
        "[lines 1-3: same as " + "#12345 " * 50_000,
        '[1 lines, numbered as "' * 20_000 + ": same as x",
    ):
        looks_like(text)
    assert time.perf_counter() - began < 2.0


# ---------------------------------------------------------------- checks

PLACE, MARKER = Place(bytes(16), 0), Reference(3, "Read x", 1, None, (4, 6))


def test_a_check_is_six_digits_over_everything_that_matters():
    plain = PLACE.check(MARKER, 7, "a\nb\nc")
    assert len(plain) == 6
    assert plain.isdecimal()
    assert plain == PLACE.check(msgspec.structs.replace(MARKER, check="123456"), 7, "a\nb\nc")
    assert PLACE.signed(MARKER, 7, "a\nb\nc").check == plain
    others = [
        Place(bytes(15) + b"x", 0).check(MARKER, 7, "a\nb\nc"),
        Place(bytes(16), 1).check(MARKER, 7, "a\nb\nc"),
        PLACE.check(MARKER, 8, "a\nb\nc"),
        PLACE.check(MARKER, 7, "a\nb\nd"),
        PLACE.check(Unpadded(), 7, "a\nb\nc"),
        *(
            PLACE.check(msgspec.structs.replace(MARKER, **{name: value}), 7, "a\nb\nc")
            for name, value in [
                ("label", "Read y"),
                ("first", 2),
                ("first", None),
                ("lines", (3, 5)),
                ("prefix", "  1:"),
                ("count", 4),
            ]
        ),
    ]
    assert len({plain, *others}) == len(others) + 1


def test_anchors():
    assert markers.anchor_of("    def f():  ") == "def f():"
    assert markers.anchor_of("x" * 39 + "  y") == "x" * 39
    assert markers.anchor_of("  ") == ""
