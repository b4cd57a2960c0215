import gzip
import zlib
from random import Random

import brotli
import pytest
import zstandard
from chunking import chunked
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.content_coding import CHUNK_BOUND, CodingError, decoder_for, unpack

SAMPLE = b"".join(b'data: {"n": %d, "text": "\xc3\xa9"}\n\n' % n for n in range(3000))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "raw deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd,
    "identity": bytes,
    "": bytes,
    "gzip, zstd": lambda data: zstd(gzip.compress(data)),
    " BR ,identity": brotli.compress,
}
CODED = [name for name in PACK if name not in {"identity", ""}]


def header(name: str) -> bytes:
    return name.removeprefix("raw ").encode()


def read(name: str, *chunks: bytes) -> bytes:
    decoder = decoder_for(header(name))
    return b"".join(piece for chunk in chunks for piece in decoder.feed(chunk))


@pytest.mark.parametrize("name", PACK)
def test_any_cut_gives_the_same(name):
    packed = PACK[name](SAMPLE)
    for seed in range(5):
        assert read(name, *chunked(packed, Random(seed), 700)) == SAMPLE
    assert read(name, *(bytes([byte]) for byte in packed)) == SAMPLE


@given(st.binary(max_size=400), st.sampled_from(sorted(PACK)), st.integers(0, 2**32))
def test_any_body_comes_back(body, name, seed):
    assert read(name, *chunked(PACK[name](body), Random(seed), 9)) == body
    assert unpack(PACK[name](body), header(name), 10**6) == body


@pytest.mark.parametrize("name", [name for name in CODED if name != "gzip, zstd"])
def test_words_come_as_soon_as_they_are_there(name):
    packed = b"".join(flushed(header(name).strip().split(b",")[0].strip().lower(), name, [b"one", b"two"]))
    decoder, seen = decoder_for(header(name)), b""
    for byte in packed:
        seen += b"".join(decoder.feed(bytes([byte])))
    assert seen == b"onetwo"
    assert not decoder.ended


def flushed(coding: bytes, name: str, words: list[bytes]) -> list[bytes]:
    """The words, flushed after each, without the coding's end."""
    if coding == b"br":
        packer = brotli.Compressor()
        return [packer.process(word) + packer.flush() for word in words]
    if coding == b"zstd":
        frame = zstandard.ZstdCompressor().compressobj()
        return [frame.compress(word) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for word in words]
    wbits = {"deflate": zlib.MAX_WBITS, "raw deflate": -zlib.MAX_WBITS}.get(name, zlib.MAX_WBITS | 16)
    stream = zlib.compressobj(wbits=wbits)
    return [stream.compress(word) + stream.flush(zlib.Z_SYNC_FLUSH) for word in words]


@pytest.mark.parametrize("name", CODED)
def test_a_bomb_stops_early_and_in_small_pieces(name):
    packed = PACK[name](bytes(100 * 2**20))
    sizes: list[int] = []
    decoder = decoder_for(header(name))
    with pytest.raises(CodingError, match="bomb"):
        sizes.extend(len(piece) for piece in decoder.feed(packed))
    assert sum(sizes) <= CHUNK_BOUND
    assert max(sizes) <= 4 * 2**20


@pytest.mark.parametrize("name", CODED)
def test_unpack_holds_to_its_cap(name):
    packed = PACK[name](bytes(50_000))
    assert unpack(packed, header(name), 50_000) == bytes(50_000)
    with pytest.raises(CodingError, match="bomb"):
        unpack(packed, header(name), 49_999)


@pytest.mark.parametrize("name", CODED)
def test_what_is_cut_or_garbled_is_no_body(name):
    packed = PACK[name](SAMPLE)
    for broken in (packed[:-1], packed[: len(packed) // 2], b"\xff" * 40):
        with pytest.raises(CodingError, match="garbled"):
            unpack(broken, header(name), 10**6)


def test_members_and_frames_follow_each_other():
    assert unpack(gzip.compress(b"one") + gzip.compress(b"two"), b"gzip", 100) == b"onetwo"
    assert unpack(zstd(b"one") + zstd(b"two"), b"zstd", 100) == b"onetwo"


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_padding_behind_the_end_is_ignored(name):
    assert read(name, PACK[name](b"one") + bytes(5), bytes(3)) == b"one"


def test_a_body_without_coding_is_the_same_object():
    assert unpack(SAMPLE, b"identity", 1) is SAMPLE


def test_an_unknown_coding_is_refused_by_name():
    with pytest.raises(CodingError, match="unknown"):
        decoder_for(b"gzip, compress")


def test_a_window_no_sender_on_the_web_may_ask_for_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(CodingError, match="garbled"):
        unpack(packed.compress(bytes(100)) + packed.flush(), b"zstd", 1000)
