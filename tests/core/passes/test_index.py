"""The index: rows, runs of rows, sources and their windows."""

from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.lines import taken_apart
from tokenpak.core.passes.index import PLACES, Index, Rows, Source, rows_of

NUMBERED = "\n".join(f"{n}\tline {n}" for n in range(1, 9))


def added(index: Index, text: str, label: str = "x", stays: list[tuple[int, int]] | None = None) -> list[int]:
    read = index.read(text, taken_apart(text))
    index.add((label,), "", read, stays if stays is not None else [(0, len(read.ids))])
    return read.ids


def source_of(index: Index, label: str = "x") -> Source:
    return index.named(label)[-1]


def test_lines_have_the_same_id_whatever_number_they_show():
    index = Index()
    read = index.read("", taken_apart("1\tfoo\n     7→foo\nfoo\nbar\n7:bar"))
    assert read.ids == [0, 0, 0, 1, 1]


def test_windows_are_found_where_they_stand_and_do_not_cross_a_cut():
    index = Index()
    one = added(index, "a\nb\nc\nd")
    two = added(index, "c\nd\na\nb\nc", "y", [(0, 2), (3, 5)])
    assert [(source.labels, at) for source, at in index.places(hash(tuple(one[:3])))] == [(("x",), 0)]
    inside, crossing, beyond = hash(tuple(one[1:])), hash(tuple(two[1:4])), hash((one[2], one[3], two[0]))
    cut_short = hash(tuple(two[:3]))
    assert index.known([inside, crossing, beyond, cut_short, inside]) == {inside}
    assert index.places(hash((9, 9, 9))) == []


def test_only_the_newest_places_are_looked_at():
    index = Index()
    for n in range(PLACES + 5):
        ids = added(index, "a\nb\nc", f"{n}")
    places = index.places(hash((ids[0], ids[1], ids[2])))
    assert [source.labels[0] for source, _ in places] == [f"{n}" for n in range(5, PLACES + 5)]


def test_numbers_are_found_where_they_follow_each_other():
    index = Index()
    added(index, "head\n" + NUMBERED + "\n9:other style")
    source = source_of(index)
    assert source.by_number(1, 8) == source.start + 1
    assert source.by_number(3, 5) == source.start + 3
    assert source.by_number(8, 9) is None
    assert source.by_number(0, 3) is None
    added(index, "3\tx\n5\ty\n" + NUMBERED)
    again = source_of(index)
    assert again.by_number(3, 4) == again.start + 4


def test_what_a_marker_stands_for_is_not_shown():
    index = Index()
    added(index, NUMBERED, stays=[(0, 2), (5, 8)])
    source = source_of(index)
    assert source.by_number(1, 2) == source.start
    assert source.by_number(2, 3) is None
    assert source.by_number(2, 6) is None
    assert source.by_anchor("2\tline", 2) is None
    assert source.by_anchor("2\tline", 1) == source.start + 1


def test_anchors_begin_a_line_blanks_set_aside():
    index = Index()
    added(index, "xx foo\n    foo bar\n  foo baz\nend")
    source = source_of(index)
    assert source.by_anchor("foo", 2) == source.start + 1
    assert source.by_anchor("foo baz", 2) == source.start + 2
    assert source.by_anchor("foo baz", 3) is None
    assert source.by_anchor("nothing", 1) is None


def test_sources_are_found_by_name_in_the_order_they_were_sent():
    index = Index()
    for text in ("a", "b", "c"):
        added(index, text, "same")
    assert [source.text for source in index.named("same")] == ["a", "b", "c"]
    assert index.named("other") == []


LINES = st.lists(st.sampled_from(["1\ta", "2\ta", "3\tb", "  2:x", "  3:x", "plain", ""]), min_size=1, max_size=14)


def naive_run(rows: Rows, at: int, end: int) -> int:
    count = 1
    while at + count < end and rows.styles[at + count] is rows.styles[at] and rows.ids[at + count] >= 0:
        if rows.styles[at] is not None and rows.numbers[at + count] != rows.numbers[at] + count:
            break
        count += 1
    return count


@given(LINES, st.data())
def test_runs_of_rows_end_where_lines_are_missing(lines: list[str], data: st.DataObject):
    text = "\n".join(lines)
    index = Index()
    read = index.read(text, taken_apart(text))
    places = st.integers(0, len(lines))
    start, end = sorted((data.draw(places), data.draw(places)))
    index.add(("x",), "", read, [(0, start), (end, len(lines))])
    blotted = rows_of(read).copy()
    if start < end:
        blotted.blot(start, end)
    for rows in (source_of(index).rows, blotted):
        for at in range(len(rows.ids)):
            if rows.ids[at] < 0:
                continue
            for last in range(at + 1, len(rows.ids) + 1):
                run = naive_run(rows, at, last)
                assert rows.regular(at, last) == (0 if rows.styles[at] is None else run)
                assert rows.plain(at, last) == (0 if rows.styles[at] is not None else run)


def test_blotting_a_copy_leaves_the_text_alone():
    index = Index()
    read = index.read(NUMBERED, taken_apart(NUMBERED))
    rows = rows_of(read).copy()
    rows.blot(0, 8)
    assert rows.ids == [-1] * 8
    assert read.lines == taken_apart(NUMBERED)
    assert index.read(NUMBERED, taken_apart(NUMBERED)).ids == read.ids
