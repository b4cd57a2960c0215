"""`tokenpak requests`: the recorded requests, newest first."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli import sheet
from tokenpak.cli.options import Switch
from tokenpak.cli.sheet import NANO, UNKNOWN, Sheet, grid, money, number
from tokenpak.core.cost import INPUT, tokens_of
from tokenpak.ipc.events import CloseState
from tokenpak.telemetry.queries import MOST, Filter, StoredRequest

State = Literal[CloseState, "open"]
RECENT = 20
SHORT_ID = 13
"""Characters of an id that tell requests apart that came more than a moment after each other."""
HEAD = ("TIME", "REQUEST", "CLIENT", "MODEL", "STATE", "STATUS", "INPUT", "READ", "OUTPUT", "COST", "SAVED", "MISS")


def requests(
    *,
    since: str = "7d",
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=MOST))] = RECENT,
    client: str | None = None,
    model: str | None = None,
    project: str | None = None,
    session: str | None = None,
    state: State | None = None,
    json: Switch = False,
    csv: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """List recorded requests.

    The newest first: when, which client and model, how it ended, input and cached tokens, output, cost, and what was saved.

    Parameters
    ----------
    since
        Only those that came after: an age such as 6h, a time such as 2026-02-01, or all.
    limit
        At most so many, one at least; 1000 are the most.
    client
        Only of this client.
    model
        Only those that asked for this model, or got it.
    project
        Only of this project.
    session
        Only of this session.
    state
        Only those that ended so, or are open.
    json
        Print them as JSON.
    csv
        Print them as CSV.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form = sheet.form(json, csv)
    since_ns = sheet.asked(since, time.time_ns()).since_ns
    which = Filter(since_ns=since_ns, client=client, model=model, project=project, session=session, state=state)
    with sheet.store(state_dir) as reader:
        found = reader.newest(limit, which=which)
    sheet.put(Sheet(_words(found), found, found, StoredRequest), form)
    return 0


def _words(found: Sequence[StoredRequest]) -> str:
    if not found:
        return "no request"
    rows, room = [cells(row) for row in found], sheet.room()
    text = grid(HEAD, rows)
    if room is None or max(map(len, text.splitlines())) <= room:
        return text
    return grid(HEAD, map(narrow, rows))


def narrow(line: Sequence[str]) -> tuple[str, ...]:
    """The cells of a request with less of when and which, for a terminal: `show` takes the beginning of an id."""
    when, name, *others = line
    return (when if when == UNKNOWN else when[len("2026-") : -len(":00")], name[:SHORT_ID], *others)


def cells(row: StoredRequest) -> tuple[str, ...]:
    """A request as a line of HEAD. SAVED is what compression saved, in the model's tokens."""
    parts = [tokens_of(row.usage, name) for name in INPUT]
    total = sum(part or 0 for part in parts) if row.usage.uncached is not None else None
    saved = next((line.tokens for line in row.savings if line.mechanism == "compression"), None)
    return (
        moment(row.opened_ns),
        row.id,
        row.client or UNKNOWN,
        row.model_served or row.model_asked or UNKNOWN,
        row.state,
        UNKNOWN if row.status is None else str(row.status),
        number(total),
        number(row.usage.cache_read),
        number(row.usage.output),
        money(row.cost_nanos),
        number(saved),
        row.miss or UNKNOWN,
    )


def moment(ns: int | None) -> str:
    """A time where the user is, to the second."""
    if ns is None:
        return UNKNOWN
    return datetime.fromtimestamp(ns / NANO).astimezone().strftime("%Y-%m-%d %H:%M:%S")
