"""Versions of TIP, and ranges of them.

A version is "TIP-" and two numbers; they compare as numbers, so 1.10 comes after 1.9. A range is a list of conditions
that must all hold. Peers of one major version understand each other, for a minor version only adds.
"""

import operator
import re
from collections.abc import Callable
from typing import Annotated, Final

import msgspec

VERSION: Final = "TIP-1.0"

RANGE: Final = ">=TIP-1.0,<TIP-2.0"
"""What TokenPak can speak to."""

TipVersion = Annotated[str, msgspec.Meta(pattern=r"^TIP-[0-9]+\.[0-9]+$")]

VersionRange = Annotated[
    str,
    msgspec.Meta(pattern=r"^((>=|>|<=|<|==|!=)TIP-[0-9]+\.[0-9]+)(,(>=|>|<=|<|==|!=)TIP-[0-9]+\.[0-9]+)*$"),
]

_VERSION = re.compile(r"TIP-([0-9]+)\.([0-9]+)")
_CONDITION = re.compile(r"(>=|>|<=|<|==|!=)(TIP-[0-9]+\.[0-9]+)")

_HOLDS: dict[str, Callable[[tuple[int, int], tuple[int, int]], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


def numbers(version: str) -> tuple[int, int]:
    """Major and minor. Raises ValueError for what is no version."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is no version of TIP, such as {VERSION}")
    return int(found[1]), int(found[2])


def within(version: str, wanted: str) -> bool:
    """Whether a version meets every condition of a range. Raises ValueError for what is no version or no range."""
    conditions = [_CONDITION.fullmatch(part) for part in wanted.split(",")]
    if not all(conditions):
        raise ValueError(f"{wanted!r} is no range of TIP versions, such as {RANGE}")
    own = numbers(version)
    return all(_HOLDS[found[1]](own, numbers(found[2])) for found in conditions if found)
