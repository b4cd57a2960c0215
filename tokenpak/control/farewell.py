"""Sessions that would miss TokenPak: those whose whole text may no longer fit their model's window.

A client keeps its conversation as it wrote it; what was sent was shorter. Once nobody shortens it any more, a long session
may be refused by its provider. How large the window of a model is stands nowhere here, so one size is taken for all of
them, and the answer is a "may". What the provider counted and what was saved together are the original, both in tokens.
"""

import time

import msgspec

from tokenpak.core.cost import input_tokens
from tokenpak.telemetry.queries import Filter, Reader, StoredRequest

WINDOW = 180_000
"""Tokens beyond which a conversation is taken not to fit: what the front assumes as well (services/dispatch), a little below
the 200,000 that many models take. A model with more has room left, and one with less would have been shortened by its client.
"""

LIVE_NS = 24 * 3600 * 10**9
"""A session that has said nothing for longer is not expected to go on."""

LOOKED_AT = 1000


class LongSession(msgspec.Struct, frozen=True):
    """A session and about how many tokens its latest request would have had, of which `sent_tokens` were sent."""

    session: str
    client: str | None
    model: str | None
    sent_tokens: int
    original_tokens: int


def long_sessions(reader: Reader, now_ns: int | None = None) -> tuple[LongSession, ...]:
    """Live sessions whose original may not fit, the longest first. Raises StoreUnreadableError."""
    since = (now_ns or time.time_ns()) - LIVE_NS
    latest: dict[str, LongSession | None] = {}
    for row in reader.newest(LOOKED_AT, which=Filter(since_ns=since)):
        if row.session is not None and row.session not in latest:
            latest[row.session] = _long(row, row.session)
    found = [each for each in latest.values() if each is not None]
    return tuple(sorted(found, key=lambda each: -each.original_tokens))


def _long(row: StoredRequest, session: str) -> LongSession | None:
    if row.usage.uncached is None:
        return None
    sent = input_tokens(row.usage)
    saved = next((line.tokens for line in row.savings if line.mechanism == "compression"), row.saved_tokens) or 0
    original = sent + max(0, saved)
    if original <= WINDOW or not saved:
        return None
    return LongSession(session, row.client, row.model_served or row.model_asked, sent, original)
