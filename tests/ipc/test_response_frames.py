import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.recall import Stored
from tokenpak.core.usage import Observation, Usage
from tokenpak.ipc import response_frames as frames
from tokenpak.ipc.response_frames import BadResponseFrame

SEEN = Observation(Usage(3, cache_read=4, output=5), "m", "provider", stop_reason="end_turn")
STORED = Stored(b"k" * 32, 1_700_000_000_000_000_000, b"OK", ((b"Content-Type", b"x"),), (b"one", b"", b"\xff\0"), SEEN)
FRAME = frames.pack_answer(STORED)
WIRE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text().split("\n## Stored answers\n", 1)[1]


def test_an_answer_comes_out_as_it_went_in():
    assert frames.unpack_answer(FRAME) == STORED
    assert frames.label_of(FRAME) == (STORED.key, STORED.at_ns)


def test_the_frame_is_laid_out_as_documented():
    assert FRAME[:4] == frames.ANSWER
    assert FRAME[8:40] == STORED.key
    assert int.from_bytes(FRAME[40:48], "big") == STORED.at_ns


@pytest.mark.parametrize("key", [b"", b"k" * 31])
def test_what_no_frame_holds_is_refused(key):
    with pytest.raises(ValueError, match="usable"):
        frames.pack_answer(Stored(key, 1, b"", (), (), SEEN))


@given(st.integers(0, len(FRAME) - 1), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(at, by):
    spoiled = bytearray(FRAME)
    spoiled[at] ^= by
    with pytest.raises(BadResponseFrame):
        frames.unpack_answer(bytes(spoiled))


@given(st.integers(0, len(FRAME) - 1))
def test_a_frame_that_was_cut_is_noticed(length):
    with pytest.raises(BadResponseFrame):
        frames.label_of(FRAME[:length])


def test_the_page_draws_each_frame():
    drawn = dict(re.findall(r"^\| (answer|taken) \| `(\w+)` `1` \|", WIRE, re.MULTILINE))
    assert drawn == {"answer": frames.ANSWER[:3].decode(), "taken": frames.TAKEN[:3].decode()}
