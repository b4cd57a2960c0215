"""A demonstration's result as a user wants to read it."""

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tokenpak.cli.demonstration.bill import PRICES, Side
from tokenpak.cli.demonstration.run import Outcome, Result

MILLION = 1_000_000
AGENT_WIDTH = 16


def show(result: Result, console: Console) -> None:
    """Print it all."""
    console.print(sessions(result))
    console.print(passes(result))
    console.print(money(result.outcomes))
    console.print(latency(result.stored.added_ms))
    console.print(verdict(result))


def percent(before: float, after: float) -> str:
    """The change from before to after, with its sign."""
    return f"{100 * (after / before - 1):+.1f} %" if before else "-"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all values; not a number without any."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _table(*columns: str, left: int = 1) -> Table:
    """Columns whose cells stay on one line; the first `left` of them hold words, the others figures."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for nth, column in enumerate(columns):
        table.add_column(column, justify="left" if nth < left else "right", no_wrap=True)
    return table


def _titled(title: str, table: Table) -> RenderableType:
    return Group(Text(), Text(title, style="bold"), table)


def total(sides: Sequence[Side]) -> Side:
    """Sums over sessions."""
    return Side(sum(s.tokens for s in sides), sum(s.last for s in sides), sum(s.bill for s in sides))


def sessions(result: Result) -> RenderableType:
    """A line a session, and their sum."""
    figures = ("requests", "edited", "last request", "", "all saved", "", "bill", "prefix")
    table = _table("session", "agent", *figures, left=2)
    for outcome in result.outcomes:
        _line(table, outcome.ident, outcome.agent, [outcome])
    table.add_section()
    _line(table, "all", f"{len(result.outcomes)} sessions", result.outcomes)
    title = f"Input tokens without → with TokenPak, counted by {result.tokenizer}"
    note = "  prefix: requests that extend, byte for byte as the provider caches them, what was sent before"
    return Group(_titled(title, table), Text(note, style="dim"))


def _line(table: Table, name: str, agent: str, outcomes: Sequence[Outcome]) -> None:
    without, with_it = total([o.without for o in outcomes]), total([o.with_it for o in outcomes])
    pairs, breaks = sum(o.pairs for o in outcomes), sum(o.breaks for o in outcomes)
    table.add_row(
        name,
        shortened(agent),
        f"{sum(o.requests for o in outcomes):,}",
        f"{sum(o.edited for o in outcomes):,}",
        f"{without.last:,} → {with_it.last:,}",
        percent(without.last, with_it.last),
        f"{without.tokens - with_it.tokens:,}",
        percent(without.tokens, with_it.tokens),
        percent(without.bill, with_it.bill),
        Text(f"{pairs - breaks}/{pairs}", style="red" if breaks else "green"),
    )


def shortened(words: str) -> str:
    """An agent's name, cut where it would push figures off the line."""
    return words if len(words) <= AGENT_WIDTH else words[: AGENT_WIDTH - 1] + "…"


def passes(result: Result) -> RenderableType:
    """Which pass did it, from the store's rows."""
    table = _table("pass", "requests", "edits", "tokens not sent", "counted by")
    for done in result.stored.passes:
        table.add_row(done.name, f"{done.requests:,}", f"{done.edits:,}", f"{done.saved:,}", done.counter)
    return _titled("Which pass did it; each request counts what it did not carry", table)


def money(outcomes: Sequence[Outcome]) -> RenderableType:
    """Bills under each provider's cache rules, in uncached input tokens and in dollars at an example price."""
    table = _table(
        *("provider", "cache read / write", "units without", "units with", "", "example price", "without", "with")
    )
    for fmt, prices in PRICES.items():
        mine = [o for o in outcomes if o.format is fmt]
        if not mine:
            continue
        without, with_it = (total([getattr(o, side) for o in mine]).bill for side in ("without", "with_it"))
        table.add_row(
            {"anthropic": "Anthropic", "openai": "OpenAI chat", "responses": "OpenAI responses"}[fmt.value],
            f"{prices.read:g} / {prices.write_5m:g}",
            f"{without:,.0f}",
            f"{with_it:,.0f}",
            percent(without, with_it),
            f"{prices.model}, ${prices.dollars:.2f}/M",
            f"${without * prices.dollars / MILLION:.3f}",
            f"${with_it * prices.dollars / MILLION:.3f}",
        )
    title = (
        "Input bills; a unit is one uncached input token; dollars at an example price; output is the same on both sides"
    )
    return _titled(title, table)


def latency(added_ms: Sequence[float]) -> RenderableType:
    """What requests waited for TokenPak, as their rows say."""
    table = _table("requests", "p50", "p99", "most", left=0)
    values = [f"{quantile(added_ms, share):.1f} ms" for share in (0.5, 0.99, 1.0)] if added_ms else ["-"] * 3
    table.add_row(f"{len(added_ms):,}", *values)
    return _titled("Latency added by TokenPak, from the store's rows", table)


def verdict(result: Result) -> RenderableType:
    """The proof, line by line, or what is wrong."""
    edited = sum(outcome.edited for outcome in result.outcomes)
    failed = sum(len(outcome.failures) for outcome in result.outcomes)
    broken = sum(outcome.breaks for outcome in result.outcomes)
    stopped = not result.left and not any(result.exit_codes.values())
    lines = [
        _mark(f"{result.requests:,} requests answered completely; {edited:,} of them left smaller", not failed),
        _mark("every byte outside the edits reached the provider as the client sent it", not failed),
        _mark(
            f"expand gave the original of all {edited:,} edited requests back, from the sent bytes alone", not failed
        ),
        _mark("every request extends what its session had sent before (no prefix break)", not broken),
        _mark(
            f"{result.requests:,} requests, as many rows in the store",
            result.stored.states == {"done": result.requests},
        ),
        _mark("everything was stopped, nothing is left running", stopped),
    ]
    faults = [Text(f"  {fault}", style="red") for fault in result.faults]
    title = "FAILED" if faults else "Proof"
    return Panel(Group(*lines, *faults), title=title, title_align="left", border_style="red" if faults else "green")


def _mark(claim: str, holds: bool) -> Text:  # noqa: FBT001 - a claim and whether it holds
    return Text.assemble(("✓ ", "green") if holds else ("✗ ", "red"), claim)
