"""The recorded sessions of the shared corpus as requests; nothing depends on them, much is also run on them."""

import json
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from shared_place import shared

from tests.core.contract import Front
from tests.core.writing import Style, restyled
from tokenpak.core.patch import Format, Policy


class Recorded(NamedTuple):
    """A recorded session, and the format to send it in."""

    name: str
    path: Path
    format: Format


def sessions() -> list[Recorded]:
    """Every recorded session at hand; those of OpenAI chat also as responses."""
    place = shared()
    found: list[Recorded] = []
    for path in sorted((place / "corpus" / "dev").glob("*.json")) if place else ():
        chat = b'"format": "openai"' in (head := path.read_bytes()[:4000]) or b'"format":"openai"' in head
        found.append(Recorded(path.stem, path, Format.OPENAI_CHAT if chat else Format.ANTHROPIC))
        if chat:
            found.append(Recorded(path.stem + "-responses", path, Format.OPENAI_RESPONSES))
    return found


def play(recorded: Recorded, turns: int) -> None:
    """Some requests of a session, evenly spread, the last one among them, through the whole contract."""
    session = json.loads(recorded.path.read_bytes())
    ends = session["turn_ends"]
    step = max(1, len(ends) // turns)
    front, rng = Front(recorded.format, Policy()), Random(1)
    for end in [*ends[:-1][::step], ends[-1]]:
        body = request(session, end + 1, recorded.format)
        styles = [Style(), Style(order="reversed", slashes=True), Style(", ", ": ", strings=True), Style(ascii=True)]
        raw = restyled(body, rng.choice(styles), rng)
        front.alone(raw) if rng.random() < 0.1 else front.turn(raw)


def request(session: dict[str, Any], count: int, fmt: Format) -> dict[str, Any]:
    """The body with the first `count` messages."""
    system = session.get("system") or "You are a coding agent."
    tools, messages = session.get("tools") or [], session["messages"][:count]
    match fmt:
        case Format.ANTHROPIC:
            return {"model": "m", "max_tokens": 8192, "system": system, "tools": tools, "messages": messages}
        case Format.OPENAI_CHAT:
            return {"model": "m", "messages": [{"role": "system", "content": system}, *messages], "tools": tools}
        case Format.OPENAI_RESPONSES:
            items = [item for message in messages for item in _items(message)]
            return {"model": "m", "instructions": system, "input": items, "tools": tools, "store": False}


def _items(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": text}]
    items: list[dict[str, Any]] = []
    if text:
        kind = "output_text" if message["role"] == "assistant" else "input_text"
        items.append({"type": "message", "role": message["role"], "content": [{"type": kind, "text": text}]})
    for call in message.get("tool_calls") or []:
        told = {
            "call_id": call.get("id"),
            "name": call["function"]["name"],
            "arguments": call["function"].get("arguments") or "{}",
        }
        items.append({"type": "function_call", **told})
    return items
