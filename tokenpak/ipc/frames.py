"""The words between a front and a worker, as lists of bytes. Pure: no socket, no clock. docs/wire.md draws the same bytes.

Every message is one frame: a head, which says what it is and which number it has, and the parts of its kind (`LAYOUT`).
Only a job has a second frame, the body, because that is the one thing too big to be copied into anything. Answers must
stay in one frame: libzmq aborts the process that reads a second one just when the connection it came by is replaced
(docs/decisions/003-one-frame-answers.md).

The difficulty is trust. A peer may be half dead, of another version, or not ours at all, so decoding takes any list of
bytes and has two outcomes only: a message, or a FrameError. Whether the edits in a patch fit the body is not decided
here (core/splice.py and the patch's own sum do that); here it is decided that they are numbers.

Versions: the head (magic, version, kind, number) and the whole refusal stay as they are for good, so that peers of
different versions can at least refuse each other. Any other change of layout, or of a packed struct, is a new VERSION.
"""

import struct
from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Literal

import msgspec

from tokenpak.core.patch import Job, Patch

MAGIC = b"TP"
VERSION = 1
HEAD = struct.Struct(">2sBcQ")
"""Magic, version, kind, number: 12 bytes, integers big-endian."""
CLOCKED = struct.Struct(">2sBcQQ")
"""A head and the nanoseconds that follow it in jobs and patches."""
MAX_NUMBER = 2**64 - 1


class Kind(Enum):
    """What a message is; the value stands in the head."""

    JOB = b"J"
    PATCH = b"R"
    REFUSAL = b"N"
    PING = b"P"
    PONG = b"O"


LAYOUT: dict[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.JOB: (("head", "expiry", "job"), ("body",)),
    Kind.PATCH: (("head", "took", "patch"),),
    Kind.REFUSAL: (("head", "why"),),
    Kind.PING: (("head",),),
    Kind.PONG: (("head", "vitals"),),
}
"""The frames of each kind, in order, and the parts of each frame."""

Why = Literal["failed", "expired", "garbled", "version"]
"""failed: the work raised. expired: its time was over before it began. garbled, version: the job could not be read."""

WHYS: tuple[Why, ...] = ("failed", "expired", "garbled", "version")

Fault = Literal["shape", "version", "content"]
"""shape: not a message of ours. version: ours, of another version. content: a part does not decode."""


class FrameError(Exception):
    """Bytes that are no message, or a value that cannot be put into bytes. Never holds the bytes.

    number: of the message, where its head could be read.
    """

    def __init__(self, fault: Fault, number: int | None = None) -> None:
        super().__init__(fault if number is None else f"{fault} in message {number}")
        self.fault: Fault = fault
        self.number = number


Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Vitals(msgspec.Struct, frozen=True):
    """What a worker tells of itself: its process, the tokenizer it counts with, and counts since it started.

    Not array_like as the other packed structs: it is shown to people, in the front's statistics.
    """

    pid: Count
    counter: str
    done: Count
    failed: Count
    expired: Count
    garbled: Count


class JobMessage(msgspec.Struct, frozen=True):
    """Front to worker. expiry_ns: on the machine's monotonic clock; nobody waits for an answer after it."""

    number: int
    expiry_ns: int
    job: Job
    body: bytes


class PatchMessage(msgspec.Struct, frozen=True):
    """Worker to front. number: of the job. took_ns: how long the work took."""

    number: int
    took_ns: int
    patch: Patch


class RefusalMessage(msgspec.Struct, frozen=True):
    """Worker to front: no patch for the job of that number."""

    number: int
    why: Why


class PingMessage(msgspec.Struct, frozen=True):
    """Front to worker: answer when everything sent before has been answered."""

    number: int


class PongMessage(msgspec.Struct, frozen=True):
    """Worker to front. number: of the ping."""

    number: int
    vitals: Vitals


Message = JobMessage | PatchMessage | RefusalMessage | PingMessage | PongMessage

_pack = msgspec.msgpack.Encoder().encode
_job = msgspec.msgpack.Decoder(Job).decode
_patch = msgspec.msgpack.Decoder(Patch).decode
_vitals = msgspec.msgpack.Decoder(Vitals).decode
_KINDS = {kind.value: kind for kind in Kind}
_UNPACKABLE = (UnicodeEncodeError, OverflowError, TypeError, struct.error)
"""A lone surrogate, an integer beyond 64 bits, a value of a foreign type."""
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, struct.error)
"""Not MessagePack, of another shape, not UTF-8, nested too deep, no room for a clock."""


def encode(message: Message) -> list[bytes]:
    """The frames of a message. Raises FrameError for a value no frame can hold."""
    try:
        return _frames_of(message)
    except _UNPACKABLE as error:
        raise FrameError("content", message.number) from error


def decode(frames: Sequence[bytes]) -> Message:
    """The message in these frames. Raises FrameError and nothing else, whatever they hold."""
    kind, number = _head(frames)
    if len(frames) != len(LAYOUT[kind]):
        raise FrameError("shape", number)
    try:
        return _message_of(kind, number, frames)
    except _UNREADABLE as error:
        raise FrameError("content", number) from error


def _head_of(kind: Kind, number: int) -> bytes:
    return HEAD.pack(MAGIC, VERSION, kind.value, number)


def _clocked(kind: Kind, number: int, nanoseconds: int) -> bytes:
    return CLOCKED.pack(MAGIC, VERSION, kind.value, number, nanoseconds)


def _frames_of(message: Message) -> list[bytes]:
    match message:
        case JobMessage(number, expiry_ns, job, body):
            return [_clocked(Kind.JOB, number, expiry_ns) + _pack(job), body]
        case PatchMessage(number, took_ns, patch):
            return [_clocked(Kind.PATCH, number, took_ns) + _pack(patch)]
        case RefusalMessage(number, why):
            return [_head_of(Kind.REFUSAL, number) + why.encode()]
        case PingMessage(number):
            return [_head_of(Kind.PING, number)]
        case PongMessage(number, vitals):
            return [_head_of(Kind.PONG, number) + _pack(vitals)]


def _head(frames: Sequence[bytes]) -> tuple[Kind, int]:
    if not frames or len(frames[0]) < HEAD.size:
        raise FrameError("shape")
    magic, version, letter, number = HEAD.unpack_from(frames[0])
    if magic != MAGIC:
        raise FrameError("shape")
    kind = _KINDS.get(letter)
    if version != VERSION and kind is not Kind.REFUSAL:
        raise FrameError("version", number)
    if kind is None:
        raise FrameError("shape", number)
    return kind, number


def _message_of(kind: Kind, number: int, frames: Sequence[bytes]) -> Message:
    first = memoryview(frames[0])
    rest = first[HEAD.size :]
    match kind:
        case Kind.JOB:
            return JobMessage(number, _clock(first), _job(first[CLOCKED.size :]), frames[1])
        case Kind.PATCH:
            return PatchMessage(number, _clock(first), _patch(first[CLOCKED.size :]))
        case Kind.REFUSAL:
            return RefusalMessage(number, _why(number, rest))
        case Kind.PING if rest:
            raise FrameError("shape", number)
        case Kind.PING:
            return PingMessage(number)
        case Kind.PONG:
            return PongMessage(number, _vitals(rest))


def _clock(frame: memoryview) -> int:
    return int(CLOCKED.unpack_from(frame)[-1])


def _why(number: int, part: memoryview) -> Why:
    for why in WHYS:
        if part == why.encode():
            return why
    raise FrameError("content", number)
