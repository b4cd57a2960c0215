import pytest

from tokenpak.tip.headers import request_id_of, response_headers


def test_a_response_carries_version_profile_identity_and_origin():
    assert response_headers("0198-x", "tip-proxy", "unknown") == [
        (b"x-tokenpak-tip-version", b"TIP-1.0"),
        (b"x-tokenpak-profile", b"tip-proxy"),
        (b"x-tokenpak-request-id", b"0198-x"),
        (b"x-tokenpak-cache-origin", b"unknown"),
    ]


@pytest.mark.parametrize("value", [b"a", b"01HXYZ", b"req 1: {odd}", b"x" * 256])
def test_an_identity_comes_back_unchanged(value):
    given = request_id_of(
        [(b"Accept", b"*/*"), (b"X-TokenPak-Request-Id", value), (b"x-tokenpak-request-id", b"second")]
    )
    assert given is not None
    assert (b"x-tokenpak-request-id", value) in response_headers(given, "tip-proxy", "proxy")


@pytest.mark.parametrize("value", [b"", b" ", b"a ", b" a", b"x" * 257, b"a\tb", b"a\r\nb: c", b"\xc3\xa9"])
def test_an_identity_that_would_not_come_back_as_it_is_is_none(value):
    assert request_id_of([(b"x-tokenpak-request-id", value)]) is None


def test_no_identity_is_none():
    assert request_id_of([(b"x-request-id", b"a")]) is None
