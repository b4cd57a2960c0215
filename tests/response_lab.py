"""Stored answers for tests."""

import time

from tokenpak.core.recall import Stored
from tokenpak.core.usage import Observation, Usage
from tokenpak.ipc.response_frames import pack_answer

SEEN = Observation(Usage(30, output=5), "claude-sonnet-4-5", "provider")


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def stored(number: int, *pieces: bytes, at_s: float | None = None) -> Stored:
    """An answer under `key(number)`; at_s: when it was complete, now if None."""
    at_ns = time.time_ns() if at_s is None else int(at_s * 1e9)
    return Stored(key(number), at_ns, b"OK", ((b"content-type", b"text/plain"),), pieces or (b"text",), SEEN)


def frame(number: int, *pieces: bytes, at_s: float | None = None) -> bytes:
    return pack_answer(stored(number, *pieces, at_s=at_s))
