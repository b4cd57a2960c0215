"""The TIP headers of a response: against the words of TIP-1.0 written down here, and the registry where it is at hand."""

import json
import re

import pytest
from shared_place import shared

from tokenpak.tip.headers import VERSION, request_id_of, response_headers

PROFILES = ["tip-proxy", "tip-companion", "tip-adapter", "tip-plugin", "tip-dashboard-consumer"]
ORIGINS = ["proxy", "client", "unknown"]
REQUIRED = ["X-TokenPak-TIP-Version", "X-TokenPak-Profile", "X-TokenPak-Request-Id", "X-TokenPak-Cache-Origin"]
PLACE = shared()
REGISTRY = PLACE / "tip-registry" if PLACE and (PLACE / "tip-registry").is_dir() else None


def sent(request_id="0198f6b2-5d3c-7a41-9f0e-1c2d3e4f5a6b", profile="tip-proxy", origin="unknown") -> dict[str, str]:
    """The headers as a client that minds the canonical case reads them."""
    canonical = {name.lower(): name for name in REQUIRED}
    return {canonical[name.decode()]: value.decode() for name, value in response_headers(request_id, profile, origin)}


def faults(headers: dict[str, str], schema: dict) -> list[str]:
    """What of the schema's types, patterns and enumerations the headers do not meet. Names are told apart without case."""
    found = []
    low = {name.lower(): value for name, value in headers.items()}
    for name, rule in schema["properties"].items():
        value = low.get(name.lower())
        if value is None:
            continue
        if rule.get("type") == "string" and not isinstance(value, str):
            found.append(f"{name} is no string")
        elif "pattern" in rule and not re.search(rule["pattern"], value):
            found.append(f"{name} does not match")
        elif "enum" in rule and value not in rule["enum"]:
            found.append(f"{name} is none of its words")
    return found + [f"{name} is missing" for name in schema.get("required", []) if name.lower() not in low]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_what_tip_requires_is_there_in_its_form(profile, origin):
    headers = sent(profile=profile, origin=origin)
    assert list(headers) == REQUIRED
    assert re.fullmatch(r"TIP-\d+\.\d+", headers["X-TokenPak-TIP-Version"])
    assert VERSION == "TIP-1.0"
    assert (headers["X-TokenPak-Profile"], headers["X-TokenPak-Cache-Origin"]) == (profile, origin)


def test_the_clients_identity_is_echoed_unchanged():
    theirs = request_id_of([(b"X-TokenPak-Request-Id", b"req-abc-123")])
    assert theirs is not None
    assert sent(theirs)["X-TokenPak-Request-Id"] == "req-abc-123"


@pytest.mark.skipif(REGISTRY is None, reason="the registry is not here; the expectations above are its rules")
def test_the_registry_finds_no_fault():
    assert REGISTRY is not None
    schema = json.loads((REGISTRY / "schemas" / "tip" / "headers.schema.json").read_text())
    assert all(name in schema["properties"] for name in REQUIRED)
    for profile in PROFILES:
        for origin in ORIGINS:
            assert faults(sent(profile=profile, origin=origin), schema) == []


@pytest.mark.skipif(REGISTRY is None, reason="the registry is not here")
def test_the_check_agrees_with_the_registrys_own_vectors():
    assert REGISTRY is not None
    schema = json.loads((REGISTRY / "schemas" / "tip" / "headers.schema.json").read_text())
    schema["required"] = [name for name in REQUIRED if name != "X-TokenPak-Profile"]
    vectors = [json.loads(path.read_text()) for path in sorted((REGISTRY / "test_vectors" / "headers").glob("*.json"))]
    assert vectors
    for vector in vectors:
        assert (faults(vector["_data"], schema) == []) == (vector["_meta"]["expect"] == "pass"), vector["_meta"]
