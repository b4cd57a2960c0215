"""The repository the made-up agent works on, and what its tools answer: files with line numbers, edits, test runs, logs.

Everything a tool prints is computed from the files as they are at that moment, so that the repetitions in a session are
the ones a real agent causes: a file read again after an edit, a traceback that quotes it, a search that lists its lines.
"""

import re
from random import Random
from typing import Literal

from tokenpak.mock_provider.session.modules import Module, write_module

Numbering = Literal["tab", "padded"]
"""How a client shows line numbers: `12<tab>text` today, `    12→text` in older versions."""

ROOT = "/home/dev/depot"
PACKAGE = f"{ROOT}/src/depot"
SNIPPET = 4
"""Lines shown around an edit by clients that echo it."""


class Repository:
    """Files by path; all changes go through `edit` and `write`."""

    def __init__(self, rng: Random, modules: int) -> None:
        self._rng = rng
        self.modules: list[Module] = [write_module(rng, nth, rng.randint(11, 14)) for nth in range(modules)]
        self.files: dict[str, str] = {f"{PACKAGE}/{module.name}.py": module.text for module in self.modules}
        self.files[f"{ROOT}/Makefile"] = "test:\n\tpython -m pytest -q\n\nlint:\n\truff check src tests\n"

    def path(self, nth: int) -> str:
        """The path of module number `nth`."""
        return f"{PACKAGE}/{self.modules[nth].name}.py"

    # Tools

    def read(self, path: str, numbering: Numbering, offset: int = 1, limit: int = 2000) -> str:
        """Lines with their numbers, as a Read tool shows them."""
        lines = self.files[path].splitlines()[offset - 1 : offset - 1 + limit]
        return numbered(lines, offset, numbering)

    def edit(self, path: str, old: str, new: str) -> int:
        """Replace the first occurrence; the number of the line where it starts."""
        text = self.files[path]
        at = text.index(old)
        self.files[path] = text[:at] + new + text[at + len(old) :]
        return text.count("\n", 0, at) + 1

    def around(self, path: str, line: int, lines: int, numbering: Numbering) -> str:
        """The numbered lines of an edit and a few on both sides."""
        first = max(1, line - SNIPPET)
        return self.read(path, numbering, first, lines + 2 * SNIPPET)

    def write(self, path: str, text: str) -> None:
        """Create or overwrite a file."""
        self.files[path] = text

    def search(self, pattern: str) -> str:
        """Matching lines as `path:number:line`, the way a search tool lists them."""
        wanted = re.compile(pattern)
        return "\n".join(
            f"{path.removeprefix(ROOT + '/')}:{number}:{line}"
            for path, text in self.files.items()
            for number, line in enumerate(text.splitlines(), 1)
            if wanted.search(line)
        )

    def listing(self) -> str:
        """`ls -la` of the package."""
        rows = [
            f"-rw-r--r-- 1 dev dev {len(text.encode()):>6} Nov 24 {9 + nth % 9:02}:{nth * 7 % 60:02} {path.rpartition('/')[2]}"
            for nth, (path, text) in enumerate(self.files.items())
            if path.startswith(PACKAGE)
        ]
        return "\n".join([f"total {len(rows)}", *rows])

    # What runs

    def test_run(self, failing: str | None) -> str:
        """The output of the tests; the named function fails with a traceback that quotes its file."""
        files = [path for path in self.files if path.endswith(".py")]
        head = [
            "============================= test session starts ==============================",
            "platform linux -- Python 3.12.3, pytest-8.4.2, pluggy-1.6.0",
            f"rootdir: {ROOT}",
            f"collected {len(files) * 9} items",
            "",
        ]
        dots = [f"tests/test_{path.rpartition('/')[2][:-3]}.py {'.' * (5 + nth % 7)}" for nth, path in enumerate(files)]
        if failing is None:
            return "\n".join(
                [*head, *dots, "", f"============== {len(files) * 9} passed in {self._seconds()}s =============="]
            )
        return "\n".join(
            [
                *head,
                *dots,
                "",
                *self._failure(failing),
                f"=== 1 failed, {len(files) * 9 - 1} passed in {self._seconds()}s ===",
            ]
        )

    def _failure(self, function: str) -> list[str]:
        path, number, body = self.function(function)
        short = path.removeprefix(ROOT + "/")
        quoted = [f"    {line}" if line else "" for line in body.splitlines()]
        return [
            "=================================== FAILURES ===================================",
            f"_______________________________ test_{function} _______________________________",
            "",
            *quoted,
            "E       AssertionError: assert Decimal('12.35') == Decimal('12.34')",
            f"E        +  where Decimal('12.35') = {function}(…)",
            "",
            f"{short}:{number + len(quoted) - 1}: AssertionError",
            "=========================== short test summary info ============================",
            f"FAILED tests/test_{short.rpartition('/')[2]}::test_{function} - AssertionError: assert Decimal('12.35') == …",
        ]

    def function(self, name: str) -> tuple[str, int, str]:
        """Path, first line number and text of a function."""
        for path, text in self.files.items():
            found = re.search(
                rf"^(?:async )?def {re.escape(name)}\(.*?(?=\n\n\n|\n*\Z)", text, re.MULTILINE | re.DOTALL
            )
            if found:
                return path, text.count("\n", 0, found.start()) + 1, found[0]
        raise KeyError(name)

    def functions(self, path: str) -> list[str]:
        """The names of a file's functions, in order."""
        return re.findall(r"^(?:async )?def (\w+)\(", self.files[path], re.MULTILINE)

    def log(self, module: str, lines: int) -> str:
        """The tail of the service's log."""
        rng, out = self._rng, []
        for nth in range(lines):
            stamp = f"2026-11-24T{8 + nth // 60:02}:{nth % 60:02}:{rng.randint(0, 59):02}.{rng.randint(0, 999):03}Z"
            event = rng.choice(
                (
                    f"INFO  depot.{module} imported {rng.randint(3, 900)} rows in {rng.randint(20, 4000)} ms",
                    f"INFO  depot.http GET /{module}?cursor={rng.randbytes(6).hex()} 200 {rng.randint(2, 80)}ms",
                    f"WARN  depot.{module} {rng.randint(1, 40)} rows left out, limit reached → see runbook §4",
                    f'ERROR depot.store lock "{rng.randbytes(3).hex().upper()}" held by worker-{rng.randint(1, 8)} for 30s',
                    f"DEBUG depot.mail to=büro@example.test subject='✓ {rng.randint(1, 99)} offen' size={rng.randint(900, 9000)}",
                )
            )
            out.append(f"{stamp} {event}")
        return "\n".join(out)

    def _seconds(self) -> str:
        return f"{self._rng.randint(100, 999) / 100:.2f}"


def numbered(lines: list[str], first: int, numbering: Numbering) -> str:
    """Lines with displayed numbers from `first`."""
    if numbering == "tab":
        return "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))
    return "\n".join(f"{number:>6}→{line}" for number, line in enumerate(lines, first))
