"""The sessions a demonstration replays: made-up ones, or recorded ones from a directory.

A recording holds messages, not requests; the requests are put together here the way the client of the recording would:
its system prompt and tools, cache marks where Claude Code sets them, Codex's sessions in the shape of the Responses
API. The difficulty is what recordings lack: a session without tools gets minimal ones, made from the calls in it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tokenpak.core.patch import Format
from tokenpak.mock_provider.call import without_marks
from tokenpak.mock_provider.session import STYLES, session

Json = dict[str, Any]

SYSTEM = (
    "You are a coding agent. You help the user with software engineering tasks in their repository. "
    "Use the tools to read, search, edit and run. Be concise; verify what you change."
)
MODELS = {
    Format.ANTHROPIC: "claude-sonnet-4-5-20250929",
    Format.OPENAI_CHAT: "gpt-4.1",
    Format.OPENAI_RESPONSES: "gpt-5.1",
}
MARKED_USER_MESSAGES = 2
SEED = 7

_MARK = {"type": "ephemeral"}
_MARKABLE = frozenset({"text", "tool_result", "tool_use", "image"})
_TEXTS = frozenset({"text", "input_text", "output_text"})


class Replay(msgspec.Struct, frozen=True):
    """A session to replay. bodies: its request bodies, turn by turn, made one at a time."""

    ident: str
    agent: str
    format: Format
    turns: int
    bodies: Callable[[], Iterator[Json]]


class BadSession(Exception):  # noqa: N818 - the answer to a file that is no recording
    """A file that is not a recorded session; the message names it."""


def made_up() -> list[Replay]:
    """The project's own sessions, one in each style."""
    out = []
    for style in STYLES:
        made = session(SEED, style)
        bodies = lambda made=made: iter(made.requests())  # noqa: E731 - bound now, called later
        out.append(Replay(style, "made-up agent", Format(made.format), len(made.turns), bodies))
    return out


def recorded(folder: Path) -> list[Replay]:
    """The recordings in a directory, by name. Raises BadSession."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise BadSession(f"{folder}: no recorded sessions (*.json) there")
    return [_recording(file) for file in files]


class Recording(msgspec.Struct, frozen=True):
    """A file of the corpus. Turn k sends system, tools, and the messages up to and with number turn_ends[k]."""

    id: str
    messages: list[Json]
    turn_ends: list[int]
    format: str = "anthropic"
    agent: str | None = None
    system: str | list[Json] | None = None
    tools: list[Json] | None = None


def _recording(file: Path) -> Replay:
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Recording)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadSession(f"{file}: {error}") from error
    agent = found.agent or "unknown"
    if found.format == "anthropic":
        shape, build = Format.ANTHROPIC, anthropic_body
    elif agent.startswith("Codex"):
        shape, build = Format.OPENAI_RESPONSES, responses_body
    else:
        shape, build = Format.OPENAI_CHAT, chat_body
    return Replay(found.id, agent, shape, len(found.turn_ends), lambda: _bodies(found, build))


def _bodies(found: Recording, build: Callable[[Recording, list[Json]], Json]) -> Iterator[Json]:
    clean = msgspec.structs.replace(
        found,
        messages=without_marks(found.messages),
        system=without_marks(found.system),
        tools=without_marks(found.tools),
    )
    for end in clean.turn_ends:
        yield build(clean, clean.messages[: end + 1])


# Anthropic


def anthropic_body(found: Recording, messages: list[Json]) -> Json:
    """A body as Claude Code sends it."""
    system = found.system or SYSTEM
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    users = [nth for nth, message in enumerate(messages) if message.get("role") == "user"][-MARKED_USER_MESSAGES:]
    marked_messages = [
        {**message, "content": marked(message.get("content"))} if nth in users else message
        for nth, message in enumerate(messages)
    ]
    return {
        "model": MODELS[Format.ANTHROPIC],
        "max_tokens": 8192,
        "system": marked(blocks),
        "messages": marked_messages,
        "tools": found.tools or minimal_tools(found.messages, _anthropic_tool),
        "stream": True,
    }


def marked(content: Any) -> list[Json]:
    """Content with a cache mark on its last block that can carry one."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])
    for nth in reversed(range(len(blocks))):
        if blocks[nth].get("type") in _MARKABLE:
            blocks[nth] = {**blocks[nth], "cache_control": _MARK}
            break
    return blocks


# OpenAI


def chat_body(found: Recording, messages: list[Json]) -> Json:
    """A chat completion body."""
    if not (messages and messages[0].get("role") in {"system", "developer"}):
        messages = [{"role": "system", "content": text_of(found.system or SYSTEM)}, *messages]
    return {
        "model": MODELS[Format.OPENAI_CHAT],
        "messages": messages,
        "tools": found.tools or minimal_tools(found.messages, _chat_tool),
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def responses_body(found: Recording, messages: list[Json]) -> Json:
    """A stateless Responses body, as Codex sends it."""
    instructions, items = None, []
    for message in messages:
        if instructions is None and message.get("role") in {"system", "developer"}:
            instructions = text_of(message.get("content"))
        else:
            items += list(_items(message))
    tools = found.tools or minimal_tools(found.messages, _chat_tool)
    return {
        "model": MODELS[Format.OPENAI_RESPONSES],
        "instructions": instructions or text_of(found.system or SYSTEM),
        "input": items,
        "tools": [{"type": "function", **tool["function"]} if "function" in tool else tool for tool in tools],
        "store": False,
        "stream": True,
        "prompt_cache_key": found.id,
    }


def _items(message: Json) -> Iterator[Json]:
    text, role = text_of(message.get("content")), message.get("role")
    if role == "tool":
        yield {"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": text}
        return
    if text:
        kind = "output_text" if role == "assistant" else "input_text"
        yield {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        told = {"name": function.get("name"), "arguments": function.get("arguments") or "{}"}
        yield {"type": "function_call", "call_id": call.get("id"), **told}


def text_of(content: Any) -> str:
    """The text of a string or of text parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(p.get("text") or "") for p in parts if isinstance(p, dict) and p.get("type") in _TEXTS)


# Tools


def minimal_tools(messages: Sequence[Json], shape: Callable[[str, Json], Json]) -> list[Json]:
    """A short tool list from the calls a session contains."""
    fields: dict[str, set[str]] = {}
    for message in messages:
        for name, arguments in _calls(message):
            fields.setdefault(name, set()).update(arguments)
    return [
        shape(name, {"type": "object", "properties": {field: {"type": "string"} for field in sorted(fields[name])}})
        for name in sorted(fields)
    ]


def _calls(message: Json) -> Iterator[tuple[str, Json]]:
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            given = block.get("input")
            yield str(block.get("name")), given if isinstance(given, dict) else {}
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        yield str(function.get("name")), _arguments(function.get("arguments"))


def _arguments(raw: Any) -> Json:
    try:
        found = msgspec.json.decode(raw or "{}")
    except msgspec.DecodeError:
        return {}  # a model may have written anything
    return found if isinstance(found, dict) else {}


def _anthropic_tool(name: str, schema: Json) -> Json:
    return {"name": name, "description": f"The {name} tool of the coding agent.", "input_schema": schema}


def _chat_tool(name: str, schema: Json) -> Json:
    about = f"The {name} tool of the coding agent."
    return {"type": "function", "function": {"name": name, "description": about, "parameters": schema}}
