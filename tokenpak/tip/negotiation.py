"""Negotiation: whether two components can work together, and what both of them can do.

It happens on the control plane, before anything is exchanged; a request of traffic never negotiates. It is symmetric: each
side's conditions are put to the other. The result is the intersection of what both publish, or the first condition that
is not met, as an error of the protocol that says whose it is.
"""

from typing import Final

import msgspec

from tokenpak.tip.capabilities import BYTES_PRESERVED, LABELS
from tokenpak.tip.errors import ErrorEnvelope, envelope
from tokenpak.tip.manifests import Compatibility, Manifest, ProviderProfile
from tokenpak.tip.version import RANGE, VERSION, TipVersion, numbers, within


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A side of a negotiation. name: for messages. profile: None for what has none, such as a provider."""

    name: str
    tip_version: TipVersion
    profile: str | None
    capabilities: tuple[str, ...]
    compatibility: Compatibility


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What both sides can do, in our order; and what a user should hear, one sentence each."""

    capabilities: tuple[str, ...]
    warnings: tuple[str, ...] = ()


TOKENPAK: Final = Component(
    name="tokenpak",
    tip_version=VERSION,
    profile="tip-proxy",
    capabilities=LABELS,
    compatibility=Compatibility(tip_version_range=RANGE),
)
"""What TokenPak says of itself."""


def component(manifest: Manifest, profile: str | None) -> Component:
    """The side a manifest describes. A provider whose billing looks at the body needs a peer that keeps its bytes."""
    compatibility = manifest.compatibility
    if isinstance(manifest, ProviderProfile) and manifest.provider.billing_routing_depends_on_body_bytes is True:
        needed = (*_given(compatibility.requires_peer_capabilities), BYTES_PRESERVED)
        compatibility = msgspec.structs.replace(compatibility, requires_peer_capabilities=needed)
    return Component(
        name=manifest.id,
        tip_version=manifest.tip_version,
        profile=profile,
        capabilities=manifest.capabilities,
        compatibility=compatibility,
    )


def negotiate(own: Component, peer: Component) -> Agreed | ErrorEnvelope:
    """What two sides agree on, or why they must not connect."""
    refused = _refused(own, peer) or _refused(peer, own)
    if refused is not None:
        return refused
    theirs = frozenset(peer.capabilities)
    return Agreed(
        capabilities=tuple(label for label in own.capabilities if label in theirs),
        warnings=tuple(warning for side, other in ((own, peer), (peer, own)) for warning in _warnings(side, other)),
    )


def _refused(side: Component, other: Component) -> ErrorEnvelope | None:
    """Which of a side's conditions the other does not meet."""
    wants = side.compatibility
    if not within(other.tip_version, wants.tip_version_range):
        return envelope(
            "tip.capability.version-mismatch",
            f"{side.name} speaks {wants.tip_version_range}, and {other.name} {other.tip_version}. Update one of them.",
        )
    if wants.removed_at is not msgspec.UNSET and numbers(wants.removed_at) <= numbers(other.tip_version):
        return envelope(
            "tip.capability.version-mismatch",
            f"{side.name} was withdrawn at {wants.removed_at}, and {other.name} speaks {other.tip_version}. Update it.",
        )
    missing = [label for label in _given(wants.requires_peer_capabilities) if label not in other.capabilities]
    if missing:
        return envelope(
            "tip.capability.missing-required",
            f"{side.name} needs of {other.name} what it does not publish: {', '.join(missing)}. Use one that does.",
            {"missing": missing},
        )
    profiles = _given(wants.requires_profile)
    if profiles and other.profile not in profiles:
        return envelope(
            "tip.capability.missing-required",
            f"{side.name} works with {' or '.join(profiles)}, and {other.name} is {other.profile or 'none'}. "
            "Connect it to one of those.",
        )
    return None


def _warnings(side: Component, other: Component) -> tuple[str, ...]:
    since = side.compatibility.deprecated_since
    if since is msgspec.UNSET or numbers(since) > numbers(other.tip_version):
        return ()
    return (f"{side.name} is out of use since {since}; look for what takes its place.",)


def _given(labels: tuple[str, ...] | msgspec.UnsetType) -> tuple[str, ...]:
    return () if labels is msgspec.UNSET else labels
