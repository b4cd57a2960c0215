"""Frames that carry answers to be stored, from a front to the writer; and the form in which the writer stores them.

Pure codec of the `## Stored answers` section of docs/wire.md. One form serves both, so that the writer stores what it gets
without opening it, and a front can tell by the sum whether what it reads is what a front once sent. Whatever is wrong with
a frame has one outcome, BadResponseFrame: an answer that is lost is asked of the provider again.
"""

import struct
import zlib
from typing import NamedTuple

import msgspec

from tokenpak.core.recall import KEY_BYTES, Stored

ANSWER = b"TPC\x01"
TAKEN = b"TPK\x01"
"""First four bytes: three letters and the version of this layout."""
ROOM = 1 << 17
"""Bytes that an answer's frame may be longer than its body: its head, its lines, the borders of its pieces."""
MAX_INT = 2**63 - 1

_HEAD = struct.Struct(f">4sI{KEY_BYTES}sQ")
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Stored).decode


class BadResponseFrame(ValueError):  # noqa: N818 named for what was received, not for who failed
    """Bytes that are no answer; the message says what is wrong, never what was in them."""


class Label(NamedTuple):
    """What the writer needs to know of an answer. at_ns: of the epoch."""

    key: bytes
    at_ns: int


def pack_answer(stored: Stored) -> bytes:
    """The frame. Raises ValueError for a time or a key that no frame holds."""
    if len(stored.key) != KEY_BYTES or not 0 <= stored.at_ns <= MAX_INT:
        raise ValueError("an answer without a usable key or time")
    body = _pack(stored)
    return _HEAD.pack(ANSWER, zlib.crc32(body), stored.key, stored.at_ns) + body


def label_of(frame: bytes) -> Label:
    """Key and time of an answer whose sum is right. Raises BadResponseFrame."""
    if len(frame) < _HEAD.size:
        raise BadResponseFrame("answer too short")
    magic, check, key, at_ns = _HEAD.unpack_from(frame)
    if magic != ANSWER:
        raise BadResponseFrame("not an answer of this version")
    if at_ns > MAX_INT or zlib.crc32(memoryview(frame)[_HEAD.size :]) != check:
        raise BadResponseFrame("answer garbled")
    return Label(key, at_ns)


def unpack_answer(frame: bytes) -> Stored:
    """The answer. Raises BadResponseFrame."""
    label = label_of(frame)
    try:
        stored: Stored = _unpack(memoryview(frame)[_HEAD.size :])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadResponseFrame("answer is not one of ours") from error
    if (stored.key, stored.at_ns) != label:
        raise BadResponseFrame("answer under another one's key")
    return stored
