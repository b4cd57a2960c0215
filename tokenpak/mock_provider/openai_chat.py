"""OpenAI chat completions: the prompt of a body in cache order, and replies, whole and streamed.

Totals are inclusive here: `prompt_tokens` contains the cached ones, the opposite of Anthropic. A stream reports usage
only when it was asked to, in a last chunk without choices.
"""

from collections.abc import Iterator
from typing import Any

from tokenpak.mock_provider.cache import AUTOMATIC_IDLE_S, AUTOMATIC_LONG_S, Block
from tokenpak.mock_provider.call import Call, Json, Refusal, canonical, cut_up, encoded, objects, sse

MODELS = ("gpt-4.1", "gpt-5.1", "text-embedding-3-small")

_TEXTS = frozenset({"text", "input_text", "output_text"})
_PICTURES = frozenset({"image_url", "input_image", "file", "input_file"})
_CREATED = 1_767_225_600


def objection(body: Json) -> Refusal | None:
    """Why the body is no request, or None."""
    if not isinstance(body.get("model"), str):
        return Refusal(400, "invalid_request_error", "you must provide a model parameter")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return Refusal(400, "invalid_request_error", "[] is too short - 'messages'")
    return None


def life_of(body: Json) -> float:
    """Seconds a prefix lives after its last use."""
    return AUTOMATIC_LONG_S if body.get("prompt_cache_retention") == "24h" else AUTOMATIC_IDLE_S


# The prompt


def prompt(body: Json) -> list[Block]:
    """Tools, then messages; the content parts of a message are blocks of their own."""
    out = tool_blocks(body)
    for message in objects(body.get("messages")):
        out += message_blocks(message, "text")
    return out


def tool_blocks(body: Json) -> list[Block]:
    """The tool definitions, shared by both OpenAI formats."""
    return [Block(b"tool" + canonical(tool), canonical(tool).decode()) for tool in objects(body.get("tools"))]


def message_blocks(message: Json, text_type: str) -> list[Block]:
    """The parts of one message; the calls of an assistant are read with the last of them."""
    content, calls = message.get("content"), told_calls(message)
    head = b"message" + encoded(
        {key: message[key] for key in sorted(message) if key not in {"content", "cache_control"}}
    )
    parts: list[Any] = content if isinstance(content, list) else [{"type": text_type, "text": content or ""}]
    out = []
    for nth, part in enumerate(parts, 1):
        told = "\n".join(filter(None, [text_of(part), calls if nth == len(parts) else ""]))
        out.append(Block(head + canonical(part), told, images_in(part)))
        head = b""
    return out


def told_calls(message: Json) -> str:
    """Names and arguments of the tools a message calls."""
    functions = [call.get("function") for call in objects(message.get("tool_calls"))]
    return " ".join(f"{f.get('name')} {f.get('arguments') or ''}" for f in functions if isinstance(f, dict))


def text_of(part: Any) -> str:
    """A content part as a model reads it; pictures are counted apart."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or part.get("type") in _PICTURES:
        return ""
    return str(part.get("text") or "") if part.get("type") in _TEXTS else canonical(part).decode()


def images_in(part: Any) -> int:
    """1 for a picture or a document, else 0."""
    return int(isinstance(part, dict) and part.get("type") in _PICTURES)


# Replies


def usage(call: Call) -> Json:
    """The usage block of a reply, totals inclusive."""
    made = call.answer.tokens
    return {
        "prompt_tokens": call.used.total,
        "completion_tokens": made,
        "total_tokens": call.used.total + made,
        "prompt_tokens_details": {"cached_tokens": call.used.read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _base(call: Call, kind: str) -> Json:
    return {"id": call.ident("chatcmpl"), "object": kind, "created": _CREATED, "model": call.model}


def _calls(call: Call) -> list[Json]:
    return [
        {
            "id": call.ident("call", nth),
            "type": "function",
            "function": {"name": tool.name, "arguments": encoded(tool.arguments).decode()},
        }
        for nth, tool in enumerate(call.answer.calls, 1)
    ]


def _finish(call: Call) -> str:
    return "tool_calls" if call.answer.calls else "stop"


def whole(call: Call) -> bytes:
    """A completion."""
    message: Json = {"role": "assistant", "content": call.answer.text or None, "refusal": None}
    if call.answer.calls:
        message["tool_calls"] = _calls(call)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(call)}
    return encoded({**_base(call, "chat.completion"), "choices": [choice], "usage": usage(call)})


def events(call: Call) -> Iterator[bytes]:
    """A completion as chunks, ended by the word `[DONE]`."""
    base = _base(call, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**base, "choices": [choice]})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in cut_up(call.answer.text, call.pieces):
        yield chunk({"content": piece})
    for index, tool in enumerate(_calls(call)):
        arguments = tool["function"]["arguments"]
        yield chunk({"tool_calls": [{"index": index, **tool, "function": {**tool["function"], "arguments": ""}}]})
        for piece in cut_up(arguments, call.pieces):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish(call))
    options = call.body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        yield sse({**base, "choices": [], "usage": usage(call)})
    yield sse(b"[DONE]")


def refusal(refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG001 - the id stands in the header only
    """An error body, the same for both OpenAI formats."""
    return encoded({"error": {"message": refusal.message, "type": refusal.kind, "param": None, "code": None}})


def broken(request_id: str) -> bytes:
    """An error object inside a stream."""
    return sse({"error": {"message": f"The server had an error ({request_id})", "type": "server_error", "code": None}})


def models() -> bytes:
    """The list of models."""
    listed = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "mock"} for name in MODELS]
    return encoded({"object": "list", "data": listed})
