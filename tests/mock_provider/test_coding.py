import pytest

from tokenpak.core.content_coding import decoder_for
from tokenpak.mock_provider.coding import agreed, coded

PIECES = [b"event: a\n\n", b"", b"x" * 5000, "é→".encode() * 300]


@pytest.mark.parametrize("coding", ["identity", "gzip", "br", "zstd"])
def test_every_piece_can_be_read_as_soon_as_it_is_there(coding):
    decoder = decoder_for(coding.encode())
    sent = iter(coded(PIECES, coding))
    for piece in PIECES:
        assert b"".join(decoder.feed(next(sent))) == piece
    assert b"".join(b"".join(decoder.feed(rest)) for rest in sent) == b""
    assert decoder.ended


def test_a_coding_is_used_only_where_it_is_accepted():
    assert agreed("gzip", "br, GZIP;q=0.5") == "gzip"
    assert agreed("gzip", "br") == "identity"
    assert agreed("gzip", "") == "identity"
    assert agreed("identity", "gzip") == "identity"
