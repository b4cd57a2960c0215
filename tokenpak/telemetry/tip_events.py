"""TIP-1.0's telemetry event of a stored request: a pure mapping, and the place where nothing may be claimed too much.

What the store does not know is absent, or null where the protocol says so; it is never 0. Savings come from the ledger's
lines alone and are not added across causes or mechanisms: the protocol has one field for compression, which gets what
TokenPak's compression saved, and one for caches, which is read with `cache_origin` and so gets that origin's line, a
provider's cache as the client's, our own as the proxy's. A negative line has no place in fields that begin at 0. Every
line stands as it is under `ext.tokenpak`, with its basis and its spread.

An error's code is the protocol's where it has one. A word of a provider's own becomes one of ours that says so.
"""

import uuid
from datetime import UTC, datetime
from typing import Final, assert_never, get_args

import msgspec
from msgspec import UNSET, UnsetType

from tokenpak.core.refusal import Fault
from tokenpak.core.savings import Cause, Mechanism, SavingLine
from tokenpak.core.usage import Usage
from tokenpak.ipc.events import PassTally
from tokenpak.telemetry.queries import StoredRequest
from tokenpak.tip.capabilities import BYTES_PRESERVED, CACHE_OBSERVER, COMPRESSION, WIRE_TELEMETRY
from tokenpak.tip.errors import NAMESPACE, own_code
from tokenpak.tip.event import TelemetryEvent, UsageSource
from tokenpak.tip.headers import CacheOrigin
from tokenpak.tip.version import VERSION

CODES: Final[dict[Fault, str]] = {
    "websocket": "tip.transport.handshake-failed",
    "unknown_path": "tip.routing.no-provider-available",
    "upstream_unreachable": "tip.routing.all-providers-down",
    "upstream_broken": "tip.transport.connection-lost",
    "internal": "tip.internal.unexpected-error",
}
"""The protocol's codes for our words; the other words become codes of our own. "All providers" are those the request
had: one, as long as there is no fallback."""

_STATE_CODES: Final = {
    "client_gone": "tip.transport.connection-lost",
    "upstream_failed": "tip.transport.connection-lost",
}

_FAILED: Final = 400
"""HTTP statuses from here on are failures."""

_STATUS_CODES: Final = {401: "tip.auth.invalid-credentials", 429: "tip.policy.rate-limited"}
"""What a provider's status says in the protocol's words; who said it is in `ext`."""

_NANO: Final = 10**9
_MS_BITS: Final = 80
"""Bits of a UUIDv7 behind its milliseconds."""


class OwnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `ext.tokenpak`. id: TokenPak's own, which no client can repeat. Money is 10^-9 US dollars."""

    id: str
    state: str
    format: str | None
    compression: str | None
    reason: str | None
    passes: dict[str, PassTally]
    counter: str | None
    usage: Usage
    usage_basis: str | None
    web_searches: int | None
    cost_nanos: int | None
    price_id: str | None
    miss: str | None
    miss_tokens: int | None
    savings: tuple[SavingLine, ...]
    error: str | None
    """The store's own word: a provider's, where the provider said it."""


def is_over(row: StoredRequest) -> bool:
    """Whether a request has ended, and so has an event."""
    return row.state != "open"


def tip_event(row: StoredRequest) -> TelemetryEvent:
    """The event of a request that is over."""
    origin = _origin(row)
    sent = bool(row.attempts)
    usage = row.usage if row.usage_basis == "provider" else Usage()
    tokens_in, visible = _tokens_in(usage), _visible(usage)
    own = _own(row)
    compressed = _line(own.savings, "proxy", "compression")
    cached = _cache_line(own.savings, origin)
    return TelemetryEvent(
        request_id=row.client_request_id or row.id,
        timestamp=_arrival(row),
        cache_origin=origin,
        tip_version=VERSION,
        profile="tip-proxy",
        provider=row.provider if sent else None,
        model=(row.model_served or row.model_asked) if sent and row.provider else None,
        client=row.client,
        status=row.status or 0,
        error_code=_code(row),
        savings_tokens=_count(compressed),
        savings_cost=_dollars(compressed),
        savings_cache_tokens=_count(cached),
        savings_cache_cost=_dollars(cached),
        compression_ms=_or_unset(_compression_ms(row)),
        proxy_ms=_or_unset(row.added_ms),
        provider_ms=_or_unset(row.first_byte_ms),
        tokens_in=UNSET if tokens_in is None else tokens_in,
        tokens_out=UNSET if usage.output is None else usage.output,
        reasoning_tokens=usage.reasoning,
        visible_output_tokens=visible,
        total_billable_tokens=None if tokens_in is None or usage.output is None else tokens_in + usage.output,
        reasoning_usage_source=_source(row, usage),
        capabilities_negotiated=_active(row),
        ext={NAMESPACE: msgspec.to_builtins(own)},
    )


