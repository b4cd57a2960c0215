"""Pages of the documentation as tests read them: blocks that a reader would type, and commands named in passing."""

import contextlib
import re
from pathlib import Path
from typing import NamedTuple

import cyclopts

from tokenpak.cli import ctl, main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(tokenpak|tokenpakctl) (.+)")
_PROGRAMS = {"tokenpak": main.COMMANDS, "tokenpakctl": ctl.COMMANDS}


class Step(NamedTuple):
    """One command of a page, and the lines the page shows as its output; None where it shows none."""

    command: str
    shown: tuple[str, ...] | None


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def steps(page: str) -> list[Step]:
    """What a reader types, in order. `console`: commands after "$ ", each with its output; `sh`: commands alone."""
    return [step for kind, text in _BLOCK.findall(page) for step in _steps(kind, text.splitlines())]


def _steps(kind: str, lines: list[str]) -> list[Step]:
    if kind == "sh":
        return [Step(line, None) for line in lines if line]
    assert lines[0].startswith("$ "), f"a console block begins with a command, and not with {lines[0]!r}"
    found: list[Step] = []
    for line in lines:
        if line.startswith("$ "):
            found.append(Step(line.removeprefix("$ "), ()))
        else:
            found[-1] = Step(found[-1].command, (*found[-1].shown, line))
    return found


def commands(page: str) -> list[str]:
    """Every command line of ours that a page names: in blocks, and between backticks."""
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", page)]
    typed = [
        line.strip()
        for block in re.findall(r"^```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    lines = [line.removeprefix("$ ").partition(" #")[0].strip() for line in (*typed, *spans)]
    return sorted({line for line in lines if _COMMAND.fullmatch(line)})


def parse(command: str) -> None:
    """Read a command line as our programs do, without running it. Raises cyclopts.CycloptsError."""
    program, *words = command.split()
    app = cyclopts.App(name=program)
    for word, each in _PROGRAMS[program].items():
        app.command(each.target, name=word)
    assert words[0] in _PROGRAMS[program], f"{program} has no {words[0]!r}"
    tolerated = (cyclopts.MissingArgumentError,) if len(words) == 1 else ()  # a command named, not a line to be typed
    with contextlib.suppress(*tolerated):
        app.parse_args(words, exit_on_error=False, print_error=False)


def named_tests(page: str) -> list[tuple[str, str]]:
    """The tests a page names, as file and function."""
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)))
