"""The TIP-1.0 headers on a response, and the request's identity among a request's headers.

Names are in lower case, as ASGI wants them; HTTP compares them without case. The difficulty is the identity: the
client's must come back unchanged, so it is taken only as far as it can be given back, and it may repeat, so it is never
a key. `cache_origin` says whose cache answered: "proxy" means a cache of TokenPak's own and nothing else, "client" a
provider's cache known to have answered; what is not known when the head is sent is "unknown".
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

VERSION: Final = "TIP-1.0"

Profile = Literal["tip-proxy", "tip-companion", "tip-adapter", "tip-plugin", "tip-dashboard-consumer"]
CacheOrigin = Literal["proxy", "client", "unknown"]

TIP_VERSION: Final = b"x-tokenpak-tip-version"
PROFILE: Final = b"x-tokenpak-profile"
REQUEST_ID: Final = b"x-tokenpak-request-id"
CACHE_ORIGIN: Final = b"x-tokenpak-cache-origin"

_OPAQUE_ID = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
"""Visible ASCII, blanks inside, 256 characters at most: what every HTTP implementation gives back as it came."""


def response_headers(request_id: str, profile: Profile, cache_origin: CacheOrigin) -> list[tuple[bytes, bytes]]:
    """The headers every response carries. request_id: the client's own, else one made here (ASCII)."""
    return [
        (TIP_VERSION, VERSION.encode()),
        (PROFILE, profile.encode()),
        (REQUEST_ID, request_id.encode("ascii")),
        (CACHE_ORIGIN, cache_origin.encode()),
    ]


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The identity a client gave its request (the first, if there are several), None if there is none to give back."""
    for name, value in headers:
        if name.lower() == REQUEST_ID:
            return value.decode("ascii") if _OPAQUE_ID.fullmatch(value) else None
    return None
