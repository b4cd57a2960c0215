"""Every command of both command lines, with its parser, for whoever looks at all of them."""

from collections.abc import Iterator
from typing import NamedTuple

from cyclopts import App

from tokenpak.cli import ctl, main
from tokenpak.cli.application import application

LINES = {"tokenpak": (main.ABOUT, main.COMMANDS), "tokenpakctl": (ctl.ABOUT, ctl.COMMANDS)}
OWN_PARSER = "tokenpak statusline"
"""Reads its few options itself."""


class Walked(NamedTuple):
    """words: as they are typed. app: its parser."""

    words: tuple[str, ...]
    app: App

    @property
    def name(self) -> str:
        return " ".join(self.words)


def parser(name: str, *words: str) -> App:
    """The parser of a command line that asks for the help of a command."""
    about, commands = LINES[name]
    return application(name, about, commands, (*words, "--help"))


def walked() -> Iterator[Walked]:
    for name, (_about, commands) in LINES.items():
        yield Walked((name,), parser(name))
        for word in commands:
            called = parser(name, word)[word]
            yield Walked((name, word), called)
            yield from (Walked((name, word, each), called[each]) for each in called if not each.startswith("-"))
