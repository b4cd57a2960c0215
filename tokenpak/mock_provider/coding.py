"""Content codings of replies, piece by piece, so that each event of a stream can be read as soon as it is sent."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

Coding = Literal["identity", "gzip", "br", "zstd"]

_Step = Callable[[bytes], bytes]
_End = Callable[[], bytes]


def agreed(wanted: Coding, accept_encoding: str) -> Coding:
    """The coding to use: the wanted one, if the client accepts it."""
    accepted = {word.split(";")[0].strip().lower() for word in accept_encoding.split(",")}
    return wanted if wanted in accepted else "identity"


def coded(pieces: Iterable[bytes], coding: Coding) -> Iterator[bytes]:
    """The pieces under a coding, flushed after each."""
    if coding == "identity":
        yield from pieces
        return
    step, end = _coder(coding)
    for piece in pieces:
        yield step(piece)
    last = end()
    if last:
        yield last


def _coder(coding: Coding) -> tuple[_Step, _End]:
    match coding:
        case "br":
            import brotli  # type: ignore[import-untyped,unused-ignore]

            br = brotli.Compressor(quality=4)
            return (lambda piece: br.process(piece) + br.flush()), br.finish
        case "zstd":
            import zstandard

            zstd = zstandard.ZstdCompressor().compressobj()
            block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
            return (lambda piece: zstd.compress(piece) + zstd.flush(block)), zstd.flush
        case _:
            gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
            return (lambda piece: gzip.compress(piece) + gzip.flush(zlib.Z_SYNC_FLUSH)), gzip.flush
