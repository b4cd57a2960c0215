from random import Random

import pytest
from chunking import chunked, every_cut
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.sse import Event, Events


def read(*chunks: bytes, cap: int = 1000) -> tuple[list[Event], Events]:
    events = Events(cap)
    found = [event for chunk in chunks for event in events.feed(chunk)]
    return found + events.close(), events


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_at_every_cut(end):
    body = end.join(
        [b"event: one", b"data: a", b"data:b", b"", b": note", b"id: 7", b"data", b"", b"data:  c", b"", b""]
    )
    expected = [Event(b"one", b"a\nb"), Event(b"", b""), Event(b"", b" c")]
    for cut in every_cut(body):
        assert read(*cut)[0] == expected
    assert read(*(bytes([byte]) for byte in body))[0] == expected


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_stands_at_the_start_only(mark):
    for cut in every_cut(mark + b"data: a\n\n" + b"\xef\xbb\xbfdata: b\n\n"):
        assert read(*cut)[0] == [Event(b"", b"a")]


def test_the_last_name_counts_and_does_not_outlive_its_event():
    assert read(b"event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\nevent: d\nevent\ndata: 4\n\n")[
        0
    ] == [
        Event(b"b", b"1"),
        Event(b"", b"2"),
        Event(b"", b"3"),
        Event(b"", b"4"),
    ]


def test_an_event_comes_out_with_the_chunk_that_ends_it():
    events = Events()
    assert events.feed(b"data: a\n") == []
    assert events.feed(b"\ndata: b") == [Event(b"", b"a")]
    assert events.feed(b"\r") == []
    assert events.feed(b"\n\r\n") == [Event(b"", b"b")]


def test_a_cut_stream_gives_out_what_it_ended_in():
    assert read(b"data: a\n\ndata: {")[0] == [Event(b"", b"a"), Event(b"", b"{")]


@pytest.mark.parametrize(
    "huge",
    [
        b"data: " + b"x" * 2000 + b"\n\n",
        b"data: x\n" * 1500 + b"\n",
        b"data: " + b"x" * 2000 + b"\ndata: rest\n\n",
        b"data: " + b"x" * 800 + b"\ndata: " + b"y" * 800 + b"\n\n",
    ],
)
def test_an_event_beyond_the_cap_is_passed_over_and_counted(huge):
    body = b"data: before\n\n" + huge + b"event: n\ndata: after\n\n"
    for seed in range(30):
        events = Events(1000)
        found = []
        for chunk in chunked(body, Random(seed)):
            found += events.feed(chunk)
            assert sum(map(len, events._line)) + sum(map(len, events._data)) <= 1000 + 64
        assert found + events.close() == [Event(b"", b"before"), Event(b"n", b"after")]
        assert events.skipped == 1


def test_an_endless_line_is_not_copied_for_each_chunk():
    events = Events(10**9)
    for _ in range(50_000):
        events.feed(b"data: 0123456789")
    assert len(events._line) == 50_000


LINE = st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))
MADE = st.lists(st.tuples(st.sampled_from([b"", b"delta"]), st.lists(LINE, min_size=1, max_size=3)), max_size=6)


@given(MADE, st.sampled_from([b"\n", b"\r", b"\r\n"]), st.integers(0, 2**32))
def test_what_was_written_is_read_however_it_is_cut(made, end, seed):
    body = b"".join(
        b"".join(
            [b"event: " + name + end if name else b": quiet" + end, *(b"data: " + line + end for line in lines), end]
        )
        for name, lines in made
    )
    expected = [Event(name, b"\n".join(lines)) for name, lines in made]
    assert read(*chunked(body, Random(seed), 9))[0] == expected


@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_any_bytes_read_the_same_in_any_cut(body, seed):
    assert read(*chunked(body, Random(seed), 7), cap=40)[0] == read(*(bytes([b]) for b in body), cap=40)[0]
