"""Which project a request is about: the last name of the working folder that an agent tells its model.

For reports alone. Agents say it in prose of their system prompt or of the first messages, each in its own words
(recorded, facts/clients section 2); whoever says nothing has no project. The difficulty is that this is read from raw
JSON, before anything is decoded, so a path ends at an escape.
"""

import re
from collections.abc import Iterable

import msgspec

SAID = re.compile(
    rb"(?:[Ww]orking [Dd]irectory(?: is)?:? ?\(?|<cwd>)"
    rb"(?P<path>(?:/|\\/|~|[A-Za-z]:)(?:\\\\|\\/|\\u[0-9a-fA-F]{4}|[^\s\"<>()`\\])*+)(?=[\s\"<>()`\\])"
)
MOST = 16_384
"""Bytes of a text in which the working folder is looked for; agents say it in their first lines, or in a system prompt."""
LONGEST = 128
_SEPARATOR = re.compile(r"[/\\]+")


def project_of(texts: Iterable[bytes]) -> str | None:
    """The project named in the first of these pieces of raw JSON that names one."""
    for text in texts:
        for piece in (text[:MOST], text[-MOST:] if len(text) > MOST else b""):
            found = SAID.search(piece)
            if found and (name := _last_name(found["path"])):
                return name
    return None


def _last_name(path: bytes) -> str | None:
    """The last name of a path, as it stands in JSON."""
    try:
        whole = msgspec.json.decode(b'"' + path + b'"', type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    names = [name for name in _SEPARATOR.split(whole.rstrip(".,;")) if name]
    return names[-1][:LONGEST] if names else None
