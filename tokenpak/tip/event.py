"""The telemetry event of TIP-1.0: one request, as anybody may read it.

Absent, null and 0 say different things here: absent is "not measured", null is "there is none", where the protocol lets
a field be null, and 0 is a measured nothing. Savings of compression and of caches stand in different fields and are never
added. `cache_origin` must be there, and is "unknown" where it is; whatever goes beyond the protocol stands under
`ext.<namespace>`, for the event is closed.
"""

from typing import Annotated, Any, Literal

import msgspec

from tokenpak.tip.headers import CacheOrigin
from tokenpak.tip.version import TipVersion

Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Moment = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
        extra_json_schema={"format": "date-time"},
    ),
]
"""RFC 3339."""

Extensions = dict[str, Any]
"""By namespace. What stands there is its owner's business."""

Effort = Literal["low", "medium", "high"]
UsageSource = Literal["provider_usage_object", "estimated", "unavailable"]


class TelemetryEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request. Costs are US dollars, `_ms` milliseconds. status 0: it ended before there was a response.

    provider and model are null for what never reached a provider. proxy_ms leaves the provider's time out, which is
    provider_ms: from sending to the first byte. tokens_in and tokens_out are what the provider billed.
    """

    request_id: str
    timestamp: Moment
    cache_origin: CacheOrigin
    tip_version: TipVersion
    profile: str | msgspec.UnsetType = msgspec.UNSET
    provider: str | msgspec.UnsetType | None = msgspec.UNSET
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    client: str | msgspec.UnsetType | None = msgspec.UNSET
    status: int | msgspec.UnsetType = msgspec.UNSET
    error_code: str | msgspec.UnsetType | None = msgspec.UNSET
    savings_tokens: Count | msgspec.UnsetType = msgspec.UNSET
    savings_cost: Amount | msgspec.UnsetType = msgspec.UNSET
    savings_cache_tokens: Count | msgspec.UnsetType = msgspec.UNSET
    savings_cache_cost: Amount | msgspec.UnsetType = msgspec.UNSET
    compression_ms: Amount | msgspec.UnsetType = msgspec.UNSET
    proxy_ms: Amount | msgspec.UnsetType = msgspec.UNSET
    provider_ms: Amount | msgspec.UnsetType = msgspec.UNSET
    tokens_in: Count | msgspec.UnsetType = msgspec.UNSET
    tokens_out: Count | msgspec.UnsetType = msgspec.UNSET
    reasoning_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    visible_output_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    total_billable_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_effort: Effort | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_usage_source: UsageSource | msgspec.UnsetType | None = msgspec.UNSET
    capabilities_negotiated: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    ext: Extensions | msgspec.UnsetType = msgspec.UNSET
