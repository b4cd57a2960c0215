"""What the made-up agent does, turn by turn: look around, read, change, read again, test, read a log, write a test.

Turns are kept in a neutral form; `shapes` casts them into each API format.
"""

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec

from tokenpak.mock_provider.session.repository import PACKAGE, ROOT, Numbering, Repository

MODULES = 10
ROUNDS = 6


class Step(msgspec.Struct, frozen=True):
    """A tool call and its result."""

    tool: str
    arguments: dict[str, Any]
    result: str
    failed: bool = False


class Turn(msgspec.Struct, frozen=True):
    """What the agent says and does in one reply; `asked`, what the user says before it, if anything."""

    said: str
    steps: tuple[Step, ...] = ()
    thought: str = ""
    asked: str = ""


class Agent:
    """Works through one task on a repository of its own. The same seed does the same work."""

    def __init__(self, seed: int, numbering: Numbering) -> None:
        self._rng = Random(seed)
        self._numbering: Numbering = numbering
        self.repository = Repository(self._rng, MODULES)

    def turns(self) -> Iterator[Turn]:
        """The whole session."""
        names = [module.name for module in self.repository.modules]
        yield Turn(
            "I'll look at the package first.",
            (self._run("ls -la src/depot", self.repository.listing()), self._search(r"quantize|round\(")),
            thought="The user wants totals rounded once. I should find every place that rounds before touching anything.",
            asked=f"The totals in {names[0]} and {names[2]} are off by a cent on some days — “12.35” instead of “12.34”. "
            "Find out why, fix it everywhere it happens, and add tests. Don't change any public signature.",
        )
        for nth in range(ROUNDS):
            yield from self._round(nth)
        yield Turn("", (self._tests(None),))
        yield Turn(
            "All tests pass. The amounts are now summed unrounded and quantised once, in each of the modules; "
            "the new tests cover the boundary (½ cent) and an empty list.",
        )

    def _round(self, nth: int) -> Iterator[Turn]:
        """One module: read it and a neighbour, change it, see a test fail, read it again, change it, test."""
        rng, path, neighbour = self._rng, self.repository.path(nth), self.repository.path(nth + 2)
        reads = (self._read(path), self._read(self.repository.path(nth + 1)), self._read(neighbour))[2 * (nth > 0) :]
        asked = f"Good. {rng.choice(_URGES)}" if nth in {3, 5} else ""
        yield Turn(rng.choice(_BEFORE_READ), reads, thought=rng.choice(_THOUGHTS) if nth % 2 else "", asked=asked)
        name = rng.choice(self.repository.functions(path))
        yield Turn(f"`{name}` looks wrong to me; I'll change it first.", (self._edit(name),))
        yield Turn("", (self._tests(name),))
        if nth % 2:
            yield Turn("Let me see what the service said when that happened.", (self._log(nth),))
        yield Turn("The traceback does not fit the file I remember. Reading it again.", (self._read(path),))
        yield Turn("", (self._edit(name), self._search(rf"\b{name}\b")))
        if nth % 3 == 0:
            yield Turn("Now a test for exactly this.", (self._write_test(name),))

    # Steps

    def _read(self, path: str) -> Step:
        return Step("Read", {"file_path": path}, self.repository.read(path, self._numbering))

    def _run(self, command: str, output: str, *, failed: bool = False) -> Step:
        return Step("Bash", {"command": command, "description": _described(command)}, output, failed)

    def _tests(self, failing: str | None) -> Step:
        return self._run("python -m pytest -q", self.repository.test_run(failing), failed=failing is not None)

    def _log(self, nth: int) -> Step:
        name = self.repository.modules[nth].name
        return self._run(f"tail -n 60 var/log/{name}.log", self.repository.log(name, 60))

    def _search(self, pattern: str) -> Step:
        found = self.repository.search(pattern)
        arguments = {"pattern": pattern, "path": PACKAGE, "output_mode": "content", "-n": True}
        return Step("Grep", arguments, found or "No matches found")

    def _edit(self, function: str) -> Step:
        """Change one statement of a function, and put a line or two before it."""
        path, _, body = self.repository.function(function)
        rows = body.splitlines()
        at = self._rng.randrange(1, len(rows))
        old = "\n".join(rows[max(0, at - 1) : at + 2])
        indent = re.match(r" *", rows[at] or "    ")
        blank = indent[0] if indent else ""
        new = "\n".join(
            [rows[max(0, at - 1)], *(f"{blank}{line}" for line in self._rng.choice(_PATCHES)), *rows[at : at + 2]]
        )
        line = self.repository.edit(path, old, new)
        return Step("Edit", {"file_path": path, "old_string": old, "new_string": new}, self._edited(path, line, new))

    def _edited(self, path: str, line: int, new: str) -> str:
        if self._numbering == "tab":
            return f"The file {path} has been updated successfully."
        shown = self.repository.around(path, line, new.count("\n") + 1, self._numbering)
        return f"The file {path} has been updated. Here's the result of running `cat -n` on a snippet of the edited file:\n{shown}"

    def _write_test(self, function: str) -> Step:
        path = f"{ROOT}/tests/test_{function}.py"
        module = self.repository.function(function)[0].rpartition("/")[2][:-3]
        text = _TEST.format(function=function, module=module, cents=self._rng.randint(10, 99))
        self.repository.write(path, text)
        return Step("Write", {"file_path": path, "content": text}, f"File created successfully at: {path}")


def _described(command: str) -> str:
    known: dict[str, Callable[[], str]] = {
        "ls": lambda: "List the package",
        "python": lambda: "Run the tests",
        "tail": lambda: "Show the end of the log",
    }
    return known[command.split(maxsplit=1)[0]]()


_BEFORE_READ = (
    "Next module.",
    "I'll read the code around it before I decide.",
    "Its neighbour does the same sum in another way; let me compare.",
    "",
)
_THOUGHTS = (
    "Rounding inside the loop would explain one cent per row, but only when a row ends in a half. Check the neighbour too.",
    "The grep shows three more places. If I change the helper, the report changes as well; the tests will tell.",
)
_URGES = (
    "Please look at the other modules as well, the same mistake may be there (the café orders, for instance).",
    "Keep going → and tell me at the end which functions you touched.",
)
_PATCHES = (
    ("# Rounded once, at the end: half cents must not add up.", "pending = Decimal(0)"),
    ("# An empty list is not an error here.",),
    ('logger.debug("summing %s", "…")',),
    ("# The naïve version rounded each row.", "assert CENT > 0"),
)
_TEST = '''"""{function}: the half cent, and nothing at all."""

from decimal import Decimal

import pytest

from depot import {module}


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 100])
def test_{function}_sums_before_it_rounds(rows: int) -> None:
    amounts = [Decimal("0.{cents}5")] * rows
    assert {module}.total(amounts) == sum(amounts, Decimal(0)).quantize(Decimal("0.01"))


def test_{function}_of_nothing() -> None:
    assert {module}.total([]) == Decimal("0.00")


def test_{function}_keeps_odd_names() -> None:
    names = ["Ö\\u00f6l", "tab\\there", 'quote"d', "back\\\\slash", "日本"]
    assert {module}.names(names) == sorted(names, key=str.casefold)
'''
