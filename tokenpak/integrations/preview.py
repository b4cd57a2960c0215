"""The change of a file as a person reads it: a unified diff in which secrets are masked.

Context lines belong to the user's settings, where keys and tokens live. Masking errs on the side of too much: whatever is
named like a secret, looks like one to the detectors of redaction, or is long and looks drawn by lot.
"""

import difflib
import re
from pathlib import Path

from tokenpak.core.detectors import find
from tokenpak.integrations.files import BOM

MASK = "********"
_NAME = r"""((?:key|token|secret|passw|auth|credential|cookie|bearer|session)[\w.-]*(?:["']?\s*[:=]\s*|["'],\s*))"""
_QUOTED = r""""(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`|\[[^\]]*\]"""
_WORD = r"(?!(?:null|true|false|-?[\d.]+)\s*(?:[,}\]]|$))"
_IN_BRACES = re.compile(rf"{_NAME}({_QUOTED}|{_WORD}[^\s,}}\]\"'\[{{][^,}}\]]*)", re.IGNORECASE)
_ON_A_LINE = re.compile(rf"{_NAME}({_QUOTED}|{_WORD}[^\s\"'\[{{].*)", re.IGNORECASE)
"""Without braces around it, a value without quotes goes on to the end of its line."""
_USER_INFO = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
_LONG = re.compile(r"[A-Za-z0-9+=_-]{20,}")


def diff(file: Path, before: bytes | None, after: bytes | None) -> str:
    """A unified diff from `before` to `after`, None for no file; empty for no difference."""
    old, new = _lines(before), _lines(after)
    name = "/dev/null" if before is None else str(file)
    lines = difflib.unified_diff(old, new, name, str(file), lineterm="")
    return "".join(f"{line}\n" for line in lines)


def masked(text: str) -> str:
    """`text` without what is, or may be, a secret."""
    for found in sorted(find(text), key=lambda each: -each.start):
        text = text[: found.start] + MASK + text[found.end :]
    text = "".join(map(_masked_line, text.splitlines(keepends=True)))
    return _LONG.sub(_if_random, _USER_INFO.sub(MASK, text))


def _masked_line(line: str) -> str:
    pattern = _IN_BRACES if "{" in line or line.lstrip().startswith('"') else _ON_A_LINE
    return pattern.sub(lambda match: match[1] + _as_quoted(match[2]), line)


def _lines(data: bytes | None) -> list[str]:
    """Masked as a whole, since a secret may have several lines; a line keeps no carriage return."""
    return masked((data or b"").removeprefix(BOM).decode(errors="replace")).splitlines()


def _as_quoted(value: str) -> str:
    return f"{value[0]}{MASK}{value[-1]}" if value[0] in "\"'`[" else MASK


def _if_random(found: re.Match[str]) -> str:
    mixed = re.search(r"\d", found[0]) and re.search(r"[A-Za-z]", found[0])
    return MASK if mixed else found[0]
