"""Rows into tables: cells for people and for the page, summaries for machines.

A group is never one number: mean, median, best and worst stand side by side, and the number of sessions before them.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.bench.played import Row
from tokenpak.cli.render import table

Cells = list[list[str]]

PERCENTS: dict[str, Callable[[Row], float | None]] = {
    "final saved": lambda row: row.final_saved_pct,
    "bill own": lambda row: row.bill_own_pct,
    "Anthropic": lambda row: row.bill_anthropic_pct,
    "OpenAI": lambda row: row.bill_openai_pct,
    "marked": lambda row: row.bill_marked_pct,
    "names lost": lambda row: row.names_lost_pct,
}
"""What is told of a session in percent: tokens of the last request, bills under each provider's rules, names lost."""

SESSION_HEAD = [
    "session",
    "turns",
    "tokens",
    *PERCENTS,
    "references",
    "lines each",
    "most in a result",
    "hops",
    "prefix kept",
    "expand wrong",
]
GROUP_HEAD = ["group", "sessions", *PERCENTS, "worst", "references", "lines each", "most in a result", "hops"]


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by group: long sessions, the others, each agent's, all. A group without a row is left out."""
    agents = sorted({row.agent for row in rows})
    by_agent = {agent: [row for row in rows if row.agent == agent] for agent in agents}
    by_length = {"long": [row for row in rows if row.long], "not long": [row for row in rows if not row.long]}
    found = {**by_length, **by_agent, "all": list(rows)}
    return {name: members for name, members in found.items() if members}


def session_cells(rows: Iterable[Row]) -> Cells:
    """A line for each session."""
    return [
        [
            row.id,
            f"{row.turns}",
            f"{row.tokens:,}",
            *(percent(of(row)) for of in PERCENTS.values()),
            f"{row.references}",
            f"{row.lines:.0f}",
            f"{row.most_in_one_block}",
            f"{row.hops}",
            f"{row.prefix_kept}/{row.prefix_pairs}",
            f"{row.expand_wrong}/{row.expand_tried}",
        ]
        for row in rows
    ]


def group_cells(rows: Sequence[Row]) -> Cells:
    """A line for each group: means; median, least and most of what is saved of the last request; the largest of counts."""
    return [[name, f"{len(members)}", *_group(members)] for name, members in groups(rows).items()]


def _group(members: Sequence[Row]) -> list[str]:
    referring = [row for row in members if row.references]
    return [
        *(percent(mean(map(of, members))) for of in PERCENTS.values()),
        percent(max(row.worst_pct for row in members)),
        f"{mean(row.references for row in members):.0f}",
        f"{lines_each(referring):.0f}",
        f"{max(row.most_in_one_block for row in members)}",
        f"{max(row.hops for row in members)}",
    ]


def lines_each(rows: Iterable[Row]) -> float:
    """Mean lines of a reference, over all references of the sessions."""
    kept = list(rows)
    count = sum(row.references for row in kept)
    return sum(row.lines * row.references for row in kept) / count if count else 0.0


def pass_cells(rows: Iterable[Row]) -> Cells:
    """A line for each pass: sessions it edited, edits and tokens saved in their last requests."""
    kept = list(rows)
    names = dict.fromkeys(name for row in kept for name in row.passes)
    found = {name: [row.passes[name] for row in kept if name in row.passes] for name in names}
    return [
        [name, f"{len(each)}", f"{sum(edits for edits, _ in each):,}", f"{sum(saved for _, saved in each):,}"]
        for name, each in found.items()
    ]


PASS_HEAD = ["pass", "sessions", "edits", "tokens saved"]
VARIANT_HEAD = [
    "variant",
    "sessions",
    "final saved: mean",
    "median",
    "least",
    "most",
    "bill own",
    "Anthropic",
    "OpenAI",
]
VARIANT_HEAD += ["marked", "worst", "references", "lines each"]


def variant_cells(name: str, rows: Sequence[Row]) -> list[str]:
    """One line for a whole variant."""
    final = [row.final_saved_pct for row in rows]
    return [
        name,
        f"{len(rows)}",
        *map(percent, (mean(final), statistics.median(final), min(final), max(final))),
        *(percent(mean(map(PERCENTS[what], rows))) for what in ("bill own", "Anthropic", "OpenAI", "marked")),
        percent(max(row.worst_pct for row in rows), 3),
        f"{mean(row.references for row in rows):.0f}",
        f"{lines_each(rows):.0f}",
    ]


def proof(rows: Iterable[Row]) -> str:
    """What was checked on every body, in a sentence."""
    kept = list(rows)
    turns, changed = sum(row.turns for row in kept), sum(row.changed for row in kept)
    kept_prefix, pairs = sum(row.prefix_kept for row in kept), sum(row.prefix_pairs for row in kept)
    wrong, tried = sum(row.expand_wrong for row in kept), sum(row.expand_tried for row in kept)
    invalid, defects = sum(row.invalid for row in kept), sum(row.defects for row in kept)
    return (
        f"{turns:,} requests, {changed:,} of them changed; prefix kept {kept_prefix:,} of {pairs:,}; expansion wrong "
        f"{wrong} of {tried:,} tried; invalid bodies {invalid}; proposals dropped as defects {defects}."
    )


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def percent(value: float | None, places: int = 2) -> str:
    """A percentage, less than zero with a true minus sign; a dash where there is none."""
    if value is None:
        return "-"
    return "0 %" if abs(value) < 10**-places / 2 else f"{value:.{places}f} %".replace("-", "\N{MINUS SIGN}")


def in_words(variants: Mapping[str, Sequence[Row]]) -> str:
    """The tables for people: the first variant in full, then all of them over long sessions and over all."""
    rows = next(iter(variants.values()))
    parts = [table(SESSION_HEAD, session_cells(rows)), table(GROUP_HEAD, group_cells(rows))]
    parts += [table(PASS_HEAD, pass_cells(rows)), proof(rows)]
    for told, chosen in (("long: ", [row.id for row in rows if row.long]), ("all: ", [row.id for row in rows])):
        if chosen:
            cells = [variant_cells(told + name, _of(each, chosen)) for name, each in variants.items()]
            parts.append(table(VARIANT_HEAD, cells))
    return "\n\n".join(parts)


def _of(rows: Iterable[Row], ids: Sequence[str]) -> list[Row]:
    return [row for row in rows if row.id in ids]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The groups for machines: spread of every percentage, references, and what was checked."""
    return {name: _summed(members) for name, members in groups(rows).items()}


def _summed(rows: Sequence[Row]) -> dict[str, Any]:
    def spread(of: Callable[[Row], float | None]) -> dict[str, float] | None:
        known = [value for value in map(of, rows) if value is not None]
        if not known:
            return None
        middle = {"mean": statistics.mean(known), "median": statistics.median(known)}
        return {**middle, "min": min(known), "max": max(known)}

    return {
        "sessions": len(rows),
        **{name.replace(" ", "_").lower() + "_pct": spread(of) for name, of in PERCENTS.items()},
        "worst_pct": max(row.worst_pct for row in rows),
        "references": spread(lambda row: row.references),
        "lines_each": lines_each(rows),
        "most_in_one_block": max(row.most_in_one_block for row in rows),
        "hops": max(row.hops for row in rows),
        "proof": proof(rows),
    }
