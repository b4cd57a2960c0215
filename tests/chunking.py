"""Bytes cut anywhere, as a socket may cut them."""

from collections.abc import Iterator
from random import Random


def chunked(body: bytes, rng: Random, longest: int = 64) -> Iterator[bytes]:
    """Random cuts; now and then an empty chunk."""
    at = 0
    while at < len(body):
        size = rng.randint(0, longest)
        yield body[at : at + size]
        at += size


def every_cut(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Two chunks, for each place a cut may fall."""
    for at in range(len(body) + 1):
        yield body[:at], body[at:]
