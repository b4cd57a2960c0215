"""One question appended to a request body, and the answer read from the reply.

The history stays as it is, so a model reads what it would have read; what would make the answer anything but a short
text is taken out of the way: streaming, thinking, tools, formats for answers. This body is written anew, for one call of
the user's own, and is no part of the data plane, where bytes are never harmed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from tokenpak.core.patch import Format

_DROPPED = (
    "stream",
    "stream_options",
    "thinking",
    "context_management",
    "response_format",
    "text",
    "tool_choice",
    "parallel_tool_calls",
    "stop",
    "stop_sequences",
    "n",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "background",
)
_BOUND = {
    Format.ANTHROPIC: "max_tokens",
    Format.OPENAI_CHAT: "max_completion_tokens",
    Format.OPENAI_RESPONSES: "max_output_tokens",
}


class CannotBeAsked(Exception):  # noqa: N818 - the answer to a body that is no request, or not the user's turn
    """The message says why, in words."""


class NoAnswer(Exception):  # noqa: N818 - the answer to a reply that cannot be read
    """The reply is not one of this format."""


def asked(fmt: Format, body: bytes, words: str, answer_tokens: int, model: str | None = None) -> bytes:
    """The body with one more message of the user's. answer_tokens: bound on the reply. model: None for the body's own.

    Raises CannotBeAsked.
    """
    top = _object(body)
    history = "input" if fmt is Format.OPENAI_RESPONSES else "messages"
    turns = top.get(history)
    if isinstance(turns, str):
        turns = [{"role": "user", "content": turns}]
    if not isinstance(turns, list) or not turns:
        raise CannotBeAsked(f"the body has no {history}")
    if not _is_users_turn(turns[-1]):
        raise CannotBeAsked("the body ends with the model's turn; it must end with the user's or with tool results")
    kept = {key: value for key, value in top.items() if key not in _DROPPED}
    kept |= {history: [*turns, _message(fmt, words)], _BOUND[fmt]: answer_tokens}
    if top.get("tools"):
        kept["tool_choice"] = {"type": "none"} if fmt is Format.ANTHROPIC else "none"
    if model is not None:
        kept["model"] = model
    if not isinstance(kept.get("model"), str):
        raise CannotBeAsked("the body names no model; give one")
    return msgspec.json.encode(kept)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CannotBeAsked(f"the body is no JSON object: {error}") from error


def _is_users_turn(last: Any) -> bool:
    """True for a message of the user's or the result of a tool."""
    if not isinstance(last, dict):
        return False
    return last.get("role") in ("user", "tool") or last.get("type") in (
        "function_call_output",
        "custom_tool_call_output",
    )


def _message(fmt: Format, words: str) -> dict[str, Any]:
    kind = "input_text" if fmt is Format.OPENAI_RESPONSES else "text"
    return {"role": "user", "content": [{"type": kind, "text": words}]}


# The reply


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    content: list[_Part]


class _Said(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Said


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Item(msgspec.Struct):
    content: list[_Part] | None = None


class _Response(msgspec.Struct):
    output: list[_Item]


def answer_in(fmt: Format, reply: bytes) -> str:
    """The text a model answered with, "" for none (it thought too long, or refused). Raises NoAnswer."""
    try:
        return _READERS[fmt](reply)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoAnswer(f"the reply is none of this format: {error}") from error


def _texts(parts: list[_Part]) -> str:
    """What is said aloud: reasoning has other types."""
    return "".join(part.text or "" for part in parts if part.type in ("text", "output_text"))


def _anthropic(reply: bytes) -> str:
    return _texts(msgspec.json.decode(reply, type=_Message).content)


def _chat(reply: bytes) -> str:
    choices = msgspec.json.decode(reply, type=_Completion).choices
    return (choices[0].message.content or "") if choices else ""


def _responses(reply: bytes) -> str:
    output = msgspec.json.decode(reply, type=_Response).output
    return "".join(_texts(item.content or []) for item in output)


_READERS: dict[Format, Callable[[bytes], str]] = {
    Format.ANTHROPIC: _anthropic,
    Format.OPENAI_CHAT: _chat,
    Format.OPENAI_RESPONSES: _responses,
}
