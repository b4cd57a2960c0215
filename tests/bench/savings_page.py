"""The page on savings: what is played for it, which of its tables stand where, and how it is written anew.

The page keeps its prose; what stands between `<!-- table: NAME -->` and `<!-- end -->` is written here. A table that the
page does not name, or a name without a table, is an error: a page must not keep a number that nothing writes any more.
"""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.bench import savings_tables as tables
from tests.bench.played import Row, Variant
from tests.bench.savings_tables import Cells, mean, percent
from tokenpak.core.passes import PASSES

HEAD = 28_000
PLAIN, LOADED = Variant(expand_every=1), Variant(head=HEAD, expand_every=1)
MUTATIONS = ("cut", "cleared", "flip", "fork", "single")


def _changed(variant: Variant, **how: object) -> Variant:
    return msgspec.structs.replace(variant, **how)


VARIANTS: dict[str, Variant] = {
    "plain": PLAIN,
    "head": LOADED,
    "responses": _changed(LOADED, as_responses=True, only="openai"),
    "recast": _changed(LOADED, recast_reads=True, only="Claude Code"),
    "no marks": _changed(LOADED, markers=False),
    "peers": Variant(most_turns=120),
    **{f"mutate {how}": Variant(mutate=how) for how in MUTATIONS},
    **{f"mutate {how}, no marks": Variant(mutate=how, markers=False) for how in MUTATIONS},
    **{f"without {name}": Variant(passes=tuple(each for each in PASSES if each != name)) for name in PASSES},
    **{f"{name} alone": Variant(passes=(name,)) for name in PASSES},
}
"""All that the page shows. "peers": the first 120 turns, which is what other products were measured on."""

Rows = Mapping[str, Sequence[Row]]


class Bar(NamedTuple):
    """A goal: what is measured, what must be reached, what is hoped for, what was found."""

    what: str
    bar: str
    reach: str
    found: str


def rewrite(page: Path, rows: Rows) -> None:
    """Write the tables of a page anew. Raises ValueError where page and tables do not name the same."""
    page.write_text(rewritten(page.read_text(), written(rows)))


