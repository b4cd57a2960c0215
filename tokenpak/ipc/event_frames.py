"""Frames between a front and the writer: events one way, acknowledgements the other, and the writer's statistics on request.

Pure codec of the `## Events` section of docs/wire.md, which draws the same bytes. A message of events has a
frame for each of them; the others have one. The difficulty is that whatever is decoded goes
into SQLite: a number or a name that a column cannot hold has to be refused here, where one bad message harms nobody,
and an event that cannot be encoded has to be made to fit, because its row may not be lost for an over-long path.
"""

import struct
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from tokenpak.ipc.events import Event, RequestClosed, RequestOpened

EVENT = b"TPE\x01"
ACK = b"TPA\x01"
STATISTICS_REQUEST = b"TPS\x01"
STATISTICS = b"TPR\x01"
"""First four bytes of each frame: three letters and the version of this layout."""

FRONT_BYTES = 16
MAX_BODY = 65_536
"""Longest encoded event. `pack_event` clips to fit, `unpack_event` refuses more."""
MAX_EVENTS = 64
"""Most events in one message, a frame each."""
MAX_ACKS = 4096
"""Most sequence numbers in one acknowledgement."""
MAX_TEXT = 1024
MAX_PASSES = 32
"""Longest text, in characters, and most passes that a clipped event keeps: all of them together stay below MAX_BODY."""
MAX_ID = 64
"""Longest request id, in characters."""
MAX_INT = 2**63 - 1
"""What an SQLite INTEGER and a sequence number can hold."""

_HEAD = struct.Struct(f">4s{FRONT_BYTES}sQ")
_ACK_HEAD = struct.Struct(f">4s{FRONT_BYTES}s")
_pack_body = msgspec.msgpack.Encoder().encode
_unpack_body = msgspec.msgpack.Decoder(Event).decode
_pack_json = msgspec.json.Encoder().encode
_unpack_json = msgspec.json.Decoder(dict[str, Any]).decode


class BadEventFrame(ValueError):  # noqa: N818 named for what was received, not for who failed
    """Bytes that are not what this page describes; the message says what is wrong, never what was in them."""


def pack_body(event: Event) -> bytes:
    """The event as MessagePack, at most MAX_BODY bytes. What no column can hold is cut or left out, if it must be."""
    try:
        body = _pack_body(event if _storable(event) else _fitting(event))
    except UnicodeEncodeError:  # a lone surrogate in a name the client made up: keep the row
        return _pack_body(_fitting(event))
    return body if len(body) <= MAX_BODY else _pack_body(_fitting(event))


def unpack_body(body: bytes) -> Event:
    """The event in a frame or a journal record. Raises BadEventFrame."""
    if len(body) > MAX_BODY:
        raise BadEventFrame("event too long")
    try:
        event: Event = _unpack_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEventFrame("event is not one of ours") from error
    if not 0 < len(event.id) <= MAX_ID:
        raise BadEventFrame("event without a usable id")
    if not _storable(event):
        raise BadEventFrame("event with a number no column can hold")
    return event


def pack_event(front: bytes, seq: int, body: bytes) -> bytes:
    """The frame that carries one encoded event; up to MAX_EVENTS of them make a message."""
    return _HEAD.pack(EVENT, front, seq) + body


def unpack_event(frame: bytes) -> tuple[bytes, int, bytes]:
    """Front, sequence number and encoded event of a frame. Raises BadEventFrame.

    The event is left encoded, so that one nobody understands can still be acknowledged and does not come again forever.
    """
    if len(frame) < _HEAD.size:
        raise BadEventFrame("event frame too short")
    magic, front, seq = _HEAD.unpack_from(frame)
    if magic != EVENT:
        raise BadEventFrame("not an event frame of this version")
    if not 0 < seq <= MAX_INT:
        raise BadEventFrame("sequence number out of range")
    return front, seq, frame[_HEAD.size :]


def pack_ack(front: bytes, seqs: Sequence[int]) -> bytes:
    """The message that says: these events of that front are committed. At most MAX_ACKS of them."""
    if len(seqs) > MAX_ACKS:
        raise ValueError(f"at most {MAX_ACKS} sequence numbers in one acknowledgement")
    return _ACK_HEAD.pack(ACK, front) + struct.pack(f">{len(seqs)}Q", *seqs)


def unpack_ack(frame: bytes) -> tuple[bytes, tuple[int, ...]]:
    """Front and sequence numbers of an acknowledgement. Raises BadEventFrame."""
    count, rest = divmod(len(frame) - _ACK_HEAD.size, 8)
    if rest or not 0 <= count <= MAX_ACKS:
        raise BadEventFrame("acknowledgement of a wrong length")
    magic, front = _ACK_HEAD.unpack_from(frame)
    if magic != ACK:
        raise BadEventFrame("not an acknowledgement of this version")
    return front, struct.unpack_from(f">{count}Q", frame, _ACK_HEAD.size)


def pack_statistics(statistics: msgspec.Struct) -> bytes:
    """The answer to STATISTICS_REQUEST: a JSON object."""
    return STATISTICS + _pack_json(statistics)


def unpack_statistics(frame: bytes) -> dict[str, Any]:
    """The JSON object of the writer's answer, for whoever shows it. Raises BadEventFrame."""
    if not frame.startswith(STATISTICS):
        raise BadEventFrame("not a statistics frame of this version")
    try:
        return _unpack_json(frame[len(STATISTICS) :])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEventFrame("statistics are not a JSON object") from error


def _storable(event: Event) -> bool:
    for value in _values(event):  # noqa: SIM110 twice as fast as all(), twice in every request
        if not _in_range(value):
            return False
    return True


def _values(event: Event) -> tuple[Any, ...]:
    values = msgspec.structs.astuple(event)
    if isinstance(event, RequestOpened):
        return values
    tallies = (count for tally in event.passes.values() for count in (tally.edits, tally.saved))
    return (*values, *msgspec.structs.astuple(event.usage), *tallies)


def _in_range(value: object) -> bool:
    return type(value) is not int or -MAX_INT <= value <= MAX_INT


def _fitting(event: Event) -> Event:
    changes: dict[str, Any] = {name: _cut(getattr(event, name)) for name in event.__struct_fields__}
    if isinstance(event, RequestClosed):
        counts = {name: _cut(getattr(event.usage, name)) for name in event.usage.__struct_fields__}
        changes["usage"] = msgspec.structs.replace(event.usage, **counts)
        some = islice(event.passes.items(), MAX_PASSES)
        changes["passes"] = {
            str(_cut(name[:MAX_ID])): tally for name, tally in some if _in_range(tally.edits) and _in_range(tally.saved)
        }
    return msgspec.structs.replace(event, **changes)


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value[:MAX_TEXT].encode("utf-8", "replace").decode()
    return value if _in_range(value) else None
