"""What a value of the configuration must be, said in the words of its file: list and text, not array and str.

A value is checked by its type, and msgspec then tells what it expected of one place. Whoever reads it wants all that may
stand there: every word of a choice, both bounds of a number. So a refusal is worded from the type alone.
"""

from typing import Any, Literal, get_args, get_origin

from tokenpak.config.words import Words

_KINDS = {"IntType": "a whole number", "FloatType": "a number", "BoolType": "true or false", "StrType": "a text"}
_TABLES = ("DictType", "StructType")


def demand(kind: Any) -> str:
    """What a value of this type must be."""
    if choices := _choices(kind):
        return "one of " + ", ".join(f'"{each}"' for each in choices)
    import msgspec.inspect  # of no use where nothing is wrong

    info = msgspec.inspect.type_info(kind)
    while isinstance(info, msgspec.inspect.Metadata | msgspec.inspect.UnionType):
        info = info.type if isinstance(info, msgspec.inspect.Metadata) else info.types[0]
    name = type(info).__name__
    if name in _TABLES:
        return "a table"
    return f"{_KINDS[name]}{_bounds(info)}" if name in _KINDS else "a list of texts"


def mistake(key: str, value: object, kind: Any) -> str:
    """A refusal of what stands at a key of a table."""
    return f"{key} = {shown(value)}: must be {demand(kind)}. Correct the value or remove the key."


def shown(value: object) -> str:
    """A value as a file holds it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _choices(kind: Any) -> tuple[Any, ...]:
    """The words one of which is written, in the order they were given in, which msgspec does not keep."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    parts = (each for each in get_args(kind) if not isinstance(each, Words))
    return next((found for each in parts if (found := _choices(each))), ())


def _bounds(info: Any) -> str:
    low, high = getattr(info, "ge", None), getattr(info, "le", None)
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else ""
