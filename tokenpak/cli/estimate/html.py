"""An estimate as one page that needs nothing else: no script, no font, no address.

The page is read by people who were sent it, so it says what it rests on as prominently as what it found. Names come from
logs, so everything that is text is escaped, and a policy in the page forbids it to load or run anything.
"""

from collections.abc import Iterator, Sequence
from html import escape

from tokenpak.cli.estimate.report import dollars, share, short
from tokenpak.cli.estimate.rows import Line
from tokenpak.cli.estimate.told import Estimate, Session

BIN = 0.05
"""Width of a bar of the distribution."""
MOST_BARS = 200
"""Sessions that get a bar; the largest ones, where there are more."""
ROW_HEIGHT, NAME_WIDTH, BAR_WIDTH, NAME_CHARS = 20, 230, 420, 34

_STYLE = """\
:root{--ink:#1c2024;--dim:#60646c;--line:#d9dce1;--paper:#fff;--bar:#2f6f4f;--worst:#b4451f;--band:#f5f6f7}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--dim:#a0a5ad;--line:#3a3f45;--paper:#16181b;--bar:#5fb38a;--worst:#f08a5d;--band:#1f2226}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.5rem}p.dim,figcaption{color:var(--dim)}
.cards{display:flex;flex-wrap:wrap;gap:1rem;padding:0;list-style:none}.cards li{background:var(--band);padding:.7rem 1rem;border-radius:.4rem}
.cards b{display:block;font-size:1.4rem}.scroll{overflow-x:auto}figure{margin:1rem 0}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}th,td{padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th.word,td.word{text-align:left}tr.worst td{color:var(--worst)}
svg{max-width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}.bar{fill:var(--bar)}.bar.worst{fill:var(--worst)}.axis{stroke:var(--line)}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(told: Estimate) -> str:
    """The page."""
    parts = "\n".join(_parts(told))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>TokenPak estimate</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{parts}\n</body>\n</html>\n"
    )


def _parts(told: Estimate) -> Iterator[str]:
    total = told.summary
    yield "<h1>What TokenPak would have saved</h1>"
    yield (
        f'<p class="dim">{total.sessions:,} past sessions, {total.requests:,} requests, replayed through the engine and the '
        f"ledger. Nothing was sent. Tokens by {escape(told.basis.counter)}, prices {escape(told.basis.prices)}.</p>"
    )
    yield _cards(told)
    yield "<h2>How savings are distributed</h2>"
    yield _distribution(told.sessions)
    yield "<h2>Session by session</h2>"
    yield _bars(told)
    yield _sessions(told)
    yield "<h2>By cause and mechanism</h2>"
    yield _lines(total.lines)
    yield "<h2>What this cannot know</h2>"
    yield _list(told.unknown)


def _cards(told: Estimate) -> str:
    total = told.summary
    worst = f"{share(total.worst_share)} ({escape(total.worst_session)})" if total.worst_session is not None else "-"
    never = "no session at any moment" if not total.dearer else f"{total.dearer:,} sessions at some moment"
    cards = (
        (share(total.token_share), "of input tokens, by compression"),
        (share(total.bill_share), f"of the input bill: {dollars(total.saved_nanos)} ± {dollars(total.spread_nanos)}"),
        (share(total.median_bill_share), "of the bill, median session"),
        (worst, "worst session, of its bill"),
        (never, "dearer than without"),
        (f"{total.without:,} of {total.sessions:,}", "sessions without saving"),
        (f"{sum(total.unpriced.values()):,}", "requests without a price: in no figure of money"),
    )
    return f'<ul class="cards">{"".join(f"<li><b>{figure}</b>{words}</li>" for figure, words in cards)}</ul>'


# Charts


def _distribution(sessions: Sequence[Session]) -> str:
    """Sessions by the share of their tokens that would have been cut."""
    counts: dict[int, int] = {}
    for each in sessions:
        place = max(0, int(each.token_share / BIN))
        counts[place] = counts.get(place, 0) + 1
    last, most = max(counts, default=0), max(counts.values(), default=1)
    width, height, step = 660, 180, 660 / max(8, last + 1)
    bars = "".join(_column(place, counts.get(place, 0), most, step, height) for place in range(max(8, last + 1)))
    return (
        f'<figure><svg role="img" aria-label="Distribution of savings" viewBox="0 0 {width} {height + 40}" width="{width}">'
        f'{bars}<line class="axis" x1="0" x2="{width}" y1="{height}" y2="{height}"/></svg>'
        "<figcaption>Sessions by the share of their input tokens that compression would have cut</figcaption></figure>"
    )


def _column(place: int, count: int, most: int, step: float, height: int) -> str:
    tall, left = (height - 24) * count / most, place * step
    label = f'<text x="{left + step / 2:.1f}" y="{height + 18}" text-anchor="middle">{100 * BIN * place:.0f}-{100 * BIN * (place + 1):.0f}%</text>'
    number = (
        f'<text x="{left + step / 2:.1f}" y="{height - tall - 6:.1f}" text-anchor="middle">{count}</text>'
        if count
        else ""
    )
    bar = f'<rect class="bar" x="{left + 3:.1f}" y="{height - tall:.1f}" width="{step - 6:.1f}" height="{tall:.1f}"/>'
    return bar + number + label


def _bars(told: Estimate) -> str:
    """A bar a session: share of the bill, or of the tokens where there is no price."""
    kept = {each.session for each in sorted(told.sessions, key=lambda each: -each.tokens)[:MOST_BARS]}
    shown = [each for each in told.sessions if each.session in kept]
    widest = max([0.01, *(abs(_of(each)) for each in shown)])
    bars = "".join(_bar(told, each, place * ROW_HEIGHT, widest) for place, each in enumerate(shown))
    width, height = NAME_WIDTH + BAR_WIDTH + 120, ROW_HEIGHT * len(shown) + 4
    left = f" {len(told.sessions) - len(shown):,} smaller ones are left out." if len(shown) < len(told.sessions) else ""
    return (
        f'<figure><svg role="img" aria-label="Savings of each session" viewBox="0 0 {width} {height}" width="{width}">{bars}'
        f'</svg><figcaption>Share of the input bill saved by compression; "tok": of the tokens, where no price is known. '
        f"The worst session is marked.{left}</figcaption></figure>"
    )


def _bar(told: Estimate, each: Session, top: int, widest: float) -> str:
    value = _of(each)
    worst = " worst" if each.session == told.summary.worst_session else ""
    name = each.session if len(each.session) <= NAME_CHARS else each.session[: NAME_CHARS - 1] + "…"
    kind = "" if each.bill_share is not None else " tok"
    length = BAR_WIDTH * max(0.0, value) / widest
    mark = " worst" if worst else ""
    return (
        f'<text x="{NAME_WIDTH - 8}" y="{top + 14}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="bar{worst}" x="{NAME_WIDTH}" y="{top + 4}" width="{max(1.0, length):.1f}" height="{ROW_HEIGHT - 7}"/>'
        f'<text x="{NAME_WIDTH + length + 6:.1f}" y="{top + 14}">{share(value)}{kind}{mark}</text>'
    )


def _of(each: Session) -> float:
    return each.token_share if each.bill_share is None else each.bill_share


# Tables


def _sessions(told: Estimate) -> str:
    head = ("session", "agent", "began", "models", "requests", "input tokens", "cut", "cut %", "bill", "saved", "±", "of bill", "worst moment")  # fmt: skip
    rows = []
    for each in told.sessions:
        words = (each.session, each.agent, (each.began or "-")[:10], ", ".join(each.models) or "-")
        figures = (
            f"{each.requests:,}", short(each.tokens), short(each.removed), share(each.token_share), dollars(each.bill_nanos),
            dollars(each.saved_nanos), dollars(each.spread_nanos), share(each.bill_share), share(each.worst.share),
        )  # fmt: skip
        rows.append(_row(words, figures, "worst" if each.session == told.summary.worst_session else ""))
    return _table(head, 4, rows)


def _lines(lines: Sequence[Line]) -> str:
    head = ("cause", "mechanism", "basis", "requests", "tokens", "saved", "±", "no price")
    rows = []
    for line in lines:
        priced = line.unpriced < line.requests
        saved, spread = (dollars(each if priced else None) for each in (line.nanos, line.spread_nanos))
        figures = (f"{line.requests:,}", short(line.tokens), saved, spread, f"{line.unpriced:,}")
        rows.append(_row((line.cause, line.mechanism, line.basis), figures, ""))
    return _table(head, 3, rows) + '<p class="dim">No line includes another, and none is to be added to another.</p>'


def _table(head: Sequence[str], words: int, rows: Sequence[str]) -> str:
    names = "".join(f"<th{_word(place < words)}>{escape(name)}</th>" for place, name in enumerate(head))
    return f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _row(words: Sequence[str], figures: Sequence[str], kind: str) -> str:
    cells = "".join(f'<td class="word">{escape(each)}</td>' for each in words)
    cells += "".join(f"<td>{escape(each)}</td>" for each in figures)
    return f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>"


def _word(is_word: bool) -> str:  # noqa: FBT001 a cell of words stands at the left
    return ' class="word"' if is_word else ""


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in sentences)}</ul>"