def rewritten(text: str, parts: Mapping[str, str]) -> str:
    """The text with its tables in place of what stood there."""
    named = re.findall(r"<!-- table: (.+?) -->", text)
    if sorted(named) != sorted(parts):
        raise ValueError(f"the page names the tables {sorted(named)}, there are {sorted(parts)}")
    return re.sub(
        r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{parts[match[2]]}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def written(rows: Rows) -> dict[str, str]:
    """Every table of the page, by name."""
    long = {name: [row for row in each if row.long] for name, each in rows.items()}
    mutated = [name for name in VARIANTS if name.startswith("mutate ")]
    ablation = ["plain", *(name for name in VARIANTS if name.startswith("without ") or name.endswith(" alone"))]
    return {
        "bars": markdown(list(Bar._fields), [list(bar) for bar in bars(rows)]),
        "groups with a head": markdown(tables.GROUP_HEAD, tables.group_cells(rows["head"])),
        "groups as recorded": markdown(tables.GROUP_HEAD, tables.group_cells(rows["plain"])),
        "responses": markdown(tables.GROUP_HEAD, tables.group_cells(rows["responses"])),
        "recast": markdown(tables.GROUP_HEAD, tables.group_cells(rows["recast"])),
        "sessions": markdown(tables.SESSION_HEAD, tables.session_cells(rows["head"])),
        "clients": markdown(
            tables.VARIANT_HEAD, [tables.variant_cells(name, rows[name]) for name in ("no marks", *mutated)]
        ),
        "passes": markdown(tables.PASS_HEAD, tables.pass_cells(rows["plain"])),
        "ablation": markdown(tables.VARIANT_HEAD, [tables.variant_cells(name, long[name]) for name in ablation]),
        "ours beside peers": markdown(PEER_HEAD, peer_cells(rows["peers"])),
        "proof": "\n".join(
            f"- {name}: {tables.proof(rows[name])}" for name in ("plain", "head", "responses", "recast")
        ),
    }


def bars(rows: Rows) -> list[Bar]:
    """The goals of the engine beside what was found."""
    plain, head = ([row for row in rows[name] if row.long] for name in ("plain", "head"))
    final = [row.final_saved_pct for row in plain]
    codex = [[row for row in rows[name] if row.agent == "Codex"] for name in ("head", "responses")]
    claude = [row for row in rows["recast"] if row.agent == "Claude Code"]
    unmarked = [row for row in rows["no marks"] if row.turns >= 20 and row.bill_marked_pct is not None]
    played = [row for each in rows.values() for row in each]
    pairs, kept = sum(row.prefix_pairs for row in played), sum(row.prefix_kept for row in played)
    lost = [row.names_lost_pct for row in rows["plain"]]
    return [
        Bar(
            "long, last request saved, no head, mean / median",
            "19 / 18 %",
            "23 / 22 %",
            f"{percent(mean(final))} / {percent(statistics.median(final))}",
        ),
        Bar("long, bill with a head, mean: Anthropic / OpenAI rules", percent(-12, 0), percent(-15, 0), _bills(head)),
        Bar(
            "Codex, bill with a head: chat / responses",
            percent(-16, 0),
            percent(-21, 0),
            " / ".join(percent(mean(row.bill_own_pct for row in each)) for each in codex),
        ),
        Bar("Claude Code as it reads today, bill with a head", percent(-4, 0), percent(-7, 0), _bills(claude)),
        Bar(
            "dearest session of all variants, own rules and marks",
            "≤ 0 %",
            "",
            percent(max(r.worst_pct for r in played), 3),
        ),
        Bar(
            "no marks sent, ≥ 20 turns, bill by marks",
            percent(-85, 0),
            percent(-89, 0),
            percent(mean(row.bill_marked_pct for row in unmarked)),
        ),
        Bar("prefix kept, of the pairs the client kept", "all", "", f"{kept:,} of {pairs:,}"),
        Bar("expansions wrong / bodies invalid", "0 / 0", "", _broken(played)),
        Bar(
            "names and paths lost, mean / worst session", "≤ 1 %", "0", f"{percent(mean(lost))} / {percent(max(lost))}"
        ),
        Bar(
            "references in a long session, mean / most",
            "≤ 40",
            "",
            f"{mean(row.references for row in plain):.0f} / {max(row.references for row in plain)}",
        ),
        Bar("lines of a reference in long sessions, mean", "≥ 30", "", f"{tables.lines_each(plain):.0f}"),
        Bar(
            "references in one result / hops, most",
            "≤ 6 / ≤ 3",
            "",
            f"{max(row.most_in_one_block for row in played)} / {max(row.hops for row in played)}",
        ),
    ]


def _bills(rows: Sequence[Row]) -> str:
    return " / ".join(percent(mean(map(tables.PERCENTS[rule], rows))) for rule in ("Anthropic", "OpenAI"))


def _broken(rows: Sequence[Row]) -> str:
    tried, wrong = sum(row.expand_tried for row in rows), sum(row.expand_wrong for row in rows)
    return f"{wrong} / {sum(row.invalid for row in rows)} of {tried:,}"


PEER_HEAD = [
    "TokenPak, lossless",
    "turns",
    "tokens saved: total / mean / median / most",
    "bill: total / mean",
    "dearest session",
    "dearer sessions",
    "prefix kept",
    "bodies changed",
    "names lost (mean)",
    "invalid bodies",
]


def peer_cells(rows: Sequence[Row]) -> Cells:
    """Our lines in the columns other products were measured in."""
    formats = {
        "all": rows,
        "Anthropic sessions": [row for row in rows if row.format == "anthropic"],
        "OpenAI sessions": [row for row in rows if row.format != "anthropic"],
    }
    return [_peer(f"{name} ({len(each)})", each) for name, each in formats.items() if each]


def _peer(name: str, rows: Sequence[Row]) -> list[str]:
    saved = [100 * (1 - row.sent_tokens[1] / row.sent_tokens[0]) for row in rows]
    whole = 100 * (1 - sum(row.sent_tokens[1] for row in rows) / sum(row.sent_tokens[0] for row in rows))
    bill = 100 * (sum(row.cost[1] for row in rows) / sum(row.cost[0] for row in rows) - 1)
    kept = 100 * sum(row.prefix_kept for row in rows) / sum(row.prefix_pairs for row in rows)
    return [
        name,
        f"{sum(row.turns for row in rows):,}",
        " / ".join(map(percent, (whole, mean(saved), statistics.median(saved), max(saved)))),
        f"{percent(bill)} / {percent(mean(row.bill_own_pct for row in rows))}",
        percent(max(row.worst_pct for row in rows)),
        f"{sum(row.worst_pct > 0.005 for row in rows)}/{len(rows)}",
        f"{kept:.1f} %",
        f"{sum(row.changed for row in rows):,}",
        percent(mean(row.names_lost_pct for row in rows)),
        f"{sum(row.invalid for row in rows)}",
    ]


def markdown(head: Sequence[str], rows: Cells) -> str:
    """A table of the page; every column but the first to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
