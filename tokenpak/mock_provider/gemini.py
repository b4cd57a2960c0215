"""Google Gemini, small: enough that a relay which reads nothing of it can be tried. No cache, text parts only."""

from collections.abc import Iterator

from tokenpak.mock_provider.call import Call, Json, cut_up, encoded, objects, sse

MODELS = ("gemini-2.5-pro", "gemini-2.5-flash")


def prompt_text(body: Json) -> str:
    """All text parts of the contents."""
    parts = [part for content in objects(body.get("contents")) for part in objects(content.get("parts"))]
    return "\n".join(str(part["text"]) for part in parts if "text" in part)


def _chunk(call: Call, text: str, finish: str | None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    made = call.answer.tokens
    usage = {
        "promptTokenCount": call.used.total,
        "candidatesTokenCount": made,
        "totalTokenCount": call.used.total + made,
    }
    named = {"modelVersion": call.model, "responseId": call.ident("gen")}
    return {"candidates": [candidate], "usageMetadata": usage, **named}


def whole(call: Call) -> bytes:
    """The reply of `generateContent`."""
    return encoded(_chunk(call, call.answer.text, "STOP"))


def events(call: Call) -> Iterator[bytes]:
    """The reply of `streamGenerateContent?alt=sse`; each chunk repeats the usage."""
    for chunk in _chunks(call):
        yield sse(chunk)


def array(call: Call) -> Iterator[bytes]:
    """The reply of `streamGenerateContent` without `alt=sse`: one JSON array, sent in pieces."""
    lead = b"["
    for chunk in _chunks(call):
        yield lead + encoded(chunk)
        lead = b",\r\n"
    yield b"]"


def _chunks(call: Call) -> Iterator[Json]:
    pieces = cut_up(call.answer.text, call.pieces)
    for nth, piece in enumerate(pieces, 1):
        yield _chunk(call, piece, "STOP" if nth == len(pieces) else None)


def counted(tokens: int) -> bytes:
    """The reply of `countTokens`."""
    return encoded({"totalTokens": tokens})


def refusal(status: int, message: str) -> bytes:
    """An error body."""
    words = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    return encoded({"error": {"code": status, "message": message, "status": words.get(status, "UNAVAILABLE")}})


def models() -> bytes:
    """The list of models."""
    return encoded({"models": [{"name": f"models/{name}", "displayName": name} for name in MODELS]})
