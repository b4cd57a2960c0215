"""TOML, for keys above the first table. Places are guessed by lines and proven by reading the whole again (tomllib).

The guess may hit a line inside a text of several lines; the proof then fails and the next guess is taken.
"""

import json
import re
import tomllib
from collections.abc import Iterator

from tokenpak.integrations.errors import Unreadable
from tokenpak.integrations.splices import Splice, line_break, whole_lines

_LITERAL = r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_ASIDE = re.compile(r"[ \t]*(?:#.*)?\r?")
"""A line that is empty or a comment."""


def load(text: str) -> object:
    try:
        return _plain(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        raise Unreadable(f"line {found[1]} is not TOML" if found else "it is not TOML") from error


def literals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[int, int]]:
    for found in _lines(text, key):
        yield found.span(1)


def written(value: str, like: str) -> Iterator[str]:
    if like.startswith("'") and "'" not in value:
        yield f"'{value}'"
    yield json.dumps(value)


def additions(text: str, key: tuple[str | int, ...], value: str) -> Iterator[tuple[Splice, ...]]:
    """Below the last key above a table; where there is none, at the very beginning."""
    if len(key) != 1:
        return
    newline = line_break(text)
    line = f"{key[0]} = {json.dumps(value)}"
    for found in _TABLE.finditer(text):
        at = _behind_keys(text, found.start())
        if at:
            yield (Splice(at, "", line + newline),)
        else:
            yield (Splice(0, "", line + newline * 2),)
    if text and not text.endswith("\n"):
        yield (Splice(len(text), "", newline + line),)
    yield (Splice(len(text), "", line + newline),)
    yield (Splice(0, "", line + newline),)


def removals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[Splice, ...]]:
    for found in _lines(text, key):
        yield (whole_lines(text, found.start(1), found.end(1)),)


def _behind_keys(text: str, table: int) -> int:
    """The end of the last line before `table` that is neither empty nor a comment."""
    at = table
    while at:
        before = text.rfind("\n", 0, at - 1) + 1
        if not _ASIDE.fullmatch(text[before : at - 1]):
            break
        at = before
    return at


def _lines(text: str, key: tuple[str | int, ...]) -> Iterator[re.Match[str]]:
    if len(key) == 1:
        name = re.escape(str(key[0]))
        yield from re.finditer(rf"""^[ \t]*(?:{name}|"{name}"|'{name}')[ \t]*=[ \t]*{_LITERAL}""", text, re.MULTILINE)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str) else ("toml", repr(value))
