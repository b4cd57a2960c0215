"""JSON written in many ways: what clients do to a history that stays the same."""

import json
import re
from random import Random
from typing import Any, NamedTuple

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Style(NamedTuple):
    """One way to write: white space, escapes, order of keys; and whether lone text blocks become strings."""

    comma: str = ","
    colon: str = ":"
    pad: str = ""
    ascii: bool = False
    slashes: bool = False
    letters: bool = False
    newlines: bool = False
    order: str = "as is"
    strings: bool = False


PLAIN = Style()


def any_style(rng: Random) -> Style:
    """A way to write, from a generator of choices."""
    return Style(
        rng.choice([",", ", ", " ,\n", ",\t"]),
        rng.choice([":", ": ", " :\r\n "]),
        rng.choice(["", "", " ", "\n  "]),
        *(rng.random() < 0.4 for _ in range(3)),
        newlines=rng.random() < 0.15,
        order=rng.choice(["as is", "reversed", "sorted"]),
        strings=rng.random() < 0.5,
    )


def written(value: Any, style: Style = PLAIN) -> bytes:
    """The value as JSON."""
    return (style.pad + _written(value, style) + style.pad).encode()


def _written(value: Any, style: Style) -> str:
    pad, comma, colon = style.pad, style.comma, style.colon
    match value:
        case dict():
            members = [_string(key, style) + colon + _written(v, style) for key, v in _ordered(value, style.order)]
            return "{" + pad + comma.join(members) + pad + "}"
        case list():
            return "[" + pad + comma.join(_written(each, style) for each in value) + pad + "]"
        case str():
            return _string(value, style)
        case _:
            return json.dumps(value)


def _ordered(value: dict[str, Any], order: str) -> list[tuple[str, Any]]:
    members = list(value.items())
    return members if order == "as is" else sorted(members) if order == "sorted" else members[::-1]


def _string(text: str, style: Style) -> str:
    out = json.dumps(text, ensure_ascii=style.ascii)
    if style.newlines:
        out = _ESCAPE.sub(lambda m: "\\u000a" if m[1] == "n" else m[0], out)
    if style.letters:
        out = _ESCAPE.sub(lambda m: m[0], out).replace("T", "\\u0054")
    return out.replace("/", "\\/") if style.slashes else out


def restyled(body: dict[str, Any], style: Style, marks: Random | None = None) -> bytes:
    """A request written in a style: texts as strings or as lists of one block, cache marks anywhere."""
    return written(_marked(_as_strings(body) if style.strings else _as_blocks(body), marks), style)


def _as_strings(body: dict[str, Any]) -> dict[str, Any]:
    return _contents(body, lambda c: c[0]["text"] if _is_lone_text(c) else c)


def _as_blocks(body: dict[str, Any]) -> dict[str, Any]:
    return _contents(body, lambda c: c, lambda role, text: [{"type": _text_type(body, role), "text": text}])


def _text_type(body: dict[str, Any], role: str) -> str:
    return "text" if "messages" in body else "output_text" if role == "assistant" else "input_text"


def _is_lone_text(content: Any) -> bool:
    return isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) and _is_text(content[0])


def _is_text(block: dict[str, Any]) -> bool:
    return block.keys() == {"type", "text"} and block["type"] in ("text", "input_text", "output_text")


def _contents(body: dict[str, Any], of_list: Any, of_text: Any = lambda role, text: text) -> dict[str, Any]:
    key = "messages" if "messages" in body else "input"
    if isinstance(body[key], str):
        return body

    def renewed(message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content")
        if isinstance(content, str):
            return {**message, "content": of_text(message.get("role"), content)}
        return {**message, "content": of_list(content)} if isinstance(content, list) else message

    return {**body, key: [renewed(m) for m in body[key]]}


def _marked(body: dict[str, Any], marks: Random | None) -> dict[str, Any]:
    """Cache marks on some blocks of Anthropic bodies, moved with every call."""
    if (
        marks is None
        or "messages" not in body
        or any("tool_calls" in m or m["role"] == "tool" for m in body["messages"])
    ):
        return body
    messages = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, list) and content and marks.random() < 0.3:
            last = {**content[-1], "cache_control": {"type": "ephemeral"}}
            content = [*content[:-1], last]
        messages.append({**message, "content": content})
    return {**body, "messages": messages}