def _own(row: StoredRequest) -> OwnFacts:
    return OwnFacts(
        id=row.id,
        state=row.state,
        format=row.format,
        compression=row.compression,
        reason=row.reason,
        passes=row.passes,
        counter=row.counter,
        usage=row.usage,
        usage_basis=row.usage_basis,
        web_searches=row.web_searches,
        cost_nanos=row.cost_nanos,
        price_id=row.price_id,
        miss=row.miss,
        miss_tokens=row.miss_tokens,
        savings=row.savings,
        error=row.error_code,
    )


def _origin(row: StoredRequest) -> CacheOrigin:
    """Whose cache answered, as the row has it. Where it has nothing, a provider's did if it says that it read from it."""
    match row.cache_origin:
        case "proxy" | "client" | "unknown" as told:
            return told
    return "client" if row.usage_basis == "provider" and row.usage.cache_read else "unknown"


def _arrival(row: StoredRequest) -> str:
    """When the request came, RFC 3339 in UTC. Where its opening is not known, its id still tells the millisecond."""
    at_ns = row.opened_ns if row.opened_ns is not None else (uuid.UUID(row.id).int >> _MS_BITS) * 10**6
    seconds, rest = divmod(at_ns, _NANO)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _code(row: StoredRequest) -> str | None:
    """Why the request failed, None if it did not."""
    word = row.error_code
    if word is not None:
        for fault in get_args(Fault):
            if word == fault:
                return CODES.get(fault) or own_code(word)
    if row.status in _STATUS_CODES:
        return _STATUS_CODES[row.status]
    if word is not None:
        return own_code(word if word == "truncated" else f"provider-{word}")
    if row.state != "done":
        return _STATE_CODES.get(row.state) or own_code(row.state)
    return own_code(f"provider-{row.status}") if row.status is not None and row.status >= _FAILED else None


def _line(lines: tuple[SavingLine, ...], cause: Cause, mechanism: Mechanism) -> SavingLine | None:
    """The one line of a cause and a mechanism. Two of them would differ in their basis, and are not added."""
    found = [line for line in lines if (line.cause, line.mechanism) == (cause, mechanism)]
    return found[0] if len(found) == 1 else None


def _cache_line(lines: tuple[SavingLine, ...], origin: CacheOrigin) -> SavingLine | None:
    match origin:
        case "proxy":
            return _line(lines, "proxy", "response_cache")
        case "client":
            return _line(lines, "client", "provider_cache")
        case "unknown":
            return None
    assert_never(origin)


def _count(line: SavingLine | None) -> int | UnsetType:
    return UNSET if line is None or line.tokens is None or line.tokens < 0 else line.tokens


def _dollars(line: SavingLine | None) -> float | UnsetType:
    return UNSET if line is None or line.nanos is None or line.nanos < 0 else line.nanos / _NANO


def _or_unset(spent_ms: float | None) -> float | UnsetType:
    return UNSET if spent_ms is None else spent_ms


def _compression_ms(row: StoredRequest) -> float | None:
    """Waiting for a worker and its work; None where no worker worked."""
    return None if row.worker_ms is None else (row.queue_ms or 0.0) + row.worker_ms


def _tokens_in(usage: Usage) -> int | None:
    """The input classes a provider named, which are disjoint; None where it named none."""
    classes = (
        usage.uncached,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.cache_write_other,
    )
    known = [count for count in classes if count is not None]
    return sum(known) if known else None


def _visible(usage: Usage) -> int | None:
    if usage.output is None or usage.reasoning is None:
        return None
    return max(0, usage.output - usage.reasoning)


def _source(row: StoredRequest, usage: Usage) -> UsageSource | None:
    """Where the reasoning tokens are from. None: usage was told, and reasoning is no part of it."""
    if usage.reasoning is not None:
        return "provider_usage_object"
    return None if row.usage_basis == "provider" else "unavailable"


def _active(row: StoredRequest) -> tuple[str, ...]:
    """Which of the published capabilities were at work in this request."""
    at_work = {
        COMPRESSION: row.compression in {"worker", "planned"},
        BYTES_PRESERVED: bool(row.attempts) and not row.passes and row.bytes_before == row.bytes_after,
        CACHE_OBSERVER: row.usage_basis == "provider",
        WIRE_TELEMETRY: True,
    }
    return tuple(label for label, active in at_work.items() if active)
