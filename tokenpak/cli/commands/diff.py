"""`tokenpak diff`: what was edited in one request, from its body, which the user must have: text is never stored.

The engine is run again on that body as on a conversation never seen before. What was sent may differ: a text keeps the
form it first went out in. So the counts of both are shown side by side, and said to differ where they do.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import Parameter

from tokenpak.cli import sheet
from tokenpak.cli.commands.compress import contents
from tokenpak.cli.commands.show import named
from tokenpak.cli.explanation import COLUMNS, clipped
from tokenpak.cli.options import Switch, running_settings
from tokenpak.cli.sheet import Sheet, grid, number
from tokenpak.config.settings import ConfigError, Settings
from tokenpak.core.body import Unreadable, read
from tokenpak.core.patch import Format, Patch
from tokenpak.core.pipeline import decide, patch_of
from tokenpak.core.redact import KIND
from tokenpak.core.rules import resolved
from tokenpak.ipc.events import NOTES
from tokenpak.telemetry.queries import StoredRequest

NOT_STORED = "The text of requests is never stored. Give the body as the client sent it: --body FILE."


class Span(msgspec.Struct, frozen=True):
    """An edit: bytes of the body, who made it, and what stands there instead."""

    start: int
    end: int
    name: str = msgspec.field(name="pass")
    old: str
    new: str


class Counts(NamedTuple):
    """Of one pass: as recorded, and as it came out again. None: not there."""

    name: str
    edits: int | None
    saved: int | None
    edits_again: int | None
    saved_again: int | None


def diff(
    request: str,
    /,
    *,
    body: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    json: Switch = False,
    csv: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Show what was edited in one request, from its body.

    TokenPak keeps no bodies, so you name the file; without one it says what is recorded of the edits. Cache marks and what
    was redacted are not made again. A file that is not the body of this request is said to be none, with exit code 1.

    Parameters
    ----------
    request
        The request's id, or so much of its beginning that it names one.
    body
        File with the body as the client sent it.
    json
        Print the edits as JSON.
    csv
        Print the edits as CSV.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    form = sheet.form(json, csv)
    with sheet.store(state_dir) as reader:
        row = named(reader, request)
    if body is None:
        raise ConfigError(f"{_recorded(row)} {NOT_STORED}")
    raw = contents(body)
    patch = _patch(row, raw, running_settings(state_dir))
    spans = [Span(e.start, e.end, e.name, raw[e.start : e.end].decode(), e.new.decode()) for e in patch.edits]
    counts = _counts(row, patch)
    warnings = _warnings(row, raw, counts)
    data = {"request": row.id, "edits": spans, "passes": [c._asdict() for c in counts], "warnings": warnings}
    sheet.put(Sheet(_words(spans, counts, warnings), data, spans, Span), form)
    return int(_is_another(row, raw) and _differ(counts))


def _recorded(row: StoredRequest) -> str:
    return f"{row.id}: edits recorded: {number(row.edits)} ({', '.join(sorted(row.passes)) or 'no pass'})."


def _patch(row: StoredRequest, raw: bytes, settings: Settings) -> Patch:
    from tokenpak.services.tokens import load_counter, search_path

    try:
        fmt = Format(row.format)
    except ValueError as error:
        raise ConfigError(f"{row.id} was not read: its format is {row.format or 'unknown'}.") from error
    policy = resolved(settings.rules, settings.terms, row.client, row.model_asked).policy
    counter = load_counter(search_path(settings.paths.vocabulary))
    try:
        return patch_of(raw, decide(read(fmt, raw), policy, {}, counter), counter.name)
    except Unreadable as error:
        raise ConfigError(f"the body is no {fmt.value} request that can be read exactly ({error})") from error


def _counts(row: StoredRequest, patch: Patch) -> list[Counts]:
    from tokenpak.proxy.row import MARKS

    again = {tally.name: tally for tally in patch.tallies}
    out = []
    for name in sorted((row.passes.keys() | again.keys()) - {MARKS, KIND, *NOTES}):  # what no pass of the engine did
        old, new = row.passes.get(name), again.get(name)
        before = (old.edits, old.saved) if old else (None, None)
        after = (new.edits, new.saved) if new else (None, None)
        out.append(Counts(name, *before, *after))
    return out


def _warnings(row: StoredRequest, raw: bytes, counts: list[Counts]) -> list[str]:
    out = []
    if _is_another(row, raw):
        sizes = f"it has {len(raw):,} bytes, and {number(row.bytes_before)} came"
        coded = f"Another body, or the same that was coded on its way: {sizes}."
        out.append(f"This is not the body that was sent: {sizes}." if _differ(counts) else coded)
    if _differ(counts):
        out.append(
            "The counts differ from those recorded: a text keeps the form it first went out in, and rules, passes or "
            "the tokenizer may be others by now."
        )
    return out


def _differ(counts: list[Counts]) -> bool:
    return any((each.edits, each.saved) != (each.edits_again, each.saved_again) for each in counts)


def _is_another(row: StoredRequest, raw: bytes) -> bool:
    """Whether what came had another size: another body, or one that was coded. One of the same size may be another, too."""
    return row.bytes_before is not None and row.bytes_before != len(raw)


def _words(spans: list[Span], counts: list[Counts], warnings: list[str]) -> str:
    parts = [f"! {warning}" for warning in warnings] + [_span(span) for span in spans]
    if not spans:
        parts.append("Nothing would be edited in this body.")
    if counts:
        head = ("PASS", "EDITS", "TOKENS", "EDITS AGAIN", "TOKENS AGAIN")
        parts.append(grid(head, [(c.name, *map(number, c[1:])) for c in counts]))
    parts.append("Made from the body you gave. The text of requests is never stored.")
    return "\n".join(parts)


def _span(span: Span) -> str:
    head = f"bytes {span.start}-{span.end} ({span.end - span.start}), {span.name}"
    return f"{head}\n{clipped('- ' + span.old, COLUMNS)}\n{clipped('+ ' + span.new, COLUMNS)}"
