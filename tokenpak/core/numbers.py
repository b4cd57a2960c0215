"""Padding of displayed line numbers, taken and put back. The two are inverse where `paddable` says so."""

import re
from collections.abc import Iterator

_PADDED = re.compile(r"^ {1,5}(?=[0-9]{1,5}[→\t])", re.MULTILINE)
_BARE = re.compile(r"^[0-9]{1,5}(?=[→\t])", re.MULTILINE)
WIDTH = 6
"""Characters to which tools pad line numbers (`cat -n`, `nl`)."""


def padding_in(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """The blanks before line numbers in a range of whole lines."""
    return _PADDED.finditer(text, start, end)


def unpadded(text: str) -> str:
    """The text with its line numbers at the beginning of their lines."""
    return _PADDED.sub("", text)


def padded(text: str) -> str:
    """The text with its line numbers padded to `WIDTH`."""
    return _BARE.sub(lambda number: number[0].rjust(WIDTH), text)


def paddable(text: str) -> bool:
    """True when putting the padding back gives the text again: every number in it is padded to `WIDTH`."""
    return padded(unpadded(text)) == text
