"""Anthropic Messages: the prompt of a body in cache order, and replies, whole and streamed.

The difficulty is which blocks count as equal. Marks are no part of a block, a string is one text block, and a change
of tool choice, of thinking, or from no image to some spoils the messages but not what stands before them.
"""

from collections.abc import Iterator
from typing import Any

from tokenpak.mock_provider.cache import MAX_MARKS, Block, Life
from tokenpak.mock_provider.call import Call, Json, Refusal, canonical, cut_up, encoded, objects, sse

MINIMUM = (
    ("claude-opus-5", 512),
    ("claude-fable-5", 512),
    ("claude-mythos-5", 512),
    ("claude-opus-4-7", 2048),
    ("claude-opus-4-6", 4096),
    ("claude-opus-4-5", 4096),
    ("claude-haiku-4-5", 4096),
    ("claude-3-5-haiku", 2048),
    ("claude-3-haiku", 2048),
)
"""Smallest prefix cached, in tokens, by model family; the first that fits decides. Sources disagree: this is data."""
USUAL_MINIMUM = 1024

MODELS = ("claude-opus-4-8", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")

_PICTURES = frozenset({"image", "document"})


def minimum_of(model: str) -> int:
    """The smallest prefix a model caches, in tokens."""
    return next((tokens for family, tokens in MINIMUM if model.startswith(family)), USUAL_MINIMUM)


def objection(body: Json) -> Refusal | None:
    """Why the body is no request, or None. Only what would make an answer meaningless is looked at."""
    if not isinstance(body.get("model"), str):
        return _invalid("model: Field required")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return _invalid("messages: at least one message is required")
    marks = sum(block.mark is not None for block in prompt(body))
    if marks > MAX_MARKS:
        return _invalid(f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {marks}.")
    return None


def _invalid(message: str) -> Refusal:
    return Refusal(400, "invalid_request_error", message)


# The prompt


def prompt(body: Json) -> list[Block]:
    """Tools, then system, then messages; a mark on the body itself falls on the last block that can carry one."""
    out = [Block(b"tool" + canonical(tool), canonical(tool).decode(), 0, mark_of(tool)) for tool in _tools(body)]
    out += [_block(b"system", part) for part in _parts(body.get("system"))]
    head = b"messages" + encoded([body.get("tool_choice"), _thinks(body), b'"type":"image"' in encoded(body)])
    for message in objects(body.get("messages")):
        head += b"message" + encoded(str(message.get("role")))
        for part in _parts(message.get("content")):
            out.append(_block(head, part))
            head = b""
    life = life_of(body.get("cache_control"))
    if life is not None and out and out[-1].mark is None:
        out[-1] = Block(out[-1].key, out[-1].text, out[-1].images, life)
    return out


def _tools(body: Json) -> list[Json]:
    return objects(body.get("tools"))


def _thinks(body: Json) -> Any:
    thinking = body.get("thinking")
    return thinking.get("type") if isinstance(thinking, dict) else None


def _parts(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects(content)


def _block(head: bytes, part: Json) -> Block:
    return Block(head + canonical(part), text_of(part), images_in(part), mark_of(part))


def life_of(control: Any) -> Life | None:
    """The life a `cache_control` value asks for."""
    if not isinstance(control, dict):
        return None
    return "1h" if control.get("ttl") == "1h" else "5m"


def mark_of(part: Any) -> Life | None:
    """The mark a block carries itself or inside its content."""
    if not isinstance(part, dict):
        return None
    own = life_of(part.get("cache_control"))
    inner = objects(part.get("content"))
    return own or next((mark for mark in map(mark_of, inner) if mark), None)


def text_of(part: Json) -> str:
    """A block as a model reads it; pictures are counted apart, and what is encrypted is not read."""
    match part.get("type"):
        case "text":
            return str(part.get("text") or "")
        case "thinking":
            return str(part.get("thinking") or "")
        case "tool_result":
            return "\n".join(text_of(each) for each in _parts(part.get("content")))
        case "tool_use":
            return f"{part.get('name')} {encoded(part.get('input')).decode()}"
        case "redacted_thinking" | "image" | "document":
            return ""
        case _:
            return canonical(part).decode()


def images_in(part: Json) -> int:
    """Pictures and documents in a block."""
    kind = part.get("type")
    return (isinstance(kind, str) and kind in _PICTURES) + sum(images_in(each) for each in objects(part.get("content")))


# Replies


def usage(call: Call) -> Json:
    """The usage block of a reply: disjoint classes, the writes also split by life."""
    used = call.used
    return {
        "input_tokens": used.uncached,
        "cache_creation_input_tokens": used.write_5m + used.write_1h,
        "cache_read_input_tokens": used.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.write_5m,
            "ephemeral_1h_input_tokens": used.write_1h,
        },
        "output_tokens": _output(call),
        "service_tier": "standard",
    }


def _output(call: Call) -> int:
    return 0 if _prewarm(call) else call.answer.tokens


def _prewarm(call: Call) -> bool:
    return call.body.get("max_tokens") == 0


def _stop_reason(call: Call) -> str:
    return "max_tokens" if _prewarm(call) else "tool_use" if call.answer.calls else "end_turn"


def _content(call: Call) -> list[Json]:
    if _prewarm(call):
        return []
    out: list[Json] = [{"type": "text", "text": call.answer.text}] if call.answer.text else []
    for nth, tool in enumerate(call.answer.calls, 1):
        out.append({"type": "tool_use", "id": call.ident("toolu", nth), "name": tool.name, "input": tool.arguments})
    return out


def _message(call: Call) -> Json:
    return {"id": call.ident("msg"), "type": "message", "role": "assistant", "model": call.model}


def whole(call: Call) -> bytes:
    """A message."""
    end = {"stop_reason": _stop_reason(call), "stop_sequence": None, "usage": usage(call)}
    return encoded({**_message(call), "content": _content(call), **end})


def events(call: Call) -> Iterator[bytes]:
    """A message as its events. The last usage is cumulative and lacks the split by life, as the provider's does."""
    first: Json = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage(call), "output_tokens": 1},
    }
    yield _event("message_start", message={**_message(call), **first})
    yield _event("ping")
    for index, block in enumerate(_content(call)):
        yield from _block_events(index, block, call.pieces)
    spent = {key: value for key, value in usage(call).items() if key not in {"cache_creation", "service_tier"}}
    yield _event("message_delta", delta={"stop_reason": _stop_reason(call), "stop_sequence": None}, usage=spent)
    yield _event("message_stop")


def _block_events(index: int, block: Json, pieces: int) -> Iterator[bytes]:
    if block["type"] == "text":
        start, whole_text, kind, field = {**block, "text": ""}, block["text"], "text_delta", "text"
    else:
        start, whole_text = {**block, "input": {}}, encoded(block["input"]).decode()
        kind, field = "input_json_delta", "partial_json"
    yield _event("content_block_start", index=index, content_block=start)
    for piece in cut_up(whole_text, pieces):
        yield _event("content_block_delta", index=index, delta={"type": kind, field: piece})
    yield _event("content_block_stop", index=index)


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def refusal(refusal: Refusal, request_id: str) -> bytes:
    """An error body."""
    error = {"type": refusal.kind, "message": refusal.message}
    return encoded({"type": "error", "error": error, "request_id": request_id})


def broken(request_id: str) -> bytes:
    """An error event inside a stream."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    return _event("error", error=error, request_id=request_id)


def counted(used: int) -> bytes:
    """The reply of `count_tokens`."""
    return encoded({"input_tokens": used})


def models() -> bytes:
    """The list of models."""
    listed = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in MODELS
    ]
    return encoded({"data": listed, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]})
