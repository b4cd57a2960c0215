"""The client's own cache marks on the blocks of one element of an Anthropic request, read from its bytes."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

KEY = b'"cache_control"'
Life = Literal["5m", "1h"]
"""How long an entry lives that a mark asks for."""
_ANY = msgspec.json.Decoder()


def marks_of(raw: bytes) -> tuple[tuple[int, Life], ...]:
    """The marks of a tool, a system block or a message: index of the block, life. Of several on one block the first."""
    if KEY not in raw:
        return ()
    try:
        value = _ANY.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ()
    content = value.get("content") if isinstance(value, dict) and "role" in value else None
    blocks = content if isinstance(content, list) else [value]
    lives = ((place, next(marks_in(block), None)) for place, block in enumerate(blocks))
    return tuple((place, life) for place, life in lives if life is not None)


def marks_in(block: Any) -> Iterator[Life]:
    """The lives of the marks on a decoded block and on the parts of its content."""
    if isinstance(block, dict):
        life = life_of(block.get("cache_control"))
        if life is not None:
            yield life
        content = block.get("content")
        for part in content if isinstance(content, list) else []:
            yield from marks_in(part)


def life_of(mark: Any) -> Life | None:
    """The life a `cache_control` value asks for; None where it is no mark."""
    return ("1h" if mark.get("ttl") == "1h" else "5m") if isinstance(mark, dict) else None
