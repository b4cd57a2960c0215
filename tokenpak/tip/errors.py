"""The error envelope of TIP-1.0: how TokenPak's own control surfaces, and nothing on the path of traffic, say no.

On that path a client reads its provider's shape (proxy/refuse.py); there the code appears only in the telemetry event.
A code of the protocol is reserved: it means the same everywhere. What has none gets one of TokenPak's own,
"ext.tokenpak.<name>", and never a "tip." code that the protocol does not have. The message names cause and next step.
"""

import re
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from tokenpak.tip.capabilities import Profile
from tokenpak.tip.version import VERSION, TipVersion

Reserved = Literal[
    "tip.auth.missing-credentials",
    "tip.auth.invalid-credentials",
    "tip.auth.refresh-failed",
    "tip.policy.budget-exceeded",
    "tip.policy.rate-limited",
    "tip.policy.dlp-redaction-required",
    "tip.routing.no-provider-available",
    "tip.routing.all-providers-down",
    "tip.compression.strategy-unknown",
    "tip.cache.write-failed",
    "tip.transport.connection-lost",
    "tip.transport.handshake-failed",
    "tip.capability.missing-required",
    "tip.capability.version-mismatch",
    "tip.manifest.invalid",
    "tip.manifest.missing-required-field",
    "tip.protocol.malformed-frame",
    "tip.protocol.unknown-method",
    "tip.internal.unexpected-error",
]

RESERVED: Final = frozenset(get_args(Reserved))

NAMESPACE: Final = "tokenpak"
"""Ours, in codes and in the `ext` of events."""

_LONGEST_NAME = 64
_OTHER = re.compile(r"[^a-z0-9.]+")


class ErrorEnvelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error. details: for whoever looks into it, never a credential. retry_after_ms: when to try again."""

    code: str
    message: str
    tip_version: TipVersion | msgspec.UnsetType = msgspec.UNSET
    profile: str | msgspec.UnsetType = msgspec.UNSET
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    details: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    retry_after_ms: Annotated[int, msgspec.Meta(ge=0)] | msgspec.UnsetType = msgspec.UNSET


def own_code(word: str) -> str:
    """A code of ours for what the protocol has no code for; `word` may be anybody's, and comes out in lower case."""
    name = _OTHER.sub("-", word.lower()).strip("-.")[:_LONGEST_NAME]
    return f"ext.{NAMESPACE}.{name or 'unnamed'}"


def envelope(code: str, message: str, details: dict[str, Any] | None = None) -> ErrorEnvelope:
    """An error of TokenPak's. Raises ValueError for a code that claims to be the protocol's and is not."""
    if code not in RESERVED and not code.startswith("ext."):
        raise ValueError(f"{code!r} is no code of TIP-1.0; one of ours begins with ext.{NAMESPACE}.")
    profile: Profile = "tip-proxy"
    return ErrorEnvelope(
        code=code,
        message=message,
        tip_version=VERSION,
        profile=profile,
        details=msgspec.UNSET if details is None else details,
    )
