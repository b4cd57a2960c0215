"""The shape of what a command prints: figures, times, ids and blanks are alike whatever they are, words are not.

A page shows one run's output; a test has another one's. `…` in a shown line stands for any text, alone on a line for any
number of lines, and nothing else may be missing or more.
"""

import difflib
import re

_ALIKE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\+[0-9a-f]{8}\b"), "+HASH"),
    (re.compile(r"<\$"), "$"),
    (re.compile(r"\d[\d,.]*"), "0"),
    (re.compile(r"0 ([KMG]i)?B\b"), "0 SIZE"),
    (re.compile(r"\b0[smhd]( 0[smhd])?\b"), "0 TIME"),
    (re.compile(r"\b(tokens of|for one of) (o0k_base|estimate)\b"), r"\1 COUNTER"),
    (re.compile(r"\s+"), " "),
)


def shape(line: str) -> str:
    """A line with everything replaced that another run would print otherwise."""
    for pattern, word in _ALIKE:
        line = pattern.sub(word, line)
    return line.strip()


def difference(shown: tuple[str, ...], printed: list[str]) -> str:
    """What is printed and not shown, or shown and not printed, as a diff; empty where they agree."""
    expected, found = [shape(line) for line in shown], [shape(line) for line in printed]
    pattern = "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in expected)
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in found)):
        return ""
    return "\n".join(difflib.unified_diff(expected, found, "shown", "printed", n=99, lineterm=""))
