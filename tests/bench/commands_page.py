"""The reference of the commands, written from what `--help` says: every command, its options, examples and exit codes.

    python tests/bench/commands_page.py docs/reference/commands.md

Words, defaults and choices are those of the parser (`tokenpak/cli/commands`), what stands below them those of the pages
(`tokenpak/cli/pages.py`). Written from the parser and not from its screens, which look otherwise with every version of it.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.cli.commands_walk import LINES, OWN_PARSER, Walked, walked  # noqa: E402 - the path above makes it importable
from tokenpak.cli.commands.statusline import USAGE  # noqa: E402 - see above
from tokenpak.cli.manual import flowed  # noqa: E402 - see above
from tokenpak.cli.pages import PAGES  # noqa: E402 - see above

INTRODUCTION = """# Commands

What `--help` says, to be read here (`python tests/bench/commands_page.py`). `tokenpak` is for whoever works with it,
`tokenpakctl` looks after the service.
"""
TRUE = "on"


def page() -> str:
    return "\n".join([INTRODUCTION, *(line for each in walked() for line in _section(each))])


def _section(each: Walked) -> Iterator[str]:
    yield f"{'#' * (2 if len(each.words) == 1 else 3)} {each.name}\n"
    if each.name == OWN_PARSER:
        yield f"```text\n{USAGE}```\n"
        return
    yield f"{flowed(_described(each)).split(f'{chr(10)}Parameters{chr(10)}')[0].strip()}\n"
    if len(each.words) > 1 and each.app.default_command is not None:
        yield from _options(each)
    yield from _below(each.name)


def _described(each: Walked) -> str:
    """By its line in the list of commands, and its docstring. The parser of one that has commands of its own keeps either,
    whichever it was told last.
    """
    function = each.app.default_command
    if len(each.words) == 1 or function is None:
        return each.app.help
    line = LINES[each.words[0]][1][each.words[1]].about if len(each.words) == 2 else ""
    words = inspect.getdoc(function) or ""
    return words if words.startswith(line.rstrip(".")) else f"{line}\n\n{words}"


def _options(each: Walked) -> Iterator[str]:
    yield "| argument or option | what it does | default |"
    yield "|---|---|---|"
    for argument in each.app.assemble_argument_collection(parse_docstring=True):
        names = ", ".join(f"`{name}`" for name in argument.names)
        words = " ".join([argument.parameter.help or "", *_choices(argument)]).replace("|", "\\|")
        yield f"| {names} | {words} | {_default(argument)} |"
    yield ""


def _choices(argument: Any) -> list[str]:
    choices = argument.get_choices() or ()
    return [f"One of: {', '.join(f'`{choice}`' for choice in choices)}."] if choices else []


def _default(argument: Any) -> str:
    """What holds where it is not written; empty where the words say it, or nothing does."""
    if argument.required:
        return "must be there"
    value = argument.field_info.default
    if argument.hint is bool or isinstance(value, bool):
        return TRUE if value else ""
    return "" if value in (None, "", ()) or value is inspect.Parameter.empty else f"`{value}`"


def _below(name: str) -> Iterator[str]:
    told = PAGES[name]
    if told.examples:
        lines = [line for example, words in told.examples.items() for line in (f"{example}", f"    {words}")]
        yield "\n".join(["```text", *lines, "```", ""])
    yield from _table("exit code", {str(code): words for code, words in told.exits.items()})
    yield from _table("variable", told.variables)
    yield from _table("file", told.files)
    if told.see:
        yield f"See also: {', '.join(_linked(each) for each in told.see)}.\n"


def _table(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    if rows:
        yield f"| {title} | |"
        yield "|---|---|"
        yield from (f"| `{name}` | {words} |" for name, words in rows.items())
        yield ""


def _linked(each: str) -> str:
    if each.startswith("docs/"):
        return f"[{each}](../{each.removeprefix('docs/')})"
    return f"[`{each}`](#{each.replace(' ', '-')})" if each in PAGES else f"`{each}`"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: commands_page.py PAGE")
    Path(sys.argv[1]).write_text(page())


if __name__ == "__main__":
    main()
