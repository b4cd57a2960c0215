"""The formats that clients keep their settings in: each tells what a text holds, and proposes the smallest changes of it.

A format only proposes. Whoever changes a file reads every proposal again as a whole and takes the first that changed the
one key and nothing else (integrations/setting), so a proposal may be naive, and none of them needs to be trusted.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

from tokenpak.integrations.formats import dotenv, jsonc, toml, yaml
from tokenpak.integrations.splices import Splice

FormatName = Literal["json", "toml", "yaml", "dotenv"]

Key = tuple[str | int, ...]
"""Where a value stands: names of members, and numbers in lists."""

Proposal = tuple[Splice, ...]


class Format(Protocol):
    """One format. A text is without a byte order mark; lines may end either way."""

    def load(self, text: str) -> object:
        """What the text holds: dicts, lists, str for strings, None for null, a tuple for anything else. An empty text is {}.

        Raises Unreadable.
        """

    def literals(self, text: str, key: Key) -> Iterator[tuple[int, int]]:
        """Spans where the literal of the value at `key` may stand."""

    def written(self, value: str, like: str) -> Iterator[str]:
        """Literals for a string, first the one that looks like `like`."""

    def additions(self, text: str, key: Key, value: str) -> Iterator[Proposal]:
        """Ways to add a key that is not there."""

    def removals(self, text: str, key: Key) -> Iterator[Proposal]:
        """Ways to take a key out."""


FORMATS: dict[FormatName, Format] = {"json": jsonc, "toml": toml, "yaml": yaml, "dotenv": dotenv}
