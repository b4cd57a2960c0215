"""Base URLs in client settings: what one of ours looks like, and which of others may be kept on disk.

What a client's file held must come back to the byte, so it goes into the journal; a URL that carries a password or a key
must not. Such a value is refused before anything is written.
"""

import ipaddress
import re
from urllib.parse import urlsplit

_REFERENCE = re.compile(r"\$\w+|\$\{\w+\}|\{env:\w+\}|\$\{\{ ?[\w.]+ ?\}\}")
"""How files refer to a variable instead of holding its value."""


def origin(url: str) -> str | None:
    """Scheme, host and port of a URL; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}:{port or standard}"


def plain(url: str) -> str:
    """A URL without what it may carry besides a place; what is none is not shown at all."""
    place = origin(url)
    return "(not a URL)" if place is None else place + urlsplit(url).path


def is_loopback(url: str) -> bool:
    """Whether a URL calls this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_place(url: str, other: str) -> bool:
    """Whether two URLs call the same port of the same host; the names of this machine are one."""
    mine, theirs = origin(url), origin(other)
    if mine is None or theirs is None:
        return False
    if is_loopback(url) and is_loopback(other):
        return mine.rsplit(":", 1)[1] == theirs.rsplit(":", 1)[1]
    return mine == theirs


def may_be_kept(value: str) -> bool:
    """Whether a value is a plain base URL or a reference to a variable: nothing that could be a secret."""
    if not value or _REFERENCE.fullmatch(value):
        return True
    if origin(value) is None:
        return False
    parts = urlsplit(value)
    return not (parts.username or parts.password or parts.query or parts.fragment)
