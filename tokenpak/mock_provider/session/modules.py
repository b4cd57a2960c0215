"""Writes the small Python modules that the made-up agent works on: plausible, different from each other, never run.

Redundancy is what compression feeds on, so it must not be bred here: functions are drawn from many shapes without
repetition inside a module, and filled with words that differ from module to module.
"""

from random import Random
from typing import NamedTuple

THINGS = (
    ("invoice", "invoices"), ("shipment", "shipments"), ("parcel", "parcels"), ("supplier", "suppliers"),
    ("pallet", "pallets"), ("carrier", "carriers"), ("refund", "refunds"), ("voucher", "vouchers"),
    ("reservation", "reservations"), ("tariff", "tariffs"), ("warehouse", "warehouses"), ("barcode", "barcodes"),
    ("customer", "customers"), ("delivery", "deliveries"), ("payment", "payments"), ("batch", "batches"),
)  # fmt: skip
FIELDS = (
    "weight", "volume", "price", "due_date", "country", "currency", "priority", "owner", "status", "revision",
    "quantity", "reference", "origin", "surcharge", "discount", "deadline", "checksum", "channel",
)  # fmt: skip
ADJECTIVES = ("open", "overdue", "stale", "partial", "blocked", "urgent", "foreign", "damaged", "unpaid", "merged")
REASONS = (
    "The carrier counts started kilograms, not rounded ones.",
    "Kept apart from the parser: the import job calls it with half-filled rows.",
    "Zurich and São Paulo disagree about the last day of a month; the café orders showed it.",
    "Sorted first, because the archive hashes what we return.",
    "A “soft” limit: the nightly run may exceed it → the monitor complains, nobody is woken up.",
    "Do not cache this. It looks slow and is called twice a day.",
    "The old export wrote naïve timestamps; they are read as UTC.",
    "Callers rely on the order, see the regression test of last winter.",
    "None means unknown here, and unknown must not become zero.",
    "Two suppliers still send Latin-1; everything else is refused.",
)

SHAPES = (
    '''
def {verb}_{things}({things}: Iterable[{Thing}], limit: int = {number}) -> list[{Thing}]:
    """The {adjective} {things}, most pressing first.

    {reason}
    """
    chosen = [{thing} for {thing} in {things} if {thing}.{field} is not None and {thing}.{other} > {small}]
    chosen.sort(key=lambda {thing}: ({thing}.{other}, {thing}.ident))
    if len(chosen) > limit:
        logger.warning("%d {adjective} {things} left out", len(chosen) - limit)
    return chosen[:limit]
''',
    '''
def {field}_by_{other}({things}: Sequence[{Thing}]) -> dict[str, Decimal]:
    """Sums of {field}, a key for each {other}."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for {thing} in {things}:
        # {reason}
        totals[str({thing}.{other})] += Decimal({thing}.{field} or 0)
    return {{key: value.quantize(CENT) for key, value in sorted(totals.items())}}
''',
    '''
def parse_{thing}_line(line: str) -> {Thing} | None:
    """A {thing} from a line of the export, or None for a comment.

    Raises ValueError with the line for anything else.
    """
    if line.startswith("#") or not line.strip():
        return None
    match = re.fullmatch(r"(?P<ident>[A-Z]{{2}}\\d{{4,8}})\\t(?P<{field}>[^\\t]*)\\t(?P<{other}>\\S+)", line.rstrip("\\r\\n"))
    if match is None:
        raise ValueError(f"not a {thing} line: {{line!r}}")
    return {Thing}(ident=match["ident"], {field}=match["{field}"], {other}=int(match["{other}"], 10))
''',
    '''
class {Adjective}{Thing}Error(ValueError):
    """A {thing} that cannot be handled because it is {adjective}."""

    def __init__(self, {thing}: "{Thing}", wanted: str) -> None:
        super().__init__(f"{{{thing}.ident}} is {adjective}: wanted {{wanted}}")
        self.{thing} = {thing}
''',
    '''
def split_{things}({things}: list[{Thing}], largest: int) -> Iterator[list[{Thing}]]:
    """Groups whose {field} stays below `largest`; a single {thing} above it is a group of its own."""
    group: list[{Thing}] = []
    carried = 0
    for {thing} in {things}:
        if group and carried + {thing}.{field} > largest:
            yield group
            group, carried = [], 0
        group.append({thing})
        carried += {thing}.{field}
    if group:
        yield group
''',
    '''
async def fetch_{adjective}_{things}(client: Client, since: datetime, *, pages: int = {small}) -> list[{Thing}]:
    """All {adjective} {things} since a moment, page by page."""
    found: list[{Thing}] = []
    cursor: str | None = None
    for _ in range(pages):
        answer = await client.get("/{things}", params={{"state": "{adjective}", "since": since.isoformat(), "cursor": cursor}})
        answer.raise_for_status()
        page = answer.json()
        found.extend({Thing}.from_json(item) for item in page["items"])
        cursor = page.get("next")
        if cursor is None:
            break
    return found
''',
    '''
def merge_{thing}(old: {Thing}, new: {Thing}) -> {Thing}:
    """The newer values of two versions of one {thing}.

    {reason}
    """
    if old.ident != new.ident:
        raise {Adjective}{Thing}Error(new, wanted=old.ident)
    newer, older = (new, old) if new.revision >= old.revision else (old, new)
    changes = {{name: value for name, value in asdict(newer).items() if value is not None}}
    return replace(older, **changes)
''',
    '''
def {thing}_{field}_report({things}: Iterable[{Thing}], width: int = {number}) -> str:
    """A table for the morning mail: one line a {thing}, a total at the end."""
    rows = [f"{{{thing}.ident:<12}}{{{thing}.{field}!s:>{{width}}}}" for {thing} in {things}]
    if not rows:
        return "no {adjective} {things}\\n"
    rule = "─" * (12 + width)
    return "\\n".join(["{Thing} / {field}", rule, *rows, rule, f"{{len(rows)}} {things}"]) + "\\n"
''',
    '''
def validate_{thing}({thing}: {Thing}) -> list[str]:
    """Complaints about a {thing}, in the order in which a clerk would fix them."""
    complaints = []
    if not {thing}.ident:
        complaints.append("ident is missing")
    if {thing}.{field} is None:
        complaints.append("{field} is missing")
    elif {thing}.{field} < 0:
        complaints.append(f"{field} is negative: {{{thing}.{field}}}")
    if {thing}.{other} not in KNOWN_{OTHER}:
        complaints.append(f"unknown {other} “{{{thing}.{other}}}”")
    return complaints
''',
    '''
def next_{thing}_{field}(history: Sequence[{Thing}], default: int = {small}) -> int:
    """What the {field} of the next {thing} will probably be.

    The median of the last {number}; {adjective} ones do not count.
    """
    recent = [{thing}.{field} for {thing} in history[-{number}:] if not {thing}.is_{adjective}()]
    if len(recent) < 3:
        return default
    recent.sort()
    middle = len(recent) // 2
    return recent[middle] if len(recent) % 2 else (recent[middle - 1] + recent[middle]) // 2
''',
    '''
def write_{things}(path: Path, {things}: Iterable[{Thing}]) -> int:
    """Write {things} as JSON lines, through a temporary file; how many there were."""
    count = 0
    temporary = path.with_suffix(".{thing}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\\n") as out:
        for {thing} in {things}:
            json.dump(asdict({thing}), out, ensure_ascii=False, default=str)
            out.write("\\n")
            count += 1
    temporary.replace(path)  # {reason}
    return count
''',
    '''
@contextmanager
def locked_{thing}(store: Store, ident: str, timeout: float = {small}.5) -> Iterator[{Thing}]:
    """A {thing} that nobody else changes meanwhile; saved when the block ends without an error."""
    if not store.lock(ident, timeout):
        raise TimeoutError(f"{thing} {{ident}} is locked for more than {{timeout:g}} s")
    try:
        {thing} = store.load({Thing}, ident)
        yield {thing}
        store.save({thing})
    finally:
        store.unlock(ident)
''',
    '''
def {adjective}_since({thing}: {Thing}, now: datetime) -> timedelta | None:
    """How long a {thing} has been {adjective}; None if it is not."""
    if {thing}.{field} is None or {thing}.closed:
        return None
    started = max({thing}.opened, now - timedelta(days={number}))
    # {reason}
    return now - started if now > started else timedelta(0)
''',
    '''
def dedupe_{things}({things}: Iterable[{Thing}]) -> list[{Thing}]:
    """{Things} without repeats; of equal ones the first stays, with the highest {field} seen."""
    seen: dict[tuple[str, str], {Thing}] = {{}}
    for {thing} in {things}:
        key = ({thing}.ident.casefold(), str({thing}.{other}))
        kept = seen.setdefault(key, {thing})
        if {thing}.{field} > kept.{field}:
            seen[key] = replace(kept, {field}={thing}.{field})
    return list(seen.values())
''',
)  # fmt: skip

