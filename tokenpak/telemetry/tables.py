"""The tables of the store: one row a request, and a line for each pass that edited it.

Three kinds of columns, and nothing is in two of them: what the opening event says, what the closing event says, and what
holds them together (id, front, state). The opening may arrive last, so its columns are nullable although every request has
them. Missing is NULL, never 0. Times are nanoseconds since the epoch (`_ns`), durations milliseconds (`_ms`), sizes bytes.
No text of a request or a response is ever stored.

What passes did is a child table and not a JSON column: totals per pass are a plain GROUP BY, a new pass needs no schema
change, and retention takes the lines along with the row. It costs a short insert more, for edited requests only.

TIP's telemetry event is made from a row alone (tip_events.py). Changing a table means a migration and a new
schema.sql; tests compare all three.
"""

from sqlalchemy import Index, Table, text
from sqlmodel import Field, SQLModel

OPEN = "open"
"""State of a request that no close is known of."""
INTERRUPTED = "interrupted"
"""State of a request whose front died, or cut it off at the end of a drain."""


class Request(SQLModel, table=True):
    """A request. `id` is ours (UUIDv7), `client_request_id` the client's, which it may repeat."""

    __tablename__ = "request"
    __table_args__ = (
        Index("request_by_time", "opened_ns"),
        Index("request_open", "front", sqlite_where=text("state = 'open'")),
        Index("request_by_session", "session"),
    )

    id: str = Field(primary_key=True)
    front: str
    """Instance UUID of the front, hex: new at every start of it. With a sequence number it names an event."""
    state: str
    """OPEN, or the state of the closing event (ipc.events.CloseState)."""

    opened_seq: int | None = None
    opened_ns: int | None = None
    method: str | None = None
    path: str | None = None
    client_request_id: str | None = None
    provider: str | None = None
    format: str | None = None
    client: str | None = None
    session: str | None = None
    model_asked: str | None = None
    stream: bool | None = None

    closed_seq: int | None = None
    """NULL while open, and when the writer closed the row because its front was gone."""
    closed_ns: int | None = None
    """NULL, too, when the front was gone: nobody knows when it ended."""
    status: int | None = None
    error_code: str | None = None
    model_served: str | None = None
    attempts: int | None = None
    tokens_uncached: int | None = None
    tokens_cache_read: int | None = None
    tokens_cache_write_5m: int | None = None
    tokens_cache_write_1h: int | None = None
    tokens_cache_write_other: int | None = None
    tokens_output: int | None = None
    tokens_reasoning: int | None = None
    """Token classes are disjoint, but for reasoning, which lies inside output."""
    usage_basis: str | None = None
    bytes_before: int | None = None
    bytes_after: int | None = None
    bytes_response: int | None = None
    compression: str | None = None
    reason: str | None = None
    edits: int | None = None
    saved_tokens: int | None = None
    """Sums over the passes, planned edits included."""
    counter: str | None = None
    plan_hash: str | None = None
    defects: int | None = None
    echo: bool | None = None
    queue_ms: float | None = None
    worker_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    added_ms: float | None = None

    project: str | None = None
    cache_origin: str | None = None
    cost_nanos: int | None = None
    """What the response cost, in nano-dollars; NULL where its model has no price or usage was not reported."""
    price_id: str | None = None
    """The price table behind every `nanos` of the row: its date and hash."""
    factor: float | None = None
    """The model's tokens for one of the counter's, as it was known when the savings were worked out."""
    expected_uncached: int | None = None
    expected_cache_read: int | None = None
    expected_cache_write_5m: int | None = None
    expected_cache_write_1h: int | None = None
    expected_cache_write_other: int | None = None
    """What the cache model made of the request as it was sent, in the model's tokens."""
    miss: str | None = None
    miss_tokens: int | None = None
    """Who caused it that a prefix was not read which should have been there, and its tokens."""
    web_searches: int | None = None
    """Searches of the web that the provider told of and bills by the piece."""


class PassLine(SQLModel, table=True):
    """What one pass did in one request: edits made, tokens saved net of markers."""

    __tablename__ = "pass_tally"
    __table_args__ = ({"sqlite_with_rowid": False},)

    request_id: str = Field(primary_key=True, foreign_key="request.id", ondelete="CASCADE")
    name: str = Field(primary_key=True)
    edits: int
    saved: int


class Saving(SQLModel, table=True):
    """What one mechanism saved in one request, and who caused that; below zero, what it cost. Lines are never added up
    across causes or mechanisms.
    """

    __tablename__ = "saving"
    __table_args__ = ({"sqlite_with_rowid": False},)

    request_id: str = Field(primary_key=True, foreign_key="request.id", ondelete="CASCADE")
    cause: str = Field(primary_key=True)
    mechanism: str = Field(primary_key=True)
    basis: str
    tokens: int | None = None
    nanos: int | None = None
    spread_nanos: int | None = None


class RequestQuarter(SQLModel, table=True):
    """Sums over the requests of a quarter of an hour, kept by triggers (migrations/versions/v0002_money.py).

    quarter: since the epoch. '' is an unknown client, model or project. priced: with a cost; unpriced: with usage and no
    price; unreported: answered without usage. tokens: what providers reported, `reported` times. expected, found: what
    the cache model said and what the provider said, in the `compared` requests for which both did.
    """

    __tablename__ = "request_quarter"
    __table_args__ = ({"sqlite_with_rowid": False},)

    quarter: int = Field(primary_key=True)
    client: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    project: str = Field(primary_key=True)
    requests: int
    priced: int
    unpriced: int
    unreported: int
    reported: int
    compared: int
    cost_nanos: int | None = None
    tokens_uncached: int | None = None
    tokens_cache_read: int | None = None
    tokens_cache_write_5m: int | None = None
    tokens_cache_write_1h: int | None = None
    tokens_cache_write_other: int | None = None
    tokens_output: int | None = None
    tokens_reasoning: int | None = None
    expected_uncached: int | None = None
    expected_cache_read: int | None = None
    expected_cache_write_5m: int | None = None
    expected_cache_write_1h: int | None = None
    expected_cache_write_other: int | None = None
    found_uncached: int | None = None
    found_cache_read: int | None = None
    found_cache_write_5m: int | None = None
    found_cache_write_1h: int | None = None
    found_cache_write_other: int | None = None


class SavingQuarter(SQLModel, table=True):
    """Sums over the lines of savings of a quarter of an hour, by the same keys. unpriced: lines without nanos."""

    __tablename__ = "saving_quarter"
    __table_args__ = ({"sqlite_with_rowid": False},)

    quarter: int = Field(primary_key=True)
    client: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    project: str = Field(primary_key=True)
    cause: str = Field(primary_key=True)
    mechanism: str = Field(primary_key=True)
    basis: str = Field(primary_key=True)
    requests: int
    unpriced: int
    tokens: int | None = None
    nanos: int | None = None
    spread_nanos: int | None = None


REQUESTS: Table = SQLModel.metadata.tables["request"]
PASS_LINES: Table = SQLModel.metadata.tables["pass_tally"]
SAVINGS: Table = SQLModel.metadata.tables["saving"]
REQUEST_QUARTERS: Table = SQLModel.metadata.tables["request_quarter"]
SAVING_QUARTERS: Table = SQLModel.metadata.tables["saving_quarter"]
