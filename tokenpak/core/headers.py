"""Which header lines belong to one connection, which belong to TokenPak, and which pass through as they came.

A proxy must take away what was said between two neighbours only (RFC 9110 section 7.6.1) and nothing else: order, case,
duplicates, empty values and odd bytes of every other line are the client's and the provider's own. The difficulty is
framing: `content-length` and `transfer-encoding` describe the body of one hop, so they pass only as long as the body
passes in the same frame.
"""

from collections.abc import Iterable, Mapping

Line = tuple[bytes, bytes]
"""A header line: name as written, value without surrounding blanks."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
    }
)
"""Dropped both ways. `transfer-encoding` is not among them: see `forwarded` and `relayed`."""

OWN_PREFIXES = (b"x-tokenpak-", b"x-tpk-")
"""Words between a client and TokenPak; a provider never sees them."""

LISTS = frozenset({b"connection", b"content-encoding", b"upgrade"})
"""Headers read here whose lines add up to one list."""

_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})
"""Not to be nominated away by a `connection` line: the message would lose its end or its addressee."""


def first_values(lines: Iterable[Line]) -> dict[bytes, bytes]:
    """The first value of each header, by lower-case name; lines of `LISTS` are joined, as every one of them counts."""
    found: dict[bytes, bytes] = {}
    for name, value in lines:
        low = name.lower()
        if low not in found:
            found[low] = value
        elif low in LISTS:
            found[low] += b"," + value
    return found


def tokens(value: bytes | None) -> set[bytes]:
    """The members of a comma-separated list, in lower case."""
    return {token.strip().lower() for token in value.split(b",")} if value else set()


def forwarded(lines: Iterable[Line], values: Mapping[bytes, bytes], host: bytes) -> list[Line]:
    """A request's lines as the provider gets them, framed as the client framed them; `values` are its `first_values`.

    `expect: 100-continue` was answered here. A length beside `transfer-encoding` is dropped: two readers could
    disagree about where the body ends.
    """
    dropped = _dropped(values)
    if b"transfer-encoding" in values:
        dropped.add(b"content-length")
    if values.get(b"expect", b"").lower() == b"100-continue":
        dropped.add(b"expect")
    kept: list[Line] = []
    for line in lines:
        low = line[0].lower()
        if low == b"host":
            kept.append((line[0], host))
        elif low not in dropped and not low.startswith(OWN_PREFIXES):
            kept.append(line)
    if b"host" not in values:  # HTTP/1.0 allows that; HTTP/1.1 to the provider does not
        kept.insert(0, (b"Host", host))
    return kept


def resized(lines: Iterable[Line], length: int) -> list[Line]:
    """The lines for a body that was edited: its new length, and no coding, since it goes out as plain bytes."""
    return [
        (line[0], b"%d" % length) if low == b"content-length" else line
        for line in lines
        if (low := line[0].lower()) != b"content-encoding"
    ]


def relayed(lines: Iterable[Line], own: list[Line]) -> list[Line]:
    """A response's lines as the client gets them, with our `own` behind them.

    `transfer-encoding` is said anew for the client's connection; lines with the names of `own` came from another
    TokenPak further up and would contradict ours.
    """
    lines = list(lines)
    values = first_values(lines)
    dropped = _dropped(values)
    if b"transfer-encoding" in values:
        dropped |= {b"transfer-encoding", b"content-length"}
    dropped.update(name.lower() for name, _ in own)
    return [line for line in lines if line[0].lower() not in dropped] + own


def _dropped(values: Mapping[bytes, bytes]) -> set[bytes]:
    nominated = tokens(values.get(b"connection"))
    return (nominated - _FRAMING) | HOP_BY_HOP
