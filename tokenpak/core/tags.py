"""Blocks of a text between the lines of a tag: `<system-reminder>` to `</system-reminder>`."""

import re
from collections.abc import Iterator

_OPENS = re.compile(r"<(?<=^<)([a-z][a-z0-9_-]{2,40})>$", re.MULTILINE)
"""Begins with its bracket, which is jumped to, and only then looks behind: `^` is tried at every character."""
LONGEST = 16_384
"""Characters a block may have."""


def tagged(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Tag, beginning and end of each block within a range of whole lines; blocks do not overlap."""
    first = text.find("<", start, end)  # one character is jumped to; most texts have none
    at = start if first >= 0 and text.find("\n</", first, end) >= 0 else end
    while at < end and (opens := _OPENS.search(text, at, end)):
        closing = f"\n</{opens[1]}>"
        close = text.find(closing, opens.end(), min(end, opens.end() + LONGEST))
        behind = close + len(closing)
        at = opens.end()
        if close >= 0 and (behind == len(text) or text[behind] == "\n"):
            yield opens[1], opens.start(), behind
            at = behind
