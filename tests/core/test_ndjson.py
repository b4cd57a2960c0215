import json
from random import Random

import pytest
from chunking import chunked, every_cut
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.ndjson import Document, Elements, Lines

JSON = st.recursive(
    st.none() | st.integers() | st.text('a"\\[]{},\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\', max_size=3), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(st.text('b"]', max_size=3), JSON, max_size=3), max_size=5)


def read(framing, *chunks: bytes) -> list[bytes]:
    found = [event.data for chunk in chunks for event in framing.feed(chunk)]
    return found + [event.data for event in framing.close()]


def test_lines_at_every_cut():
    for cut in every_cut(b'{"a":1}\r\n\n {"b":2}\n{"c":3}'):
        assert read(Lines(), *cut) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']


def test_elements_at_every_cut():
    elements = [rb'{"a":"]\\\"}","b":[{"c":[]}]}', b'{"d":{}}']
    for cut in every_cut(b" [" + b"\n,\r\n".join(elements) + b"\n]\n"):
        assert read(Elements(), *cut) == elements


def test_elements_that_are_no_objects_are_left_out():
    assert read(Elements(), b'[1,"{",[{"a":1}],{"b":2},null]') == [b'{"b":2}']


def test_an_element_comes_out_with_its_last_bracket():
    elements = Elements()
    assert elements.feed(b'[{"a":') == []
    assert [event.data for event in elements.feed(b'1},{"b"')] == [b'{"a":1}']


@given(OBJECTS, st.sampled_from([None, 1]), st.integers(0, 2**32))
def test_what_was_written_is_read_however_it_is_cut(objects, indent, seed):
    array = json.dumps(objects, indent=indent).encode()
    assert [json.loads(data) for data in read(Elements(), *chunked(array, Random(seed), 7))] == objects
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in objects)
    assert [json.loads(data) for data in read(Lines(), *chunked(lines, Random(seed), 7))] == objects
    assert read(Document(), *chunked(array, Random(seed), 7)) == [array]


@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_any_bytes_can_be_fed(body, seed):
    for framing in (Lines(20), Elements(20), Document(20)):
        read(framing, *chunked(b"[" + body, Random(seed), 7))


@pytest.mark.parametrize("framing", [Lines, Elements])
def test_pieces_beyond_the_cap_are_passed_over_and_counted(framing):
    small, huge = b'{"a":1}', b'{"b":"' + b"x" * 5000 + b'"}'
    body = b"\n".join([small, huge, small]) if framing is Lines else b"[" + b",".join([small, huge, small]) + b"]"
    for seed in range(20):
        reader = framing(1000)
        assert read(reader, *chunked(body, Random(seed), 400)) == [small, small]
        assert reader.skipped == 1


def test_a_document_beyond_the_cap_is_nothing():
    document = Document(1000)
    for _ in range(100):
        document.feed(b"x" * 100)
        assert sum(map(len, document._whole._parts)) <= 1000
    assert (document.close(), document.skipped) == ([], 1)
