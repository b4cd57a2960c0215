"""`tokenpak show`: the whole arithmetic of one request, so that it can be checked by hand.

The prices are looked up again in the table in force. A row names the table its money was told by; where that is another
one by now, today's prices would explain nothing, and none are shown.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from tokenpak.cli import sheet
from tokenpak.cli.commands.requests import moment
from tokenpak.cli.options import Switch, running_settings
from tokenpak.cli.sheet import UNKNOWN, Sheet, grid, money, number
from tokenpak.config import prices
from tokenpak.core.cost import Line, lines, total
from tokenpak.core.ledger import Used
from tokenpak.telemetry.ingest import EXPECTED
from tokenpak.telemetry.queries import Reader, StoredRequest, StoreUnreadableError


class Told(msgspec.Struct, frozen=True):
    """A request and its bill. bill: None where it cannot be told; why_no_bill says why."""

    request: StoredRequest
    bill: tuple[Line, ...] | None
    why_no_bill: str | None


def show(request: str, /, *, json: Switch = False, csv: Switch = False, state_dir: Path | None = None) -> int:
    """Show the whole arithmetic of one request.

    How it was billed, what was saved in it, and what its provider's cache was expected to do.

    Parameters
    ----------
    request
        The request's id, or so much of its beginning that it names one.
    json
        Print everything as JSON; money in nano-dollars, prices in pico-dollars a token.
    csv
        Print the request as a line of CSV.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form = sheet.form(json, csv)
    with sheet.store(state_dir) as reader:
        told = _told(named(reader, request), state_dir)
    sheet.put(Sheet(_words(told), told, [told.request], StoredRequest), form)
    return 0


def named(reader: Reader, beginning: str) -> StoredRequest:
    """The one request whose id begins so. Raises StoreUnreadableError where it is none, or several."""
    found = reader.beginning_with(beginning) if beginning else ()
    if not found:
        raise StoreUnreadableError(f"no request {beginning!r} is stored; `tokenpak requests` lists what is")
    if len(found) > 1:
        raise StoreUnreadableError(f"more than one request begins with {beginning!r}; write more of it")
    return found[0]


def _told(row: StoredRequest, state_dir: Path | None) -> Told:
    bill, why = _bill(row, state_dir)
    return Told(row, bill, why)


def _bill(row: StoredRequest, state_dir: Path | None) -> tuple[tuple[Line, ...] | None, str | None]:
    if row.cache_origin == "proxy":
        return None, "a stored answer was given again, and no provider asked"
    if row.usage_basis != "provider":
        return None, "the provider reported no usage"
    if row.price_id is None and row.usage.output is None:
        return None, "the reply broke off before its output was told"
    if row.price_id is None:
        return None, "no price was known for all that was used"
    settings = running_settings(state_dir)
    table = prices.load(settings.paths, settings.prices, datetime.now(UTC).astimezone().date().isoformat()).table
    if table.id != row.price_id:
        return None, f"it was priced by table {row.price_id}, and {table.id} is in force now"
    model = row.model_served or row.model_asked
    found = table.find(row.provider, model) if row.provider and model else None
    bill = lines(row.usage, found.prices, searches=row.web_searches) if found else None
    return (None, f"{model} has no price that covers what was used") if bill is None else (bill, None)


def _words(told: Told) -> str:
    return "\n\n".join(
        part
        for part in (
            _head(told.request),
            _bill_words(told),
            _savings(told.request),
            _cache(told.request),
            _passes(told.request),
        )
        if part
    )


def _head(row: StoredRequest) -> str:
    model = row.model_asked or UNKNOWN
    served = f", served by {row.model_served}" if row.model_served not in (None, row.model_asked) else ""
    facts = {
        "request": row.id,
        "time": moment(row.opened_ns),
        "client": row.client,
        "project": row.project,
        "session": row.session,
        "model": f"{row.provider or UNKNOWN} {model}{served}",
        "state": f"{row.state}, status {UNKNOWN if row.status is None else row.status}"
        + (f", {row.error_code}" if row.error_code else ""),
        "bytes": f"{number(row.bytes_before)} received, {number(row.bytes_after)} sent, {number(row.bytes_response)} answered",
        "compression": f"{row.compression or UNKNOWN}{f' ({row.reason})' if row.reason else ''}",
        "factor": None
        if row.factor is None
        else f"{row.factor:.4f} tokens of the model's for one of {row.counter or UNKNOWN}",
    }
    return "\n".join(f"{name:12}{value}" for name, value in facts.items() if value)


def _bill_words(told: Told) -> str:
    row = told.request
    head = f"Cost {money(row.cost_nanos)}" + (f", prices {row.price_id}" if row.price_id else "")
    if told.bill is None:
        tokens = {name: getattr(row.usage, name) for name in row.usage.__struct_fields__}
        shown = ", ".join(f"{name} {count:,}" for name, count in tokens.items() if count is not None) or "none reported"
        searches = f"\n  web searches: {row.web_searches:,}" if row.web_searches else ""
        return f"{head}\n  no prices by class: {told.why_no_bill}\n  tokens: {shown}{searches}"
    rows = [(line.name, f"{line.units:,}", _price(line), money(round(line.pico / 1000))) for line in told.bill]
    sum_ = total(told.bill)
    note = "" if sum_ == row.cost_nanos else f"\n  ! these come to {money(sum_)}, which is not what was stored"
    return f"{head}\n{grid(('CLASS', 'TOKENS', 'DOLLARS A MILLION', 'COST'), rows)}{note}"


def _price(line: Line) -> str:
    """Dollars for a million tokens, or for a thousand searches, as providers state them."""
    if line.name == "web_search":
        return f"{Decimal(line.price) / prices.PICO_IN_DOLLAR_A_THOUSAND:f} a thousand"
    return f"{Decimal(line.price) / prices.PICO_IN_DOLLAR_A_MILLION:f}"


def _savings(row: StoredRequest) -> str:
    if not row.savings:
        return "Saved\n  nothing"
    rows = [
        (s.cause, s.mechanism, s.basis, number(s.tokens), money(s.nanos), money(s.spread_nanos)) for s in row.savings
    ]
    return "Saved (lines are not added up)\n" + grid(("CAUSE", "MECHANISM", "BASIS", "TOKENS", "SAVED", "±"), rows)


def _cache(row: StoredRequest) -> str:
    if row.expected is None:
        return "Cache\n  nothing was expected of it"
    rows = list(_compared(row, row.expected))
    miss = f"\n  missed {number(row.miss_tokens)} tokens: {row.miss}" if row.miss else ""
    return "Cache\n" + grid(("CLASS", "EXPECTED", "REPORTED"), rows) + miss


def _compared(row: StoredRequest, expected: Used) -> Iterator[tuple[str, str, str]]:
    for name, column in EXPECTED.items():
        reported = getattr(row.usage, column.removeprefix("expected_"))
        yield name, number(getattr(expected, name)), number(reported)


def _passes(row: StoredRequest) -> str:
    if not row.passes:
        return ""
    rows = [(name, number(tally.edits), number(tally.saved)) for name, tally in row.passes.items()]
    return f"Passes (tokens of {row.counter or UNKNOWN})\n" + grid(("PASS", "EDITS", "TOKENS"), rows)
