"""The registry of TIP-1.0 where it is at hand, its vectors, and its validator.

Run as a script, this file writes the schemas that the structs make: `python tests/tip_lab.py`.
"""

import json
from pathlib import Path
from typing import NamedTuple

from shared_place import shared

import tokenpak.tip
from tokenpak.tip.schema import WORDS, document

SCHEMAS = Path(tokenpak.tip.__file__).parent / "schemas"


class Vector(NamedTuple):
    """A document of the registry's and its verdict. meta: whose check it is for, and which expectation."""

    name: str
    meta: dict
    content: dict

    @property
    def passes(self) -> bool:
        return self.meta["expect"] == "pass"

    @property
    def data(self):
        return self.content["_data"]


def registry() -> Path | None:
    """The registry's root, None if it is not here."""
    place = shared()
    return place / "tip-registry" if place and (place / "tip-registry").is_dir() else None


def vectors() -> list[Vector]:
    """All of the registry's, in order of their names; none where it is not here."""
    root = registry()
    found = []
    for path in sorted((root / "test_vectors").glob("*/*.json")) if root else []:
        content = json.loads(path.read_text())
        found.append(Vector(f"{path.parent.name}/{path.stem}", content["_meta"], content))
    return found


def write_schemas() -> None:
    for word in WORDS:
        (SCHEMAS / f"{word}.json").write_bytes(document(word))


if __name__ == "__main__":
    write_schemas()
