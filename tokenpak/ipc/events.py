"""The two telemetry events a front sends to the writer. Each carries only what its moment knows; the writer merges them.

Missing is None, never 0. Times are nanoseconds since the epoch; durations are milliseconds.
"""

from typing import Literal

import msgspec

from tokenpak.core.ledger import Used
from tokenpak.core.savings import CacheOrigin, Miss, SavingLine
from tokenpak.core.usage import Usage

CloseState = Literal["done", "refused", "client_gone", "upstream_failed", "interrupted"]
"""done: the response reached its end. refused: answered here, never sent. client_gone: the client left first.
upstream_failed: no response, or one cut short. interrupted: the front died; written by the writer on adoption."""


FOUND = "found"
"""The name of secrets and personal data that were found and sent all the same: findings in the body."""
PAST_WARNING = "budget-warning"
"""The name of budgets that are past their warning: how many."""
NOTES = frozenset({FOUND, PAST_WARNING})
"""Tallies that are no edits: they stand among the passes of a row and are counted there alone."""


class RequestOpened(msgspec.Struct, frozen=True, tag="opened"):
    """A request was received and is about to be dispatched."""

    id: str
    opened_ns: int
    front: str
    method: str
    path: str
    client_request_id: str | None = None
    provider: str | None = None
    format: str | None = None
    client: str | None = None
    session: str | None = None
    model_asked: str | None = None
    stream: bool | None = None
    project: str | None = None


class PassTally(msgspec.Struct, frozen=True):
    """What one pass did in this request: edits made, tokens saved net of markers."""

    edits: int
    saved: int


class RequestClosed(msgspec.Struct, frozen=True, tag="closed"):
    """A request ended.

    compression: "worker", "planned" (the front re-applied the plan), "literal", or "unread" (never a candidate).
    reason: why compression was not "worker", one word. counter: tokenizer of the pass tallies, or "estimate".
    usage_basis: "provider" when the provider reported usage; "count" when the response answers a question for a count,
    so that nothing was used; "estimate" when no usage was told and `usage` is an output made from the size of the words
    that passed; else None. attempts: upstream requests made. web_searches: those the provider bills by the piece.
    """

    id: str
    closed_ns: int
    state: CloseState
    status: int | None = None
    error_code: str | None = None
    model_served: str | None = None
    attempts: int = 0
    usage: Usage = Usage()
    usage_basis: str | None = None
    bytes_before: int | None = None
    bytes_after: int | None = None
    bytes_response: int | None = None
    compression: str | None = None
    reason: str | None = None
    passes: dict[str, PassTally] = {}
    counter: str | None = None
    plan_hash: str | None = None
    defects: int = 0
    echo: bool = False
    queue_ms: float | None = None
    worker_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    added_ms: float | None = None
    cache_origin: CacheOrigin | None = None
    cost_nanos: int | None = None
    price_id: str | None = None
    factor: float | None = None
    expected: Used | None = None
    miss: Miss | None = None
    miss_tokens: int | None = None
    savings: tuple[SavingLine, ...] = ()
    web_searches: int | None = None


Event = RequestOpened | RequestClosed


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """An event with its identity: the front's instance UUID (16 bytes, new at every start) and a sequence number from 1."""

    front: bytes
    seq: int
    event: Event
