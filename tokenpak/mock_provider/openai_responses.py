"""OpenAI responses: the prompt of a body in cache order, and replies, whole and streamed.

Stateless use only, as agents do it with `store: false`: a request that leans on server state is answered, but nothing
is remembered for it. Streams are typed events with running numbers and no `[DONE]`.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

from tokenpak.mock_provider.cache import Block
from tokenpak.mock_provider.call import Call, Json, Refusal, canonical, cut_up, encoded, objects, sse
from tokenpak.mock_provider.openai_chat import images_in, message_blocks, text_of, tool_blocks

_CREATED = 1_767_225_600
_ENCRYPTED = frozenset({"reasoning", "compaction"})


def objection(body: Json) -> Refusal | None:
    """Why the body is no request, or None."""
    if not isinstance(body.get("model"), str):
        return Refusal(400, "invalid_request_error", "Missing required parameter: 'model'.")
    if not isinstance(body.get("input"), str | list):
        return Refusal(400, "invalid_request_error", "Missing required parameter: 'input'.")
    return None


# The prompt


def prompt(body: Json) -> list[Block]:
    """Tools, then instructions, then input items."""
    out = tool_blocks(body)
    if isinstance(body.get("instructions"), str):
        out.append(Block(b"instructions" + encoded(body["instructions"]), body["instructions"]))
    given = body.get("input")
    items: list[Json] = [{"role": "user", "content": given}] if isinstance(given, str) else objects(given)
    for item in items:
        out += _item_blocks(item)
    return out


def _item_blocks(item: Json) -> list[Block]:
    if "role" in item:
        typed = {key: value for key, value in item.items() if key != "type"}
        return message_blocks(typed, "output_text" if item["role"] == "assistant" else "input_text")
    output = item.get("output")
    images = sum(images_in(part) for part in objects(output))
    return [Block(b"item" + canonical(item), _told(item), images)]


def _told(item: Json) -> str:
    match item.get("type"):
        case "function_call":
            return f"{item.get('name')} {item.get('arguments') or ''}"
        case "custom_tool_call":
            return f"{item.get('name')} {item.get('input') or ''}"
        case "function_call_output" | "custom_tool_call_output":
            output = item.get("output")
            return output if isinstance(output, str) else "\n".join(text_of(part) for part in objects(output))
        case kind if kind in _ENCRYPTED:
            return "\n".join(text_of(part) for part in objects(item.get("summary")))
        case _:
            return canonical(item).decode()


# Replies


def usage(call: Call) -> Json:
    """The usage block of a reply, totals inclusive."""
    made = call.answer.tokens
    return {
        "input_tokens": call.used.total,
        "input_tokens_details": {"cached_tokens": call.used.read},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": call.used.total + made,
    }


def counted(used: int) -> bytes:
    """The reply of `input_tokens`."""
    return encoded({"object": "response.input_tokens", "input_tokens": used})


def _message(call: Call) -> Json:
    part = {"type": "output_text", "text": call.answer.text, "annotations": [], "logprobs": []}
    ident = call.ident("msg")
    return {"type": "message", "id": ident, "status": "completed", "role": "assistant", "content": [part]}


def _output(call: Call) -> list[Json]:
    out = [_message(call)] if call.answer.text else []
    for nth, tool in enumerate(call.answer.calls, 1):
        out.append(
            {
                "type": "function_call",
                "id": call.ident("fc", nth),
                "call_id": call.ident("call", nth),
                "status": "completed",
                "name": tool.name,
                "arguments": encoded(tool.arguments).decode(),
            }
        )
    return out


def _response(call: Call, status: str) -> Json:
    done = status == "completed"
    return {
        "id": call.ident("resp"),
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": call.body.get("instructions"),
        "metadata": {},
        "model": call.model,
        "output": _output(call) if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": bool(call.body.get("store", True)),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage(call) if done else None,
    }


def whole(call: Call) -> bytes:
    """A response."""
    return encoded(_response(call, "completed"))


def events(call: Call) -> Iterator[bytes]:
    """A response as its typed events."""
    numbers = count()

    def event(kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, "sequence_number": next(numbers), **fields}, kind)

    yield event("response.created", response=_response(call, "in_progress"))
    yield event("response.in_progress", response=_response(call, "in_progress"))
    for index, item in enumerate(_output(call)):
        opened, steps = _steps(index, item, call.pieces)
        yield event("response.output_item.added", output_index=index, item=opened)
        for kind, fields in steps:
            yield event(f"response.{kind}", **fields)
        yield event("response.output_item.done", output_index=index, item=item)
    yield event("response.completed", response=_response(call, "completed"))


def _steps(index: int, item: Json, pieces: int) -> tuple[Json, list[tuple[str, Json]]]:
    """An item as it is opened, and what happens until it is done."""
    at = {"item_id": item["id"], "output_index": index}
    if item["type"] == "function_call":
        told = item["arguments"]
        calls = [("function_call_arguments.delta", {**at, "delta": piece}) for piece in cut_up(told, pieces)]
        done = ("function_call_arguments.done", {**at, "name": item["name"], "arguments": told})
        return {**item, "status": "in_progress", "arguments": ""}, [*calls, done]
    part, at = item["content"][0], {**at, "content_index": 0}
    deltas = [("output_text.delta", {**at, "delta": piece, "logprobs": []}) for piece in cut_up(part["text"], pieces)]
    steps: list[tuple[str, Json]] = [
        ("content_part.added", {**at, "part": {**part, "text": ""}}),
        *deltas,
        ("output_text.done", {**at, "text": part["text"], "logprobs": []}),
        ("content_part.done", {**at, "part": part}),
    ]
    return {**item, "status": "in_progress", "content": []}, steps


def broken(request_id: str) -> bytes:
    """An error event inside a stream."""
    message = f"The server had an error ({request_id})"
    error = {"type": "error", "sequence_number": 2, "code": "server_error", "message": message, "param": None}
    return sse(error, "error")
