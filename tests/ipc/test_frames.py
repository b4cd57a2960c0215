"""The codec: what goes in comes out, hostile bytes have two outcomes, and docs/wire.md says what the constants say."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.patch import Change, Edit, Footprint, Form, Format, Job, Patch, Policy, Tally, Trace
from tokenpak.ipc import frames
from tokenpak.ipc.frames import (
    LAYOUT,
    FrameError,
    JobMessage,
    Kind,
    Message,
    PatchMessage,
    PingMessage,
    PongMessage,
    RefusalMessage,
    Vitals,
    decode,
    encode,
)

PAGE = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()

numbers = st.integers(0, frames.MAX_NUMBER)
offsets = st.integers(0, 2**31)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
changes = st.builds(Change, offsets, offsets, offsets, words, words, st.integers(-(2**31), 2**31))
forms = st.builds(Form, st.binary(min_size=16, max_size=16), st.lists(changes, max_size=3).map(tuple))
form_tuples = st.lists(forms, max_size=3).map(tuple)
edits = st.builds(Edit, offsets, offsets, st.binary(max_size=12), words)
jobs = st.builds(Job, st.sampled_from(Format), st.builds(Policy, floor_tokens=offsets), form_tuples, st.booleans())
chains = st.binary(min_size=16, max_size=16)
footprints = st.builds(
    Footprint,
    st.lists(st.builds(Trace, chains, chains, offsets, offsets), max_size=3).map(tuple),
    offsets,
    st.lists(st.tuples(offsets, st.sampled_from(["5m", "1h"])), max_size=2).map(tuple),
)
patches = st.builds(
    Patch,
    st.lists(edits, max_size=3).map(tuple),
    form_tuples,
    st.integers(0, 2**32 - 1),
    st.binary(min_size=16, max_size=16),
    st.lists(st.builds(Tally, words, offsets, offsets), max_size=2).map(tuple),
    st.dictionaries(words, offsets, max_size=3),
    offsets,
    words,
    st.none() | footprints,
    st.none() | offsets,
)
counts = st.integers(0, 2**63 - 1)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(JobMessage, numbers, numbers, jobs, st.binary(max_size=40)),
    st.builds(PatchMessage, numbers, numbers, patches),
    st.builds(RefusalMessage, numbers, st.sampled_from(frames.WHYS)),
    st.builds(PingMessage, numbers),
    st.builds(PongMessage, numbers, st.builds(Vitals, counts, words, counts, counts, counts, counts)),
)

PING = encode(PingMessage(7))[0]
PATCH = Patch((Edit(3, 5, b"x", "p"),), (), 9, bytes(16), (), {"a": 1}, 0, "c")


@given(messages)
def test_what_goes_in_comes_out(message):
    packed = encode(message)
    assert all(type(frame) is bytes for frame in packed)
    assert decode(packed) == message


@given(messages)
def test_every_message_has_the_frames_of_its_kind(message):
    packed = encode(message)
    kind = Kind(packed[0][3:4])
    assert len(packed) == len(LAYOUT[kind])
    assert frames.HEAD.unpack_from(packed[0]) == (frames.MAGIC, frames.VERSION, kind.value, message.number)


def test_what_a_worker_says_is_one_frame():
    """libzmq may abort the front otherwise: docs/decisions/003-one-frame-answers.md."""
    assert all(len(LAYOUT[kind]) == 1 for kind in (Kind.PATCH, Kind.REFUSAL, Kind.PONG))


def test_the_body_travels_as_the_same_object():
    body = bytes(100)
    assert encode(JobMessage(1, 2, Job(Format.ANTHROPIC, Policy(), ()), body))[-1] is body


@st.composite
def mutations(draw: st.DrawFn) -> list[bytes]:
    """A message with bytes changed, cut, repeated or added, or frames lost, swapped or doubled."""
    packed = encode(draw(messages))
    for _ in range(draw(st.integers(1, 3))):
        match draw(st.sampled_from(["set", "cut", "add", "drop", "double", "swap"])):
            case "set" if packed and packed[0]:
                which = draw(st.integers(0, len(packed) - 1))
                frame = bytearray(packed[which])
                if frame:
                    frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
                packed[which] = bytes(frame)
            case "cut" if packed:
                which = draw(st.integers(0, len(packed) - 1))
                packed[which] = packed[which][: draw(st.integers(0, len(packed[which])))]
            case "add" if packed:
                packed[draw(st.integers(0, len(packed) - 1))] += draw(st.binary(max_size=4))
            case "drop" if packed:
                packed.pop(draw(st.integers(0, len(packed) - 1)))
            case "double" if packed:
                packed.append(packed[draw(st.integers(0, len(packed) - 1))])
            case _:
                packed.reverse()
    return packed


def only_two_outcomes(received: list[bytes]) -> None:
    try:
        message = decode(received)
    except FrameError:
        return
    assert decode(encode(message)) == message


@given(mutations())
def test_a_mutated_message_is_a_message_or_a_frame_error(received):
    only_two_outcomes(received)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_noise_is_a_frame_error(received):
    only_two_outcomes(received)


@given(st.sampled_from(Kind), st.lists(st.binary(max_size=60), max_size=4))
def test_noise_behind_a_good_head_is_a_message_or_a_frame_error(kind, rest):
    only_two_outcomes([frames.HEAD.pack(b"TP", frames.VERSION, kind.value, 1) + b"".join(rest[:1]), *rest[1:]])


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"\x91" * 200_000, id="nested"),
        pytest.param(
            msgspec.msgpack.encode(PATCH).replace(b"\x98", b"\x99", 1) + b"\x91" * 200_000, id="nested unknown"
        ),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="an array longer than its bytes"),
        pytest.param(msgspec.msgpack.encode(PATCH) + b"\x00", id="trailing"),
        pytest.param(msgspec.msgpack.encode(PATCH)[:-1], id="cut"),
        pytest.param(msgspec.msgpack.encode(PATCH).replace(b"\xa1c", b"\xa1\xff"), id="not UTF-8"),
        pytest.param(msgspec.msgpack.encode({"edits": []}), id="a map"),
        pytest.param(b"\xc7\x05\x01hello", id="an extension"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_hostile_packing_is_a_content_error_that_names_the_message(packed):
    with pytest.raises(FrameError) as caught:
        decode([encode(PatchMessage(77, 5, PATCH))[0][: frames.CLOCKED.size] + packed])
    assert (caught.value.fault, caught.value.number) == ("content", 77)


@pytest.mark.parametrize("head", [b"", PING[:-1], b"XX" + PING[2:]])
def test_a_foreign_head_has_no_number(head):
    with pytest.raises(FrameError) as caught:
        decode([head])
    assert (caught.value.fault, caught.value.number) == ("shape", None)


def test_no_frames_is_no_message():
    with pytest.raises(FrameError):
        decode([])


def test_another_version_is_told_from_noise_and_names_its_number():
    with pytest.raises(FrameError) as caught:
        decode([frames.HEAD.pack(b"TP", frames.VERSION + 1, b"?", 12), b"whatever", b"comes"])
    assert (caught.value.fault, caught.value.number) == ("version", 12)


def test_a_refusal_is_read_whatever_its_version():
    foreign = frames.HEAD.pack(b"TP", 200, Kind.REFUSAL.value, 3) + b"version"
    assert decode([foreign]) == RefusalMessage(3, "version")


def test_an_unknown_kind_and_a_wrong_number_of_frames_are_shape_errors():
    for received in ([frames.HEAD.pack(b"TP", frames.VERSION, b"?", 5)], [PING, b""], [PING + b"\0"]):
        with pytest.raises(FrameError) as caught:
            decode(received)
        assert caught.value.fault == "shape"
        assert caught.value.number in {5, 7}


def test_an_unknown_refusal_word_is_a_content_error():
    with pytest.raises(FrameError) as caught:
        decode([frames.HEAD.pack(b"TP", 1, Kind.REFUSAL.value, 3) + b"bored"])
    assert caught.value.fault == "content"


@pytest.mark.parametrize(
    "patch",
    [
        msgspec.structs.replace(PATCH, counter="\ud800"),
        msgspec.structs.replace(PATCH, check=2**70),
        msgspec.structs.replace(PATCH, plan=object()),
    ],
)
def test_what_no_frame_can_hold_is_a_frame_error_too(patch):
    with pytest.raises(FrameError):
        encode(PatchMessage(1, 1, patch))
    with pytest.raises(FrameError):
        encode(PatchMessage(2**64, 1, PATCH))


def test_a_frame_error_never_quotes_the_bytes():
    secret = b"sk-secret-secret"
    with pytest.raises(FrameError) as caught:
        decode([encode(PatchMessage(77, 5, PATCH))[0][: frames.CLOCKED.size] + secret])
    assert "secret" not in str(caught.value)


# docs/wire.md


def table(heading: str) -> list[list[str]]:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_draws_the_head():
    drawn = [(int(at), int(length), value) for at, length, value, *_ in table("Head")]
    assert [(at, length) for at, length, _ in drawn] == [(0, 2), (2, 1), (3, 1), (4, 8)]
    assert sum(length for _, length, _ in drawn) == frames.HEAD.size
    assert drawn[0][2] == f"`{frames.MAGIC.decode()}`"
    assert drawn[1][2] == f"`{frames.VERSION}`"


def test_the_page_draws_every_kind():
    drawn = {
        row[0].strip("`"): (row[1].strip("`"), tuple(tuple(re.findall(r"`(\w+)`", cell)) for cell in row[3:] if cell))
        for row in table("Messages")
    }
    assert drawn == {kind.name.lower(): (kind.value.decode(), layout) for kind, layout in LAYOUT.items()}


def test_the_page_describes_every_part():
    drawn = {row[0].strip("`"): row[1] for row in table("Parts")}
    assert set(drawn) == {name for layout in LAYOUT.values() for frame in layout for name in frame}
    assert drawn["head"] == f"{frames.HEAD.size} bytes"
    assert drawn["expiry"] == drawn["took"] == f"{frames.CLOCKED.size - frames.HEAD.size} bytes"


def test_the_page_draws_the_packed_structs_field_by_field():
    drawn = {row[0].strip("`"): tuple(re.findall(r"`(\w+)`", row[1])) for row in table("Packed structs")}
    structs = (Job, Policy, Form, Change, Patch, Footprint, Trace, Edit, Tally, Vitals)
    assert drawn == {struct_.__name__: struct_.__struct_fields__ for struct_ in structs}


def test_the_page_explains_every_refusal():
    assert {row[0].strip("`") for row in table("Refusals")} == set(frames.WHYS)
