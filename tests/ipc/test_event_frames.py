import contextlib
import re
import struct
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_lab import FRONT, closed, opened

from tokenpak.core.usage import Usage
from tokenpak.ipc import event_frames as frames
from tokenpak.ipc.event_frames import BadEventFrame
from tokenpak.ipc.events import PassTally
from tokenpak.processes.writer import WriterStatistics
from tokenpak.services.record import RecorderStatistics
from tokenpak.telemetry.adoption import AdoptionStatistics
from tokenpak.telemetry.book import BookStatistics


class Numbers(msgspec.Struct):
    queued: int
    degraded: str | None


@pytest.mark.parametrize("event", [opened(1), closed(1), opened(1, client_request_id=None, stream=None)])
def test_an_event_comes_out_as_it_went_in(event):
    front, seq, body = frames.unpack_event(frames.pack_event(FRONT, 7, frames.pack_body(event)))
    assert (front, seq, frames.unpack_body(body)) == (FRONT, 7, event)


def test_the_event_frame_is_laid_out_as_documented():
    frame = frames.pack_event(FRONT, 258, b"body")
    assert frame == b"TPE\x01" + FRONT + b"\0\0\0\0\0\0\x01\x02" + b"body"


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_an_acknowledgement_comes_out_as_it_went_in(seqs):
    assert frames.unpack_ack(frames.pack_ack(FRONT, seqs)) == (FRONT, tuple(seqs))


def test_an_acknowledgement_is_bounded_both_ways():
    full = frames.pack_ack(FRONT, range(frames.MAX_ACKS))
    assert len(frames.unpack_ack(full)[1]) == frames.MAX_ACKS
    with pytest.raises(ValueError, match="at most"):
        frames.pack_ack(FRONT, range(frames.MAX_ACKS + 1))
    with pytest.raises(BadEventFrame):
        frames.unpack_ack(full + b"12345678")


def test_statistics_come_out_as_they_went_in():
    assert frames.unpack_statistics(frames.pack_statistics(Numbers(3, None))) == {"queued": 3, "degraded": None}


@pytest.mark.parametrize(
    "unpack", [frames.unpack_event, frames.unpack_body, frames.unpack_ack, frames.unpack_statistics]
)
@given(data=st.data())
def test_hostile_bytes_raise_one_error_only(unpack, data):
    magic = data.draw(st.sampled_from([frames.EVENT, frames.ACK, frames.STATISTICS, b"TPE\x02", b""]))
    frame = magic + data.draw(st.binary(max_size=200))
    with contextlib.suppress(BadEventFrame):
        unpack(frame)


@given(st.data())
def test_a_damaged_event_raises_one_error_or_is_storable(data):
    body = bytearray(frames.pack_body(closed(1)))
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(body) - 1), st.integers(0, 255)), max_size=5)):
        body[at] = value
    try:
        event = frames.unpack_body(bytes(body[: data.draw(st.integers(0, len(body)))]))
    except BadEventFrame:
        return
    assert all(abs(value) < 2**63 for value in msgspec.structs.astuple(event) if isinstance(value, int))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x91" * 70_000,
        b"\x91" * 10_000,
        msgspec.msgpack.encode({"type": "opened", "id": "x"}),
        msgspec.msgpack.encode({"type": "reopened", "id": "x"}),
        frames.pack_body(opened(1)).replace(b"claude-code", b"claude\xffcode"),
        msgspec.msgpack.encode(msgspec.structs.replace(opened(1), id="")),
        msgspec.msgpack.encode(msgspec.structs.replace(opened(1), id="x" * 65)),
        msgspec.msgpack.encode(msgspec.structs.replace(opened(1), opened_ns=2**63)),
        msgspec.msgpack.encode(closed(1, usage=Usage(output=2**64 - 1))),
        msgspec.msgpack.encode(closed(1, passes={"p": PassTally(1, 2**63)})),
        msgspec.msgpack.encode(closed(1, state="open")),
    ],
)
def test_what_a_column_cannot_hold_is_refused(body):
    with pytest.raises(BadEventFrame):
        frames.unpack_body(body)


