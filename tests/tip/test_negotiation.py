import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.tip.capabilities import LABELS
from tokenpak.tip.errors import ErrorEnvelope
from tokenpak.tip.manifests import Compatibility, ProviderProfile, read_manifest
from tokenpak.tip.negotiation import TOKENPAK, Agreed, Component, component, negotiate


def peer(**more) -> Component:
    """A peer that works with us, changed: `wants` are conditions of its own."""
    wants = {"tip_version_range": ">=TIP-1.0", **more.pop("wants", {})}
    facts = {
        "name": "peer",
        "tip_version": "TIP-1.0",
        "profile": "tip-adapter",
        "capabilities": ("ext.acme.x", LABELS[2], LABELS[0]),
        **more,
    }
    return Component(**facts, compatibility=Compatibility(**wants))


def code(outcome) -> str:
    assert isinstance(outcome, ErrorEnvelope)
    return outcome.code


def test_what_both_publish_in_our_order():
    assert negotiate(TOKENPAK, peer()) == Agreed(capabilities=(LABELS[0], LABELS[2]))


@given(st.sets(st.sampled_from([*LABELS, "ext.a.b", "tip.x"])), st.sets(st.sampled_from([*LABELS, "ext.a.b", "tip.x"])))
def test_it_is_the_intersection_whoever_asks(own, theirs):
    one, other = peer(capabilities=tuple(own)), peer(capabilities=tuple(theirs))
    for agreed in (negotiate(one, other), negotiate(other, one)):
        assert isinstance(agreed, Agreed)
        assert set(agreed.capabilities) == own & theirs


@pytest.mark.parametrize("turn", [lambda one, other: (one, other), lambda one, other: (other, one)])
@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ({"tip_version_range": ">=TIP-1.1"}, "tip.capability.version-mismatch"),
        ({"removed_at": "TIP-1.0"}, "tip.capability.version-mismatch"),
        ({"removed_at": "TIP-0.9"}, "tip.capability.version-mismatch"),
        ({"requires_peer_capabilities": ("tip.preview.local",)}, "tip.capability.missing-required"),
        ({"requires_profile": ("tip-companion", "tip-plugin")}, "tip.capability.missing-required"),
    ],
)
def test_a_condition_that_is_not_met_refuses_whoever_asks(turn, wants, expected):
    outcome = negotiate(*turn(TOKENPAK, peer(wants=wants)))
    assert code(outcome) == expected
    assert "peer" in outcome.message
    assert "tokenpak" in outcome.message


def test_a_peer_of_another_major_version_is_refused():
    assert code(negotiate(TOKENPAK, peer(tip_version="TIP-2.0"))) == "tip.capability.version-mismatch"
    assert isinstance(negotiate(TOKENPAK, peer(tip_version="TIP-1.7")), Agreed)


def test_conditions_that_are_met_and_wishes_that_are_not():
    wants = {
        "requires_peer_capabilities": LABELS,
        "requires_profile": ("tip-proxy",),
        "optional_peer_capabilities": ("tip.preview.local",),
        "removed_at": "TIP-1.1",
    }
    assert isinstance(negotiate(TOKENPAK, peer(wants=wants)), Agreed)


def test_what_is_missing_is_named():
    outcome = negotiate(TOKENPAK, peer(wants={"requires_peer_capabilities": ("tip.a", LABELS[0], "tip.b")}))
    assert isinstance(outcome, ErrorEnvelope)
    assert outcome.details == {"missing": ["tip.a", "tip.b"]}


@pytest.mark.parametrize(("since", "warned"), [("TIP-1.0", True), ("TIP-0.9", True), ("TIP-1.1", False)])
def test_what_is_out_of_use_is_a_warning(since, warned):
    agreed = negotiate(TOKENPAK, peer(wants={"deprecated_since": since}))
    assert isinstance(agreed, Agreed)
    assert bool(agreed.warnings) == warned


@pytest.mark.parametrize("flag", [True, False, None])
def test_a_provider_whose_billing_reads_bytes_needs_them_kept(flag):
    document = {
        "tip_version": "TIP-1.0",
        "id": "acme",
        "name": "Acme",
        "version": "1",
        "kind": "provider-profile",
        "capabilities": [],
        "compatibility": {"tip_version_range": ">=TIP-1.0"},
        "provider": {"name": "acme", "endpoint_pattern": "https://acme.example/v1"},
    }
    if flag is not None:
        document["provider"]["billing_routing_depends_on_body_bytes"] = flag
    profile = read_manifest(json.dumps(document).encode())
    assert isinstance(profile, ProviderProfile)
    side = component(profile, None)
    assert isinstance(negotiate(TOKENPAK, side), Agreed)
    careless = msgspec.structs.replace(TOKENPAK, capabilities=())
    assert isinstance(negotiate(careless, side), ErrorEnvelope) == bool(flag)
