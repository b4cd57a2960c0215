"""Who may come in. TokenPak listens on the loopback interface; what remains to be kept out is the user's own browser,
and on a machine that is shared, whoever has no token.

A web page can make its visitor's browser send requests to 127.0.0.1, and by letting its own name point there (DNS
rebinding) it can even read the answers. Both show in headers that a browser sets and a page cannot forge: `host` then
names the page's site, `origin` is the page's. Command line clients and editors send neither a foreign host nor a web
origin, so they pass; the difficulty is to name what is foreign without locking out their odd but harmless values.
"""

import hashlib
import hmac
from collections.abc import Mapping

from tokenpak.core.headers import tokens
from tokenpak.core.refusal import Refuse

OWN_NAMES = frozenset(
    {
        b"localhost",
        b"ip6-localhost",
        b"host.docker.internal",
        b"gateway.docker.internal",
        b"host.containers.internal",
        b"host.lima.internal",
    }
)
"""Names of this machine: its own, and those container engines give it. None of them can be had in the public DNS."""

TOKEN_HEADER = b"x-tokenpak-token"
"""Where a client shows its token. A name of our own: a provider's credential is never looked at, and this never leaves."""

_WEB = (b"http://", b"https://")


def admit(values: Mapping[bytes, bytes]) -> Refuse | None:
    """None lets a request in. values: first value of each header, by lower-case name."""
    if b"host" in values and not _is_own(values[b"host"]):
        return Refuse("foreign_host", values[b"host"].decode("latin-1"))
    origin = values.get(b"origin")
    if origin is not None and not _is_harmless(origin):
        return Refuse("foreign_origin", origin.decode("latin-1"))
    # an image, a form or a link of a page: browsers send no origin with such a GET, but say whence it came
    if origin is None and values.get(b"sec-fetch-site", b"").strip().lower() == b"cross-site":
        return Refuse("foreign_origin", "unknown (cross-site)")
    if any(token.startswith(b"websocket") for token in tokens(values.get(b"upgrade"))):
        return Refuse("websocket")
    return None


def holder_of(values: Mapping[bytes, bytes], hashes: Mapping[str, str]) -> str | None:
    """Whose token the request shows; None: nobody's. hashes: SHA-256 of each token in hexadecimal, by its holder.

    Every hash is compared, and each in constant time: how long it takes tells nothing about any of them.
    """
    shown = hashlib.sha256(values.get(TOKEN_HEADER, b"")).hexdigest()
    holder = None
    for name, known in hashes.items():
        if hmac.compare_digest(shown, known):
            holder = name
    return holder


def _is_harmless(origin: bytes) -> bool:
    """Editors and desktop shells have origins of their own schemes, which no web page can take on. `null` is refused:
    any page obtains it with a sandboxed frame.
    """
    origin = origin.lower()
    for scheme in _WEB:
        if origin.startswith(scheme):
            return _is_own(origin[len(scheme) :])
    return b"://" in origin


def _is_own(authority: bytes) -> bool:
    """Whether `host[:port]` names this machine by a name that nobody else can claim."""
    host = authority.strip().lower()
    if host.startswith(b"["):
        return host.partition(b"]")[0] == b"[::1"
    host = host.partition(b":")[0].rstrip(b".")
    if not host or host in OWN_NAMES or host.endswith(b".localhost"):
        return True
    octets = host.split(b".")
    return len(octets) == 4 and octets[0] == b"127" and all(octet.isdigit() for octet in octets)
