"""Identities: UUIDs of version 7 (RFC 9562 section 5.7), which sort by the time they were made.

Time and randomness come as arguments; this room has neither.
"""

RANDOM_BYTES = 10
"""How many random bytes an identity takes; six of their bits give way to version and variant."""

_TIME_BITS = 48


def uuid7(now_ms: int, random_bytes: bytes) -> str:
    """An identity for the millisecond `now_ms` since the epoch. Raises ValueError for a time or bytes out of range."""
    if not 0 <= now_ms < 1 << _TIME_BITS or len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"needs 48 bits of milliseconds and {RANDOM_BYTES} random bytes")
    low = int.from_bytes(random_bytes, "big")
    value = (now_ms << 80) | low
    value = value & ~(0xF << 76) | (0x7 << 76)  # version, in bits 48 to 51 from the left
    value = value & ~(0x3 << 62) | (0x2 << 62)  # variant, in bits 64 and 65
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
