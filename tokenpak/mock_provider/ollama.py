"""Ollama's own API, small: chat, generate and embed as newline-delimited JSON, which streams unless told otherwise."""

from collections.abc import Iterator

from tokenpak.mock_provider.call import Call, Json, cut_up, encoded, objects

MODELS = ("llama3.2:latest", "qwen3:8b")
_CREATED = "2026-01-01T00:00:00Z"
_DIMENSIONS = 8


def prompt_text(body: Json) -> str:
    """All that the model would read."""
    told = [str(message.get("content") or "") for message in objects(body.get("messages"))]
    return "\n".join([*told, str(body.get("prompt") or ""), str(body.get("system") or "")])


def _said(call: Call, text: str) -> Json:
    if "messages" in call.body:
        return {"message": {"role": "assistant", "content": text}}
    return {"response": text}


def _end(call: Call) -> Json:
    return {
        "done_reason": "stop",
        "done": True,
        "total_duration": 1_000_000,
        "load_duration": 1000,
        "prompt_eval_count": call.used.total,
        "prompt_eval_duration": 1000,
        "eval_count": call.answer.tokens,
        "eval_duration": 1000,
    }


def whole(call: Call) -> bytes:
    """The reply with `stream: false`."""
    return encoded({"model": call.model, "created_at": _CREATED, **_said(call, call.answer.text), **_end(call)})


def lines(call: Call) -> Iterator[bytes]:
    """The reply line by line; the last one carries the counts."""
    base = {"model": call.model, "created_at": _CREATED}
    for piece in cut_up(call.answer.text, call.pieces):
        yield encoded({**base, **_said(call, piece), "done": False}) + b"\n"
    yield encoded({**base, **_said(call, ""), **_end(call)}) + b"\n"


def broken() -> bytes:
    """An error inside a stream that began with status 200."""
    return encoded({"error": "an error was encountered while running the model"}) + b"\n"


def refusal(message: str) -> bytes:
    """An error body."""
    return encoded({"error": message})


def embedded(call: Call) -> bytes:
    """The reply of `embed`."""
    given = call.body.get("input")
    vectors = [_vector(nth) for nth in range(len(given) if isinstance(given, list) else 1)]
    return encoded({"model": call.model, "embeddings": vectors, "prompt_eval_count": call.used.total})


def _vector(nth: int) -> list[float]:
    return [((nth + 1) * (at + 3) % 17 - 8) / 8 for at in range(_DIMENSIONS)]


def tags() -> bytes:
    """The list of models."""
    return encoded({"models": [{"name": name, "model": name, "size": 0, "details": {}} for name in MODELS]})


def shown() -> bytes:
    """The reply of `show`."""
    return encoded({"details": {"family": "mock"}, "model_info": {"general.architecture": "mock"}})
