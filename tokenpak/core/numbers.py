"""Padding of displayed line numbers, taken and put back. The two are inverse where `paddable` says so."""

import re

# Looked for in the text with a line feed before it: `^` is tried at every character, a line feed is jumped to.
_PADDED = re.compile(r"\n( {1,5})(?=[0-9]{1,5}[→\t])")
_BARE = re.compile(r"\n([0-9]{1,5})(?=[→\t])")
WIDTH = 6
"""Characters to which tools pad line numbers (`cat -n`, `nl`)."""

_OTHERWISE = re.compile(rf"\n(?![ 0-9]{{{WIDTH}}}[→\t]) {{0,5}}[0-9]{{1,5}}[→\t]")
"""A number that would not come back as it was: one whose separator does not stand behind `WIDTH` characters."""


def padding_in(text: str) -> list[str]:
    """The blanks before the line numbers of a text, one after the other."""
    return _PADDED.findall("\n" + text) if "\t" in text or "→" in text else []


def padding_begins(text: str) -> int:
    """Where the first of those blanks stand; the length of the text where it has none."""
    first = _PADDED.search("\n" + text)
    return first.start() if first else len(text)


def unpadded(text: str) -> str:
    """The text with its line numbers at the beginning of their lines."""
    return _PADDED.sub("\n", "\n" + text)[1:]


def padded(text: str) -> str:
    """The text with its line numbers padded to `WIDTH`."""
    pieces = _BARE.split("\n" + text)
    pieces[1::2] = ["\n" + number.rjust(WIDTH) for number in pieces[1::2]]
    return "".join(pieces)[1:]


def paddable(text: str) -> bool:
    """True when putting the padding back gives the text again: every number in it is padded to `WIDTH`."""
    return _OTHERWISE.search("\n" + text) is None
