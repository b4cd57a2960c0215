"""The TIP-1.0 headers of a request and of a response, and the identity of a request among its headers.

Names are in lower case on the way to ASGI, and in the protocol's own case for readers; HTTP compares them without case.
The difficulty is the identity: the client's must come back unchanged, so it is taken only as far as it can be given back,
and it may repeat, so it is never a key. `cache_origin` says whose cache answered: "proxy" means a cache of TokenPak's own
and nothing else, "client" a provider's cache known to have answered; what is not known when the head is sent is
"unknown".

A response of TokenPak's says nothing of savings: when its head is sent the provider has not billed yet, and a saving is
the difference of two bills. The protocol lets those headers be absent for that; the telemetry event has the figures.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec

from tokenpak.tip.capabilities import LABELS, Profile, is_label, listed, unlisted
from tokenpak.tip.version import VERSION, TipVersion

CacheOrigin = Literal["proxy", "client", "unknown"]
Direction = Literal["request", "response"]

TIP_VERSION: Final = b"x-tokenpak-tip-version"
PROFILE: Final = b"x-tokenpak-profile"
REQUEST_ID: Final = b"x-tokenpak-request-id"
CACHE_ORIGIN: Final = b"x-tokenpak-cache-origin"
CAPABILITY: Final = b"x-tokenpak-capability"
COMPRESSION_MS: Final = b"x-tokenpak-compression-ms"

_OPAQUE_ID = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
"""Visible ASCII, blanks inside, 256 characters at most: what every HTTP implementation gives back as it came."""

_Decimal = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)?$")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$")]

_CANONICAL = {
    "tip_version": "X-TokenPak-TIP-Version",
    "profile": "X-TokenPak-Profile",
    "capability": "X-TokenPak-Capability",
    "cache_origin": "X-TokenPak-Cache-Origin",
    "savings_tokens": "X-TokenPak-Savings-Tokens",
    "savings_cost": "X-TokenPak-Savings-Cost",
    "request_id": "X-TokenPak-Request-Id",
    "compression_ms": "X-TokenPak-Compression-Ms",
    "intent_class": "X-TokenPak-Intent-Class",
    "intent_confidence": "X-TokenPak-Intent-Confidence",
    "intent_subtype": "X-TokenPak-Intent-Subtype",
    "contract_risk": "X-TokenPak-Contract-Risk",
    "contract_id": "X-TokenPak-Contract-Id",
}

_REQUIRED: dict[Direction, tuple[str, ...]] = {
    "request": ("X-TokenPak-TIP-Version", "X-TokenPak-Profile", "X-TokenPak-Request-Id"),
    "response": ("X-TokenPak-TIP-Version", "X-TokenPak-Cache-Origin", "X-TokenPak-Request-Id"),
}


class Headers(msgspec.Struct, frozen=True, kw_only=True, rename=_CANONICAL):
    """The protocol's headers of one message, by their own names. Others may stand beside them.

    savings_cost: US dollars. The intent and contract headers need the capability tip.intent.contract-headers-v1, which
    TokenPak does not publish: it sends none of them.
    """

    tip_version: TipVersion | msgspec.UnsetType = msgspec.UNSET
    profile: str | msgspec.UnsetType = msgspec.UNSET
    capability: str | msgspec.UnsetType = msgspec.UNSET
    cache_origin: CacheOrigin | msgspec.UnsetType = msgspec.UNSET
    savings_tokens: Annotated[str, msgspec.Meta(pattern=r"^[0-9]+$")] | msgspec.UnsetType = msgspec.UNSET
    savings_cost: _Decimal | msgspec.UnsetType = msgspec.UNSET
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    compression_ms: _Decimal | msgspec.UnsetType = msgspec.UNSET
    intent_class: _Word | msgspec.UnsetType = msgspec.UNSET
    intent_confidence: Annotated[str, msgspec.Meta(pattern=r"^(0(\.[0-9]+)?|1(\.0+)?)$")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    intent_subtype: _Word | msgspec.UnsetType = msgspec.UNSET
    contract_risk: Literal["low", "medium", "high"] | msgspec.UnsetType = msgspec.UNSET
    contract_id: str | msgspec.UnsetType = msgspec.UNSET


def response_headers(
    request_id: str, profile: Profile, cache_origin: CacheOrigin, labels: Iterable[str] = LABELS
) -> list[tuple[bytes, bytes]]:
    """The headers every response carries. request_id: the client's own, else one made here (ASCII)."""
    return [
        (TIP_VERSION, VERSION.encode()),
        (PROFILE, profile.encode()),
        (REQUEST_ID, request_id.encode("ascii")),
        (CACHE_ORIGIN, cache_origin.encode()),
        (CAPABILITY, listed(labels).encode("ascii")),
    ]


def request_headers(request_id: str, profile: Profile, labels: Iterable[str] = ()) -> list[tuple[bytes, bytes]]:
    """The headers of a request by a program that speaks TIP, such as a tool with an SDK. request_id: ASCII."""
    lines = [
        (TIP_VERSION, VERSION.encode()),
        (PROFILE, profile.encode()),
        (REQUEST_ID, request_id.encode("ascii")),
    ]
    value = listed(labels)
    return [*lines, (CAPABILITY, value.encode("ascii"))] if value else lines


def compression_line(spent_ms: float) -> tuple[bytes, bytes]:
    """How long a request waited for compression, to the microsecond: a decimal without an exponent."""
    return COMPRESSION_MS, f"{spent_ms:.3f}".encode()


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The identity a client gave its request (the first, if there are several), None if there is none to give back."""
    for name, value in headers:
        if name.lower() == REQUEST_ID:
            return value.decode("ascii") if _OPAQUE_ID.fullmatch(value) else None
    return None


def canonical(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The protocol's headers among lines as HTTP has them, by their own names; of several the first."""
    names = {name.lower(): name for name in _CANONICAL.values()}
    found: dict[str, str] = {}
    for line in lines:
        name = names.get(line[0].decode("latin-1").lower())
        if name is not None:
            found.setdefault(name, line[1].decode("latin-1"))
    return found


def faults(headers: Mapping[str, str], direction: Direction) -> tuple[str, ...]:
    """What the protocol finds wrong with the headers of a message, one phrase each; names in any case."""
    own = canonical((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
    found = [f"{name} is missing" for name in _REQUIRED[direction] if name not in own]
    for name, value in own.items():
        try:
            msgspec.convert({name: value}, Headers)
        except msgspec.ValidationError:
            found.append(f"{name} is not of its form")
    labels = unlisted(own.get("X-TokenPak-Capability", ""))
    return tuple(found + [f"{label!r} is no label" for label in labels if not is_label(label)])
