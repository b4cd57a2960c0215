"""An estimate on a terminal. At eighty columns the figures that matter; what is wider shows more of them."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tokenpak.cli.estimate.rows import Line
from tokenpak.cli.estimate.told import Estimate, Session
from tokenpak.cli.sheet import UNKNOWN, money

WIDE = 110
"""Columns from which on a table shows all it has."""
MOST_ROWS = 40
"""Sessions shown; the largest ones, where there are more."""
NAME = 24
NANO = 10**9
_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def show(told: Estimate, console: Console) -> None:
    """Print it all."""
    wide = console.width >= WIDE
    console.print(sessions(told, wide=wide))
    console.print(lines(told.summary.lines))
    console.print(summary(told))
    console.print(unknown(told))


def sessions(told: Estimate, *, wide: bool) -> RenderableType:
    """A line a session, and their sum."""
    shown = _shown(told.sessions)
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("session", "agent") if wide else ("session",):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=NAME)
    head = ("req", "input", "cut", "", "bill", "saved", "±", "", "largest", "worst")
    for place, name in enumerate(head):
        if wide or place not in _NARROW_LEAVES:
            table.add_column(name, justify="right", no_wrap=True)
    worst = told.summary.worst_session
    for each in shown:
        _row(table, each, wide=wide, marked=each.session == worst and len(told.sessions) > 1)
    table.add_section()
    _all(table, told, wide=wide)
    notes = [Text("input: tokens of all requests; cut: of those, by compression; bill: of the input", style="dim")]
    if wide:
        words = "largest: cut from the largest request; worst: saved of the bill by the worst moment of the session"
        notes.append(Text(words, style="dim"))
    if len(shown) < len(told.sessions):
        notes.append(Text(f"{len(told.sessions) - len(shown):,} smaller sessions are in --html, --json and --csv."))
    return Group(_title("What would have been saved, by session"), table, *notes)


_NARROW_LEAVES = frozenset({6, 8, 9})
"""Columns of figures that a narrow terminal has no room for."""


def _shown(all_: Sequence[Session]) -> list[Session]:
    """The largest sessions, in their order."""
    largest = sorted(all_, key=lambda each: -each.tokens)[:MOST_ROWS]
    kept = {each.session for each in largest}
    return [each for each in all_ if each.session in kept]


def _row(table: Table, each: Session, *, wide: bool, marked: bool) -> None:
    names = [Text(each.session), Text(each.agent)] if wide else [Text(each.session)]
    low = UNKNOWN if each.worst.share is None else share(each.worst.share)
    figures = [
        f"{each.requests:,}",
        short(each.tokens),
        short(each.removed),
        share(each.token_share),
        dollars(each.bill_nanos),
        dollars(each.saved_nanos),
        dollars(each.spread_nanos),
        share(each.bill_share),
        share(each.largest_removed / each.largest if each.largest else None),
        low,
    ]
    table.add_row(*names, *_fitting(figures, wide=wide), style="yellow" if marked else "")


def _all(table: Table, told: Estimate, *, wide: bool) -> None:
    total = told.summary
    figures = [
        f"{total.requests:,}",
        short(total.tokens),
        short(total.removed),
        share(total.token_share),
        dollars(total.bill_nanos),
        dollars(total.saved_nanos),
        dollars(total.spread_nanos),
        share(total.bill_share),
        "",
        "",
    ]
    names = [f"all {total.sessions:,}", ""] if wide else [f"all {total.sessions:,}"]
    table.add_row(*names, *_fitting(figures, wide=wide), style="bold")


def _fitting(figures: Sequence[str], *, wide: bool) -> list[str]:
    return [each for place, each in enumerate(figures) if wide or place not in _NARROW_LEAVES]


def lines(all_: Sequence[Line]) -> RenderableType:
    """Savings by cause and mechanism, which are never added up."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("cause", "mechanism", "basis"):
        table.add_column(name, no_wrap=True)
    for name in ("req", "tokens", "saved", "±", "no price"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in all_:
        priced = line.unpriced < line.requests
        saved, spread = (dollars(each if priced else None) for each in (line.nanos, line.spread_nanos))
        figures = (f"{line.requests:,}", short(line.tokens), saved, spread, f"{line.unpriced:,}")
        table.add_row(line.cause, line.mechanism, line.basis, *figures)
    note = Text("No line includes another, and none is to be added to another.", style="dim")
    return Group(_title("By cause and mechanism"), table, note) if all_ else Text("\nNothing would have been saved.")


def summary(told: Estimate) -> RenderableType:
    """Median, worst case, sessions without saving, models without a price."""
    total = told.summary
    median = f"median session: {share(total.median_token_share)} of tokens, {share(total.median_bill_share)} of the input bill"
    words = [median]
    if total.worst_session is not None:
        words.append(f"worst session:  {total.worst_session} ({share(total.worst_share)} of its input bill)")
    dearer = (
        "no session was dearer at any moment"
        if not total.dearer
        else f"dearer at some moment: {total.dearer:,} sessions"
    )
    words += [
        f"worst case:     {dearer}, by compression",
        f"without saving: {total.without:,} of {total.sessions:,} sessions",
    ]
    if total.unpriced:
        named = ", ".join(f"{model or 'no model named'} ({count:,})" for model, count in sorted(total.unpriced.items()))
        words.append(f"without price:  {named}")
    return Group(_title("In short"), *(Text(each) for each in words))


def unknown(told: Estimate) -> RenderableType:
    """What the figures cannot know."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for sentence in told.unknown:
        table.add_row("-", Text(sentence))
    return Group(_title("What this cannot know"), table)


def _title(words: str) -> RenderableType:
    return Group(Text(), Text(words, style="bold"))


def short(count: int) -> str:
    """A count in three digits: 999, 12.3k, 4.56M."""
    for unit, letter in _UNITS:
        if abs(count) >= unit:
            number = count / unit
            digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
            return f"{number:.{digits}f}{letter}"
    return str(count)


def share(value: float | None) -> str:
    """A fraction in percent, with a tenth."""
    return UNKNOWN if value is None else f"{100 * value + 0.0:.1f}%"


def dollars(nanos: int | None) -> str:
    """Money to the cent; what is less, as sheet.money tells it."""
    if nanos is None or abs(nanos) < NANO // 10:
        return money(nanos)
    return f"{'-' if nanos < 0 else ''}${abs(nanos) / NANO:,.2f}"
