"""The metadata of TIP-1.0: what travels with a request beside its headers, such as in a call on the control plane.

Every member may be missing. What is there must not contradict the headers of the same request.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from tokenpak.tip.event import Extensions
from tokenpak.tip.version import TipVersion

UNKNOWN_PROVIDER: Final = "unknown"
"""What the protocol says of a provider that nobody has a name for."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """About one request. capabilities_negotiated: on the control plane only; requests of traffic do not negotiate."""

    request_id: str | msgspec.UnsetType = msgspec.UNSET
    tip_version: TipVersion | msgspec.UnsetType = msgspec.UNSET
    profile: str | msgspec.UnsetType = msgspec.UNSET
    provider: str | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType = msgspec.UNSET
    client: str | msgspec.UnsetType = msgspec.UNSET
    session_id: str | msgspec.UnsetType = msgspec.UNSET
    capabilities_negotiated: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    ext: Extensions | msgspec.UnsetType = msgspec.UNSET


def contradictions(metadata: Metadata, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Members that say something else than the header of the same request; header names in any case."""
    low = {name.lower(): value for name, value in headers.items()}
    told = (
        ("request_id", metadata.request_id, "x-tokenpak-request-id"),
        ("tip_version", metadata.tip_version, "x-tokenpak-tip-version"),
        ("profile", metadata.profile, "x-tokenpak-profile"),
    )
    return tuple(member for member, value, name in told if value is not msgspec.UNSET and low.get(name, value) != value)
