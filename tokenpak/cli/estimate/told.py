"""An estimate as it is told: the values that JSON, CSV, the tables and the page are made from, and what is not known.

The difficulty is to say less than the figures seem to say: a log shows neither the system prompt nor the tools, a saving is
the ledger's word, and a price is today's. Each of these is a sentence here, with its numbers, and every form shows them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from tokenpak.cli.estimate.rows import Counts, Line, Row, Summary, Worst, summed

NEAR = 0.02
"""A difference of cache reads, as a share of all input, that is worth no words."""


class Session(msgspec.Struct, frozen=True):
    """A session as it is told. Money in nano-dollars, null where none of its requests has a price; shares are fractions.

    began: in UTC. missing: tokens, by size, that stood in for the system prompt and the tools. worst: the moment at which it
    stood worst, by compression.
    """

    session: str
    agent: str
    began: str | None
    models: tuple[str, ...]
    conversations: int
    requests: int
    edited: int
    with_usage: int
    with_total: int
    tokens: int
    removed: int
    token_share: float
    largest: int
    largest_removed: int
    missing: int
    unpriced: int
    bill_nanos: int | None
    saved_nanos: int | None
    spread_nanos: int | None
    bill_share: float | None
    worst: Worst
    lines: tuple[Line, ...]


class Basis(msgspec.Struct, frozen=True):
    """What the figures rest on. prices: id of the table. head: tokens taken for a head whose size nothing tells."""

    counter: str
    prices: str
    head: int = 0
    model: str = ""


class Estimate(msgspec.Struct, frozen=True):
    """All of it. unknown: sentences on what the figures cannot know."""

    summary: Summary
    sessions: tuple[Session, ...]
    counts: Counts
    basis: Basis
    unknown: tuple[str, ...]


def estimate(rows: Sequence[Row], counts: Counts, basis: Basis) -> Estimate:
    """What is told of these rows."""
    unknown = tuple(_unknown(rows, counts, basis))
    return Estimate(summed(rows), tuple(map(_session, rows)), counts, basis, unknown)


def _session(row: Row) -> Session:
    began = datetime.fromtimestamp(row.began, UTC) if row.began is not None else None
    return Session(
        session=row.session,
        agent=row.agent,
        began=began.strftime("%Y-%m-%dT%H:%M:%SZ") if began else None,
        models=tuple(sorted(model for model in row.models if model)),
        conversations=len(row.conversations),
        requests=row.requests,
        edited=row.edited,
        with_usage=row.with_usage,
        with_total=row.with_total,
        tokens=row.tokens,
        removed=row.removed,
        token_share=row.token_share,
        largest=row.largest,
        largest_removed=row.largest_removed,
        missing=row.missing,
        unpriced=row.unpriced,
        bill_nanos=row.bill_nanos if row.priced else None,
        saved_nanos=row.saved_nanos if row.priced else None,
        spread_nanos=row.spread_nanos if row.priced else None,
        bill_share=row.bill_share,
        worst=row.worst,
        lines=tuple(row.lines[key] for key in sorted(row.lines)),
    )


def _unknown(rows: Sequence[Row], counts: Counts, basis: Basis) -> Iterator[str]:
    yield from _of_heads(rows, basis)
    yield from _of_money(rows, counts, basis)
    if counts.untimed:
        yield f"{counts.untimed:,} requests have no time in the log: they are taken to come 20 seconds apart, caches still warm."
    if basis.counter == "estimate":
        yield (
            "No tokenizer vocabulary is on this machine, so edits are weighed by bounds and savings come out too low. "
            "Run `tokenpak vocabulary fetch` once, then this again."
        )
    yield from _of_files(counts)
    yield (
        "Logs do not show what a client adds on the way: reminders, marks for the cache, thinking it drops. Anthropic's clients "
        "are taken to mark their head and their last message; for one that does not, TokenPak's own marks would save far more."
    )
    yield (
        "Whether a model answers as well, and whether it reads again what a marker stands for, no replay can tell: "
        "`tokenpak verify-meaning` asks your model."
    )


def _of_heads(rows: Sequence[Row], basis: Basis) -> Iterator[str]:
    """The system prompt and the tools."""
    told = [row for row in rows if row.with_usage or row.with_total]
    blind = len(rows) - len(told)
    if told:
        sizes = sorted(row.missing for row in told)
        yield (
            f"System prompt and tools are not in the logs. For {len(told):,} sessions their size follows from what the provider "
            f"counted ({sizes[0]:,} to {sizes[-1]:,} tokens that the log does not show, median {sizes[len(sizes) // 2]:,}); "
            "something of that size, never edited, stands in for them."
        )
    if blind:
        taken = (
            f"as {basis.head:,} tokens (--head)" if basis.head else "as nothing, which flatters the shares (see --head)"
        )
        yield f"{blind:,} sessions hold no count of the provider's: what is missing of their heads is taken {taken}."


def _of_money(rows: Sequence[Row], counts: Counts, basis: Basis) -> Iterator[str]:
    requests, known = sum(row.requests for row in rows), sum(row.with_usage for row in rows)
    if known:
        yield (
            f"{known:,} of {requests:,} requests have the provider's usage in the log. It is taken for that of the ORIGINAL: it is "
            "their bill, and teaches what tokens are worth. What was saved is the ledger's estimate."
        )
    if known < requests:
        yield f"The bill of {requests - known:,} requests is the ledger's estimate: no usage by class stands in the log."
    yield f"Prices are those of today ({basis.prices}), whatever held then; output is in no figure, being the same."
    if counts.reported_input:
        expected, reported = (each / counts.reported_input for each in (counts.expected_read, counts.reported_read))
        apart = " Savings lean on that expectation." if abs(expected - reported) > NEAR else ""
        yield (
            f"The ledger expected {expected:.1%} of that input to be read from a cache; providers reported {reported:.1%}.{apart}"
        )


def _of_files(counts: Counts) -> Iterator[str]:
    if counts.broken:
        words = ", ".join(f"{count:,} x {why}" for why, count in sorted(counts.broken.items()))
        yield f"Not read, being broken or too long: {words}."
    if counts.unread:
        yield f"{counts.unread:,} requests could not be put together from the log and are in no figure."
    if counts.copied:
        yield f"{counts.copied:,} answers stand in more than one file (resumed or forked sessions) and are counted once."
    if counts.compactions:
        yield f"{counts.compactions:,} compactions: the requests that wrote the summaries are not in the logs."
