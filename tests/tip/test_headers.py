import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.capabilities import LABELS
from tokenpak.tip.headers import (
    canonical,
    compression_line,
    faults,
    request_headers,
    request_id_of,
    response_headers,
)

GOOD = {
    "X-TokenPak-TIP-Version": "TIP-1.0",
    "X-TokenPak-Profile": "tip-proxy",
    "X-TokenPak-Request-Id": "r",
    "X-TokenPak-Cache-Origin": "unknown",
}


def test_a_response_carries_version_profile_identity_origin_and_capabilities():
    assert response_headers("0198-x", "tip-proxy", "unknown") == [
        (b"x-tokenpak-tip-version", b"TIP-1.0"),
        (b"x-tokenpak-profile", b"tip-proxy"),
        (b"x-tokenpak-request-id", b"0198-x"),
        (b"x-tokenpak-cache-origin", b"unknown"),
        (b"x-tokenpak-capability", ",".join(LABELS).encode()),
    ]


def test_a_request_carries_version_profile_identity_and_the_capabilities_there_are():
    lines = [
        (b"x-tokenpak-tip-version", b"TIP-1.0"),
        (b"x-tokenpak-profile", b"tip-adapter"),
        (b"x-tokenpak-request-id", b"a"),
    ]
    assert request_headers("a", "tip-adapter") == lines
    more = (b"x-tokenpak-capability", b"tip.a,ext.b.c")
    assert request_headers("a", "tip-adapter", ("tip.a", "ext.b.c")) == [*lines, more]


@given(st.floats(0, 1e12))
def test_a_duration_is_a_decimal_without_an_exponent(spent_ms):
    name, value = compression_line(spent_ms)
    assert name == b"x-tokenpak-compression-ms"
    assert faults({**GOOD, "X-TokenPak-Compression-Ms": value.decode()}, "response") == ()
    assert float(value) == pytest.approx(spent_ms, abs=0.0006)


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


def test_the_protocols_headers_by_their_own_names_the_first_of_several():
    lines = [
        (b"accept", b"*/*"),
        (b"x-TOKENPAK-tip-version", b"TIP-1.0"),
        (b"X-TokenPak-Session", b"not of the protocol"),
        (b"x-tokenpak-contract-id", b"one"),
        (b"X-TokenPak-Contract-Id", b"two"),
    ]
    assert canonical(lines) == {"X-TokenPak-TIP-Version": "TIP-1.0", "X-TokenPak-Contract-Id": "one"}


def test_nothing_is_wrong_with_what_we_send():
    assert faults(canonical(response_headers("r", "tip-proxy", "unknown")), "response") == ()
    assert faults(canonical(request_headers("r", "tip-adapter")), "request") == ()


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("X-TokenPak-TIP-Version", "request"),
        ("X-TokenPak-Profile", "request"),
        ("X-TokenPak-Request-Id", "request"),
        ("X-TokenPak-TIP-Version", "response"),
        ("X-TokenPak-Cache-Origin", "response"),
        ("X-TokenPak-Request-Id", "response"),
    ],
)
def test_what_a_direction_requires(name, direction):
    assert faults(GOOD, direction) == ()
    assert faults({key: value for key, value in GOOD.items() if key != name}, direction) == (f"{name} is missing",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-tokenpak-tip-version", "1.0"),
        ("X-TOKENPAK-CACHE-ORIGIN", "both"),
        ("X-TokenPak-Savings-Tokens", "-1"),
        ("X-TokenPak-Savings-Tokens", "1.5"),
        ("X-TokenPak-Savings-Cost", "1e-05"),
        ("X-TokenPak-Compression-Ms", "fast"),
        ("X-TokenPak-Intent-Class", "Debug"),
        ("X-TokenPak-Intent-Confidence", "1.1"),
        ("X-TokenPak-Intent-Subtype", "a-b"),
        ("X-TokenPak-Contract-Risk", "none"),
        ("X-TokenPak-Capability", "tip.a, compression"),
        ("X-TokenPak-Capability", "TIP.a"),
    ],
)
def test_a_value_that_is_not_of_its_form_is_one_fault(name, value):
    others = {key: known for key, known in GOOD.items() if key.lower() != name.lower()}
    assert len(faults({**others, name: value}, "response")) == 1


def test_what_the_protocol_does_not_know_may_stand_beside_it():
    assert faults({**GOOD, "Content-Type": "text/plain", "X-TokenPak-Session": "s"}, "response") == ()
