"""The echo watch: does a model write markers itself?

A model that answers with marker grammar, in its text or into a tool's arguments, shows that it took a marker for
content, and what it writes may end up in a user's file. The difficulty is that the words come in deltas of a few
characters, and that arguments come as a JSON text whose quotes and line ends are escaped: so each block of a reply has a
sliding window, and those of arguments are searched unescaped. A search is due only when the bracket that ends a marker
has come. Windows and their number are bounded; once a marker is heard nothing is kept any more.
"""

import re
from collections.abc import Hashable
from typing import Protocol

from tokenpak.core.markers import LOOKS_LIKE

WINDOW = 2048
"""Characters kept of a block: the longest marker, with room for the escapes of a JSON text."""

MOST_BLOCKS = 32
"""Blocks watched at a time; the one begun first is forgotten. Replies write one block after the other."""

SAYS = b" #"
"""In every marker, and never escaped in JSON: a document without these bytes needs no search."""

_SAYS = SAYS.decode()
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Watch(Protocol):
    """How closely a reply's words are watched. wants: whether they should be told. heard: whether a marker was found."""

    @property
    def wants(self) -> bool:
        """Whether words are still of interest."""

    @property
    def heard(self) -> bool:
        """Whether a marker was found."""

    def said(self, block: Hashable, text: str) -> None:
        """The model wrote `text` at the end of the block."""

    def argued(self, block: Hashable, json: str) -> None:
        """The model wrote a piece of a JSON text at the end of the block."""


class NoEcho:
    """Nobody listens: for requests that hold no marker. Has no state, so one serves all."""

    wants = False
    heard = False

    def said(self, block: Hashable, text: str) -> None:
        """Ignored."""

    def argued(self, block: Hashable, json: str) -> None:
        """Ignored."""


class EchoWatch:
    """Listens to one reply."""

    def __init__(self) -> None:
        self.heard = False
        self._windows: dict[Hashable, str] = {}

    @property
    def wants(self) -> bool:
        """Until the first marker is heard."""
        return not self.heard

    def said(self, block: Hashable, text: str) -> None:
        """The model wrote `text` at the end of the block."""
        window = self._grown(block, text)
        if _due(text, window):
            self._judge(window)

    def argued(self, block: Hashable, json: str) -> None:
        """The model wrote a piece of a JSON text at the end of the block."""
        window = self._grown(block, json)
        if _due(json, window):
            self._judge(unescaped(window))

    def _grown(self, block: Hashable, text: str) -> str:
        """The block's window with `text` behind it, before it is cut back; empty when nothing is watched any more."""
        if self.heard:
            return ""
        if block not in self._windows and len(self._windows) >= MOST_BLOCKS:
            del self._windows[next(iter(self._windows))]
        window = self._windows.get(block, "") + text
        self._windows[block] = window[-WINDOW:]
        return window

    def _judge(self, window: str) -> None:
        if LOOKS_LIKE.search(window):
            self.heard = True
            self._windows.clear()


def _due(text: str, window: str) -> bool:
    return "]" in text and _SAYS in window


def unescaped(json: str) -> str:
    """A piece of a JSON text with the escapes of its strings undone; an escape cut in two stays as it is."""
    return _ESCAPE.sub(_plain, json) if "\\" in json else json


def _plain(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    return chr(int(code, 16)) if code else _SHORT.get(letter, letter)
