"""What a command's `--help` says beside its options: examples, exit codes, variables, files, and where to read on.

The parser prints what a docstring says; these parts it knows as an epilogue, and here they are put into one. The difficulty
is that the commands are imported when they are called: so a page is found by the words of the command line, and imported
with `--help` alone. The pages themselves are in `pages`.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_HEADS = ("Parameters", "-")


class Page(NamedTuple):
    """examples: what a command line does, by the line. exits: what an exit code means. variables, files: what they are for.

    see: other commands, and pages of the documentation.
    """

    examples: Mapping[str, str]
    exits: Mapping[int, str] = {}
    variables: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    see: Sequence[str] = ()


def page_of(name: str, arguments: Sequence[str], pages: Mapping[str, Page]) -> Page | None:
    """The page of the command that a command line calls: that of the most words it begins with."""
    words = [name]
    for word in arguments:
        if " ".join((*words, word)) not in pages:
            break
        words.append(word)
    return pages.get(" ".join(words))


def epilogue(page: Page) -> str:
    """The page as it stands below the options."""
    parts = [_part("Examples", _told_below(page.examples))]
    parts += [_part("Exit codes", _told_beside({str(code): words for code, words in page.exits.items()}))]
    parts += [_part("Environment", _told_beside(page.variables)), _part("Files", _told_below(page.files))]
    parts += [_part("See also", [f"  {', '.join(page.see)}"] if page.see else [])]
    return "\n\n".join(filter(None, parts))


def flowed(docstring: str) -> str:
    """A docstring whose paragraphs are one line each, so that they break where the terminal is at its end."""
    lines: list[str] = []
    for line in inspect.cleandoc(docstring).split("\n"):
        if lines and _goes_on(lines[-1], line):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _goes_on(before: str, line: str) -> bool:
    """Whether a line belongs to the paragraph of the one before; neither is a head nor a name with words below."""
    if not before.strip() or not line.strip() or before.startswith(_HEADS) or line.startswith(_HEADS):
        return False
    return _indent(before) == _indent(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _part(title: str, lines: Sequence[str]) -> str:
    return "\n".join((f"{title}:", *lines)) if lines else ""


def _told_below(told: Mapping[str, str]) -> list[str]:
    return [line for what, words in told.items() for line in (f"  {what}", f"      {words}")]


def _told_beside(told: Mapping[str, str]) -> list[str]:
    width = max(map(len, told), default=0)
    return [f"  {what:{width}}  {words}" for what, words in told.items()]
