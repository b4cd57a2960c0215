"""The TIP headers of a response: against the words of TIP-1.0 written down here, and the registry where it is at hand."""

import re

import pytest
import tokenpak_tip_validator as validator
from tip_lab import registry

from tokenpak.tip.headers import canonical, compression_line, request_headers, request_id_of, response_headers
from tokenpak.tip.version import VERSION

PROFILES = ["tip-proxy", "tip-companion", "tip-adapter", "tip-plugin", "tip-dashboard-consumer"]
ORIGINS = ["proxy", "client", "unknown"]
REQUIRED = ["X-TokenPak-TIP-Version", "X-TokenPak-Profile", "X-TokenPak-Request-Id", "X-TokenPak-Cache-Origin"]
ID = "0198f6b2-5d3c-7a41-9f0e-1c2d3e4f5a6b"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_what_tip_requires_is_there_in_its_form(profile, origin):
    headers = canonical(response_headers(ID, profile, origin))
    assert list(headers) == [*REQUIRED, "X-TokenPak-Capability"]
    assert re.fullmatch(r"TIP-\d+\.\d+", headers["X-TokenPak-TIP-Version"])
    assert VERSION == "TIP-1.0"
    assert (headers["X-TokenPak-Profile"], headers["X-TokenPak-Cache-Origin"]) == (profile, origin)
    assert all(re.fullmatch(r"tip\.[a-z0-9._-]+", label) for label in headers["X-TokenPak-Capability"].split(","))


def test_the_clients_identity_is_echoed_unchanged():
    theirs = request_id_of([(b"X-TokenPak-Request-Id", b"req-abc-123")])
    assert theirs is not None
    assert canonical(response_headers(theirs, "tip-proxy", "unknown"))["X-TokenPak-Request-Id"] == "req-abc-123"


@pytest.mark.skipif(registry() is None, reason="the registry is not here; the expectations above are its rules")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_the_registry_finds_no_fault(profile, origin, monkeypatch):
    monkeypatch.setenv("TOKENPAK_REGISTRY_ROOT", str(registry()))
    response = canonical([*response_headers(ID, profile, origin), compression_line(1e-7)])
    request = canonical(request_headers(ID, profile, ("ext.acme.audit.v1",)))
    assert validator.validate_wire_headers(response, direction="response").findings == []
    assert validator.validate_wire_headers(request, direction="request").findings == []
    for headers in (response, request):
        assert validator.validate_against("headers", headers).findings == []
