"""JSON in tool results: white space that means nothing, and lists of objects with the same keys as tables.

Two passes in one walk, since both rewrite the same texts: `json-space` and `json-tables`. A JSON text is looked for
where a line begins with its first bracket; it ends where its last bracket ends a line.
"""

import re
from collections.abc import Iterator, Sequence

from tokenpak.core.json_text import rewritten
from tokenpak.core.markers import Json, render
from tokenpak.core.passes.target import Target, Weigher
from tokenpak.core.patch import Change

SPACE, TABLES = "json-space", "json-tables"
LEAST_SAVED = 16
SHORTEST = 120
_OPENS = re.compile(r"^[\[{](?=[\"\[{ \n])", re.MULTILINE)
_CLOSES = re.compile(r"^[\]}]$", re.MULTILINE)
_TRIES = 8


def propose(target: Target, stays: Sequence[tuple[int, int]], passes: Sequence[str], weigher: Weigher) -> list[Change]:
    """The changes for the ranges that stay."""
    return [
        change
        for start, end in stays
        for a, b in _texts(target.text, start, end)
        if (change := _change(target, a, b, passes, weigher))
    ]


def _texts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where JSON texts may stand: from a line that opens one to the line that closes it as it was opened."""
    at, tries = start, 0
    while tries < _TRIES and (opens := _OPENS.search(text, at, end)):
        begin = opens.start()
        line_end = text.find("\n", begin, end)
        line_end = end if line_end < 0 else line_end
        closes = line_end
        if line_end - begin < 3:  # a bracket alone: the text is indented, its end is one too
            close = _CLOSES.search(text, line_end, end)
            closes = close.end() if close else begin
        if closes - begin >= SHORTEST:
            tries += 1
            yield begin, closes
        at = max(closes, line_end) + 1


def _change(target: Target, start: int, end: int, passes: Sequence[str], weigher: Weigher) -> Change | None:
    text = target.text[start:end]
    found = rewritten(text, space=SPACE in passes, rows=TABLES in passes)
    if found is None:
        return None
    marker = render(target.place.signed(Json(found.layout, found.rows), start, text))
    new = f"{marker}\n{found.line}"
    saved = weigher.at_least(text) - weigher.at_most(new)
    if saved < LEAST_SAVED:
        return None
    return Change(target.place.part, start, end, new, TABLES if found.rows else SPACE, saved)
