"""OpenAI embeddings, small: short vectors, one for each input, and a usage without output."""

from typing import Any

from tokenpak.mock_provider.call import Call, Json, encoded

_DIMENSIONS = 8


def inputs_of(body: Json) -> list[Any]:
    """The inputs, one an embedding: texts, or lists of token numbers."""
    given = body.get("input")
    if isinstance(given, list):
        return [given] if given and all(isinstance(each, int) for each in given) else given
    return [given]


def prompt_text(body: Json) -> str:
    """All that is embedded."""
    return "\n".join(each if isinstance(each, str) else encoded(each).decode() for each in inputs_of(body))


def whole(call: Call) -> bytes:
    """The reply."""
    listed = [
        {"object": "embedding", "index": nth, "embedding": _vector(nth)} for nth in range(len(inputs_of(call.body)))
    ]
    usage = {"prompt_tokens": call.used.total, "total_tokens": call.used.total}
    return encoded({"object": "list", "data": listed, "model": call.model, "usage": usage})


def _vector(nth: int) -> list[float]:
    return [((nth + 1) * (at + 5) % 19 - 9) / 9 for at in range(_DIMENSIONS)]
