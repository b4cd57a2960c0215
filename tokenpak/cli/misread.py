"""A command line that could not be understood, in words for whoever typed it.

The parser says what is wrong. Two of its sentences help nobody: an option where a command is due is called a command, and
what stands behind the value of an option is "unused". They are said anew here; all others stay the parser's.
"""

import typing
from collections.abc import Callable, Sequence

from cyclopts import CycloptsError, CycloptsPanel, UnknownCommandError, UnusedCliTokensError
from rich.panel import Panel
from rich.text import Text


def panel(error: CycloptsError) -> Panel:
    """What is printed instead of what was asked for."""
    return CycloptsPanel(Text(words(error)))


def words(error: CycloptsError) -> str:
    """What is wrong, and where it can be known how to write it."""
    match error:
        case UnknownCommandError(unused_tokens=[str() as word, *_]) if word.startswith("-"):
            return f"Unknown option: {word}."
        case UnusedCliTokensError(unused_tokens=[*unused]):
            return f"Not understood: {' '.join(unused)}.{_again(error, unused[0])}"
    return str(error)


def _again(error: CycloptsError, word: str) -> str:
    """How an option gets one value more, where the word stands behind the value of one that may have several."""
    typed = list(error.root_input_tokens or ())
    before = typed[: typed.index(word)] if word in typed else []
    option = before[-2] if len(before) > 1 else ""
    if not option.startswith("--") or error.target is None or not _may_repeat(error.target, option):
        return ""
    return f" For several values, write the option before each: {option} {before[-1]} {option} {word}"


def _may_repeat(function: Callable[..., object], option: str) -> bool:
    hint = typing.get_type_hints(function).get(option.removeprefix("--").replace("-", "_"))
    told: Sequence[object] = (hint, *typing.get_args(hint))
    return any(typing.get_origin(each) in (tuple, list) for each in told)