@pytest.mark.parametrize("seq", [0, 2**63, 2**64 - 1])
def test_a_sequence_number_fits_its_column(seq):
    with pytest.raises(BadEventFrame, match="out of range"):
        frames.unpack_event(frames.EVENT + FRONT + struct.pack(">Q", seq))


def test_a_row_is_not_lost_for_what_a_client_made_up():
    odd = opened(1, path="/" + "p" * 10**6, client="\ud800x", model_asked="\U0001f600" * 50_000, session="s" * 10**5)
    event = frames.unpack_body(frames.pack_body(odd))
    assert (event.id, event.method, event.client) == (odd.id, "POST", "?x")
    assert event.path == odd.path[: frames.MAX_TEXT]
    assert event.model_asked == odd.model_asked[: frames.MAX_TEXT]


def test_a_row_is_not_lost_for_what_a_provider_made_up():
    odd = closed(
        1,
        usage=Usage(uncached=2**63, output=10**30, cache_read=5),
        model_served="m" * 10**6,
        passes={f"p{number}" * 100: PassTally(number, 1) for number in range(40)},
    )
    event = frames.unpack_body(frames.pack_body(odd))
    assert event.usage == Usage(cache_read=5)
    assert len(event.passes) == frames.MAX_PASSES
    assert event.state == "done"


def test_the_longest_event_fits():
    wide = "\U0001f600" * 10**5
    texts = dict.fromkeys(("path", "method", "client", "session", "model_asked", "provider", "format", "front"), wide)
    assert len(frames.pack_body(opened(1, client_request_id=wide, **texts))) <= frames.MAX_BODY
    tallies = {chr(0x1F600 + number) * 1000: PassTally(2**62, 2**62) for number in range(100)}
    texts = dict.fromkeys(("error_code", "model_served", "reason", "counter", "plan_hash", "compression"), wide)
    assert len(frames.pack_body(closed(1, passes=tallies, **texts))) <= frames.MAX_BODY


def test_an_event_of_a_newer_version_is_read_as_far_as_it_is_known():
    body = msgspec.msgpack.encode({**msgspec.to_builtins(opened(1)), "invented_later": [1, 2]})
    assert frames.unpack_body(body) == opened(1)


WIRE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text().split("\n## Events\n", 1)[1]


@pytest.mark.parametrize(
    ("name", "magic", "layout"),
    [
        ("event", frames.EVENT, "`magic` 4, `front` 16, `seq` 8, `event` the rest"),
        ("acknowledgement", frames.ACK, "`magic` 4, `front` 16, then a `seq` 8 for each committed event"),
        ("statistics request", frames.STATISTICS_REQUEST, "`magic` 4"),
        ("statistics", frames.STATISTICS, "`magic` 4, a JSON object"),
    ],
)
def test_the_page_draws_each_frame(name, magic, layout):
    (row,) = [line for line in WIRE.splitlines() if line.startswith(f"| {name} |")]
    cells = [cell.strip() for cell in row.split("|")]
    assert (cells[2], cells[4]) == (f"`{magic[:3].decode()}` `{magic[3]}`", layout)


@pytest.mark.parametrize("name", ["MAX_BODY", "MAX_EVENTS", "MAX_ACKS", "MAX_ID"])
def test_the_page_states_each_bound(name):
    (row,) = [line for line in WIRE.splitlines() if f"(`{name}`)" in line]
    assert row.split("|")[2].split()[0] == str(getattr(frames, name))


def test_the_page_names_the_counters_that_there_are():
    counters = set(RecorderStatistics.__struct_fields__) | set(WriterStatistics.__struct_fields__)
    counters |= set(BookStatistics.__struct_fields__) | set(AdoptionStatistics.__struct_fields__)
    table = WIRE.split("### What each failure does to events", 1)[1].split("###")[0]
    named = {
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`(\w+)`", line.split("|")[3])
    }
    assert named
    assert named <= counters
