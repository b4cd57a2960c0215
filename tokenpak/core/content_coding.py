"""Content codings: gzip, deflate, br and zstd, undone piece by piece, never more than a bound at a time.

Taps read coded replies beside the stream, and coded requests are unpacked to be compressed, so the bytes come from
outside and may be made to explode: a few kilobytes of any of these codings can stand for gigabytes. Every decoder
therefore gives out pieces of bounded size, and stops for good when one chunk turns into more than `CHUNK_BOUND`.
Each library bounds its output in another way (zlib by argument, brotli by argument and question, zstandard not at all,
so it is fed in sips); that is the whole difficulty. The libraries are loaded at the first coded body.
"""

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

PIECE = 64 * 1024
"""Bytes a decoder gives out at once (zstd: see below)."""

CHUNK_BOUND = 16 * 2**20
"""Bytes one chunk may turn into. A socket read is at most 64 KB, and real replies shrink by less than a factor 50."""

ZSTD_WINDOW = 8 * 2**20
"""Bytes; RFC 9659 lets no sender on the web ask for more."""

ZSTD_SIP = 128
"""Bytes. A block of 4 bytes can stand for 128 KB, so one sip can turn into 4 MB."""

_ZLIB_HEADER_CHECK = 31
_DEFLATE_METHOD = 8


class CodingError(Exception):
    """A coded body that cannot be read on. The message is one word: "bomb", "garbled" or "unknown"."""


class Decoder(Protocol):
    """Undoes one coding. `ended`: the coding's own end was seen, or nothing was fed."""

    @property
    def ended(self) -> bool:
        """Whether the body may end here."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` stands for, in bounded pieces. Raises CodingError; the decoder is of no use after that."""


def decoder_for(content_encoding: bytes) -> Decoder:
    """The decoder for a Content-Encoding header's value; codings listed are undone from the last to the first.

    Raises CodingError("unknown") for a coding this module does not know.
    """
    names = [name.strip().lower() for name in content_encoding.split(b",")]
    decoders = [_decoder(name) for name in reversed(names) if name not in {b"", b"identity"}]
    if not decoders:
        return Identity()
    return decoders[0] if len(decoders) == 1 else Chain(decoders)


def unpack(body: bytes, content_encoding: bytes, cap: int) -> bytes:
    """A whole body without its coding: the same object where it has none.

    Raises CodingError: "bomb" beyond `cap` bytes, "garbled" also for a body that is cut.
    """
    decoder = decoder_for(content_encoding)
    if isinstance(decoder, Identity):
        return body
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(body), PIECE):
        for part in decoder.feed(body[start : start + PIECE]):
            parts.append(part)
            size += len(part)
            if size > cap:
                raise CodingError("bomb")
    if not decoder.ended:
        raise CodingError("garbled")
    return b"".join(parts)


def _decoder(name: bytes) -> Decoder:
    match name:
        case b"gzip" | b"x-gzip":
            return Zlib(zlib.MAX_WBITS | 16)
        case b"deflate":
            return Zlib(zlib.MAX_WBITS)
        case b"br":
            return Brotli()
        case b"zstd":
            return Zstd()
        case _:
            raise CodingError("unknown")


class Identity:
    """No coding."""

    ended = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk itself."""
        yield chunk


class Chain:
    """Several codings, the outermost first."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    @property
    def ended(self) -> bool:
        """Whether every coding has ended."""
        return all(decoder.ended for decoder in self._decoders)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` stands for."""
        meter = Meter()
        for piece in self._through(self._decoders, chunk):
            meter.count(piece)
            yield piece

    def _through(self, decoders: list[Decoder], chunk: bytes) -> Iterator[bytes]:
        if not decoders:
            yield chunk
            return
        for piece in decoders[0].feed(chunk):
            yield from self._through(decoders[1:], piece)


class Meter:
    """Adds up what one chunk turns into."""

    def __init__(self) -> None:
        self._size = 0

    def count(self, piece: bytes) -> None:
        """Raise CodingError when it is too much."""
        self._size += len(piece)
        if self._size > CHUNK_BOUND:
            raise CodingError("bomb")


class Zlib:
    """gzip (also of several members) and deflate, which some senders send without the zlib header it should have."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._stream = zlib.decompressobj(wbits)
        self._head = b""
        self._begun = False

    @property
    def ended(self) -> bool:
        """Whether the last member has ended."""
        return self._stream.eof or not (self._begun or self._head)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` stands for."""
        data = self._opened(chunk)
        meter = Meter()
        while data:
            if self._stream.eof:
                if self._wbits == zlib.MAX_WBITS or not data.startswith(b"\x1f"):
                    return  # padding behind the end; browsers ignore it too
                self._stream = zlib.decompressobj(self._wbits)
            try:
                piece = self._stream.decompress(data, PIECE)
            except zlib.error as error:
                raise CodingError("garbled") from error
            data = self._stream.unconsumed_tail or self._stream.unused_data
            meter.count(piece)
            if piece:
                yield piece
            # Input may be consumed with output still inside the decoder; a full piece is the sign of it.
            while not data and len(piece) == PIECE:
                piece = self._stream.decompress(b"", PIECE)
                meter.count(piece)
                if piece:
                    yield piece

    def _opened(self, chunk: bytes) -> bytes:
        """Hold the first two bytes of a deflate body back until they show whether a zlib header is there."""
        if self._begun:
            return chunk
        head = self._head + chunk
        if self._wbits == zlib.MAX_WBITS and len(head) < 2:
            self._head = head
            return b""
        self._begun = bool(head)
        if self._wbits == zlib.MAX_WBITS and not _has_zlib_header(head):
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return head


def _has_zlib_header(head: bytes) -> bool:
    return head[0] & 0x0F == _DEFLATE_METHOD and int.from_bytes(head[:2], "big") % _ZLIB_HEADER_CHECK == 0


class Brotli:
    """br. The library takes bytes behind the end for garbage."""

    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped,unused-ignore]

        self._error: type[Exception] = brotli.error
        self._stream: Any = brotli.Decompressor()
        self._fresh = True
        self.ended = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` stands for."""
        if chunk and self._fresh:
            self._fresh = self.ended = False
        meter = Meter()
        data = chunk
        while not self.ended:
            try:
                piece: bytes = self._stream.process(data, output_buffer_limit=PIECE)
                self.ended = self._stream.is_finished()
            except self._error as error:
                raise CodingError("garbled") from error
            data = b""
            meter.count(piece)
            if piece:
                yield piece
            elif self._stream.can_accept_more_data():
                return


class Zstd:
    """zstd, also of several frames."""

    def __init__(self) -> None:
        import zstandard

        self._error: type[Exception] = zstandard.ZstdError
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._begun = False

    @property
    def ended(self) -> bool:
        """Whether the last frame has ended."""
        return self._frame.eof or not self._begun

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` stands for. The library cannot bound its output, so it gets no more than `ZSTD_SIP` at once."""
        meter = Meter()
        for start in range(0, len(chunk), ZSTD_SIP):
            data = chunk[start : start + ZSTD_SIP]
            while data:
                piece, data = self._sip(data)
                meter.count(piece)
                if piece:
                    yield piece

    def _sip(self, data: bytes) -> tuple[bytes, bytes]:
        """What `data` stands for, and what of it lies behind the end of a frame."""
        if self._frame.eof:
            self._frame = self._decompressor.decompressobj()
        self._begun = True
        try:
            piece = self._frame.decompress(data)
        except self._error as error:
            raise CodingError("garbled") from error
        return piece, self._frame.unused_data if self._frame.eof else b""
