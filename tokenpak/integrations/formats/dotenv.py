"""Files of NAME=value lines, as the `dotenv` package of node reads them: of a name that stands twice, the last counts."""

import re
from collections.abc import Iterator

from tokenpak.integrations.splices import Splice, line_break, whole_lines

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*|:[ \t]+)"""
    r"""('(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`|[^#\r\n]*?)[ \t]*(?:\#[^\r\n]*)?\r?$""",
    re.MULTILINE,
)
_QUOTES = "'\"`"


def load(text: str) -> object:
    """Earlier lines of a name that stands twice are kept under (name, number)."""
    held: dict[object, object] = {}
    for number, found in enumerate(_LINE.finditer(text)):
        if found[1] in held:
            held[found[1], number] = held[found[1]]
        held[found[1]] = _value(found[2])
    return held


def literals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[int, int]]:
    found = _last(text, key)
    if found is not None:
        yield found.span(2)


def written(value: str, like: str) -> Iterator[str]:
    if like[:1] in _QUOTES and like[:1]:
        yield f"{like[0]}{value}{like[0]}"
    yield value
    yield f'"{value}"'


def additions(text: str, key: tuple[str | int, ...], value: str) -> Iterator[tuple[Splice, ...]]:
    newline = line_break(text)
    line = f"{key[0]}={value}"
    if text and not text.endswith("\n"):
        yield (Splice(len(text), "", newline + line),)
    yield (Splice(len(text), "", line + newline),)


def removals(text: str, key: tuple[str | int, ...]) -> Iterator[tuple[Splice, ...]]:
    found = _last(text, key)
    if found is not None:
        yield (whole_lines(text, found.start(1), found.end(2)),)


def _last(text: str, key: tuple[str | int, ...]) -> re.Match[str] | None:
    if len(key) != 1:
        return None
    found = [each for each in _LINE.finditer(text) if each[1] == key[0]]
    return found[-1] if found else None


def _value(written: str) -> str:
    quoted = len(written) > 1 and written[0] in _QUOTES and written[-1] == written[0]
    return written[1:-1] if quoted else written