HEAD = '''"""{Things}: {purpose}."""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from depot.client import Client
from depot.store import Store

logger = logging.getLogger(__name__)

CENT = Decimal("0.01")
KNOWN_{OTHER} = frozenset({{"{adjective}", "new", "closed"}})


@dataclass(frozen=True, slots=True)
class {Thing}:
    """One {thing}, as the {other} desk sees it."""

    ident: str
    {field}: int | None = None
    {other}: int = {small}
    revision: int = 0
    closed: bool = False

    def is_{adjective}(self) -> bool:
        """Whether somebody has to look at it."""
        return not self.closed and (self.{field} or 0) > {number}
'''

PURPOSES = (
    "what they cost, who owes it, and when it is due",
    "from the export of the old system into ours, line by line",
    "the nightly checks, and the mail that goes out at six",
    "grouping and splitting for the vans",
    "the part that talks to the carrier, and what it makes of the answers",
    "matching what was ordered with what has arrived",
)


class Module(NamedTuple):
    """A module's name, text, and the things its functions are about."""

    name: str
    text: str
    thing: str


def write_module(rng: Random, nth: int, functions: int) -> Module:
    """Module number `nth` of a repository; the same number speaks of the same thing."""
    thing, things = THINGS[nth % len(THINGS)]
    words = _words(rng, thing, things)
    shapes = rng.sample(SHAPES, min(functions, len(SHAPES)))
    pieces = [HEAD.format(**words), *(shape.format(**_words(rng, thing, things)) for shape in shapes)]
    return Module(things, "\n".join(pieces), thing)


def _words(rng: Random, thing: str, things: str) -> dict[str, str | int]:
    field, other = rng.sample(FIELDS, 2)
    adjective = rng.choice(ADJECTIVES)
    return {
        "thing": thing,
        "things": things,
        "Thing": thing.capitalize(),
        "Things": things.capitalize(),
        "field": field,
        "other": other,
        "OTHER": other.upper(),
        "adjective": adjective,
        "Adjective": adjective.capitalize(),
        "verb": rng.choice(("pick", "rank", "select", "choose")),
        "reason": rng.choice(REASONS),
        "purpose": rng.choice(PURPOSES),
        "number": rng.randint(11, 97),
        "small": rng.randint(2, 9),
    }
