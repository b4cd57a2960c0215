"""The bounds of kept answers as a user writes them: `[response_cache]`, checked key by key."""

from collections.abc import Mapping

import msgspec

from tokenpak.config.rules import Unusable, converted, meant
from tokenpak.core.recall import Bounds

_FIELDS = {field.name: field.type for field in msgspec.structs.fields(Bounds)}


def bounds_in(value: object) -> Bounds:
    """The bounds from a table. Raises Unusable, naming the key."""
    if not isinstance(value, Mapping):
        raise Unusable("response_cache must be a table. Write [response_cache] above its keys.")
    for key, each in value.items():
        if key not in _FIELDS:
            raise Unusable(f"unknown key {key!r}. {meant(key, _FIELDS)}")
        converted(key, each, _FIELDS[key])
    return msgspec.convert(value, Bounds)
