"""Capabilities: what a component says it can do, in words both sides know; and what TokenPak says.

A label of the protocol begins with "tip.", one of somebody's own with "ext.<namespace>.". The difficulty is honesty: a
label is a promise, and the registry's text for some of them promises what TokenPak deliberately does not do. So
`PUBLISHED` holds only what a test of behaviour stands behind (tests/conformance/test_tip_journey.py names it), and
`UNPUBLISHED` says of the others that a proxy could carry why they are not there.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from tokenpak.tip.version import VERSION

Profile = Literal["tip-proxy", "tip-companion", "tip-adapter", "tip-plugin", "tip-dashboard-consumer"]
"""What kind of component somebody is. TokenPak is a tip-proxy."""

CatalogProfile = Profile | Literal["tip-paid-local-daemon"]
"""The catalog knows one more than the protocol has rules for."""

Class = Literal["required", "optional", "profile-specific", "local-only", "passthrough-sensitive"]

LABEL_PATTERN: Final = r"^(tip|ext)\.[a-z0-9._-]+$"

Label = Annotated[str, msgspec.Meta(pattern=LABEL_PATTERN)]

_LABEL = re.compile(LABEL_PATTERN.rstrip("$"))


class Capability(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"kind": "class"}):
    """One entry of a catalog. kind: how a missing one counts."""

    id: Label
    description: str
    kind: Class
    profiles: tuple[CatalogProfile, ...] | msgspec.UnsetType = msgspec.UNSET


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Every label somebody knows."""

    tip_version: Literal["TIP-1.0"]
    labels: tuple[Capability, ...]


COMPRESSION: Final = "tip.compression.v1"
BYTES_PRESERVED: Final = "tip.byte-preserved-passthrough"
CACHE_OBSERVER: Final = "tip.cache.provider-observer"
WIRE_TELEMETRY: Final = "tip.telemetry.wire-side"

PUBLISHED: Final = Catalog(
    tip_version=VERSION,
    labels=(
        Capability(
            id=COMPRESSION,
            description="Repeated text of a request becomes a marker that names where the model has read it; the "
            "original can be had from the sent bytes alone.",
            kind="profile-specific",
            profiles=("tip-proxy",),
        ),
        Capability(
            id=BYTES_PRESERVED,
            description="A body that is not edited goes on byte for byte, and an edit changes its own characters only; "
            "no JSON is written anew.",
            kind="passthrough-sensitive",
            profiles=("tip-proxy",),
        ),
        Capability(
            id=CACHE_OBSERVER,
            description="Hits of a provider's cache are read from its usage and reported as the client's, never as "
            "those of a cache of TokenPak's own.",
            kind="required",
            profiles=("tip-proxy",),
        ),
        Capability(
            id=WIRE_TELEMETRY,
            description="Each request leaves one row, from which its telemetry event is made.",
            kind="required",
            profiles=("tip-proxy",),
        ),
    ),
)

UNPUBLISHED: Final = {
    "tip.cache.proxy-managed": "TokenPak places cache marks, but credits their hits to the provider's cache; the label "
    "would have them called the proxy's.",
    "tip.cache.ttl-ordering": "TokenPak's own marks keep the order, but a client's mark is never taken away.",
    "tip.routing.classifier.v1": "Requests are told apart by provider, format and client, not by the catalog's classes.",
    "tip.routing.fallback-chain": "There is no fallback to another provider yet.",
    "tip.security.dlp-redaction": "Nothing is promised about secrets in bodies under this label.",
    "tip.security.header-allowlist": "All headers but those of one hop, and TokenPak's own, pass as they came.",
    "tip.intent.contract-headers-v1": "TokenPak does not guess at intents, and no header of its own reaches a provider.",
}
"""Labels of the catalog for a tip-proxy that TokenPak does not publish, and why."""

LABELS: Final = tuple(capability.id for capability in PUBLISHED.labels)
"""What TokenPak publishes, in order."""

_NEEDED: dict[Profile, tuple[str, ...]] = {
    "tip-proxy": (COMPRESSION, CACHE_OBSERVER, WIRE_TELEMETRY),
    "tip-companion": ("tip.preview.local", "tip.companion.prompt-packaging"),
    "tip-plugin": ("tip.plugin.hook-point",),
}
_ONE_NEEDED: dict[Profile, tuple[str, ...]] = {
    "tip-adapter": ("tip.adapter.client-integration", "tip.adapter.framework-bridge"),
    "tip-dashboard-consumer": ("tip.dashboard.read-only", "tip.alerts.threshold-notifier"),
}


def is_label(text: str) -> bool:
    return _LABEL.fullmatch(text) is not None


def listed(labels: Iterable[str]) -> str:
    """Labels as the value of a header."""
    return ",".join(labels)


def unlisted(value: str) -> tuple[str, ...]:
    """The labels of a header's value; blanks and empty places between them are nobody's."""
    return tuple(label for part in value.split(",") if (label := part.strip()))


def profile_gaps(profile: Profile, labels: Iterable[str]) -> tuple[str, ...]:
    """What a component with these labels lacks to be of a profile, one phrase each."""
    have = frozenset(labels)
    gaps = [f"{profile} needs {label}" for label in _NEEDED.get(profile, ()) if label not in have]
    choice = _ONE_NEEDED.get(profile, ())
    if choice and have.isdisjoint(choice):
        gaps.append(f"{profile} needs {' or '.join(choice)}")
    return tuple(gaps)
