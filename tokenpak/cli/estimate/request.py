"""A turn as the body that its client would have sent, from the bytes that the log holds.

What the log does not show is put where the client puts it: cache marks on the head and on the last message, and a tool that
stands in for what is missing (see head). The bodies are for the engine here, and are sent nowhere.
"""

import re

import msgspec

from tokenpak.cli.estimate.turns import Turn
from tokenpak.core.ledger import Life
from tokenpak.core.patch import Format
from tokenpak.core.pipeline import CHARS_PER_TOKEN

STAND_IN = "not_recorded"
"""The name of the tool that stands in for what no log holds."""
_MARKS: dict[Life, bytes] = {
    "5m": b',"cache_control":{"type":"ephemeral"}',
    "1h": b',"cache_control":{"type":"ephemeral","ttl":"1h"}',
}
_SEALED = re.compile(rb'^\{"type": ?"(?:redacted_)?thinking"')


def body_of(turn: Turn, missing: int) -> bytes:
    """The request of a turn. missing: tokens, by size, of what the log does not hold of it."""
    build = {
        Format.ANTHROPIC: _anthropic,
        Format.OPENAI_CHAT: _chat,
        Format.OPENAI_RESPONSES: _responses,
    }[turn.format]
    return build(turn, _tools(turn, missing))


def _anthropic(turn: Turn, tools: list[bytes]) -> bytes:
    mark, items, system = _MARKS[turn.life], list(turn.items), turn.system
    if turn.tail_marks:
        items[-1:] = [_marked_message(items[-1], mark)] if items else []
        if system.startswith(b'"'):
            system = b'[{"type":"text","text":%s}]' % system
        if system.endswith(b"}]"):
            system = system[:-2] + mark + system[-2:]
        elif tools:
            tools = [*tools[:-1], tools[-1][:-1] + mark + tools[-1][-1:]]
    return _object(
        (b"model", msgspec.json.encode(turn.model)),
        (b"max_tokens", b"32000"),
        (b"system", system),
        (b"tools", _listed(tools)),
        (b"messages", b"[%s]" % b",".join(items)),
        (b"stream", b"true"),
    )


def _chat(turn: Turn, tools: list[bytes]) -> bytes:
    own = turn.items[:1] and msgspec.json.decode(turn.items[0], type=_Role).role in {"system", "developer"}
    system = () if own or not turn.system else (b'{"role":"system","content":%s}' % turn.system,)
    return _object(
        (b"model", msgspec.json.encode(turn.model)),
        (b"messages", b"[%s]" % b",".join([*system, *turn.items])),
        (b"tools", _listed(tools)),
        (b"stream", b"true"),
    )


def _responses(turn: Turn, tools: list[bytes]) -> bytes:
    return _object(
        (b"model", msgspec.json.encode(turn.model)),
        (b"instructions", turn.system if turn.system.startswith(b'"') else b""),
        (b"tools", _listed(tools)),
        (b"input", b"[%s]" % b",".join(turn.items)),
        (b"store", b"false"),
        (b"stream", b"true"),
        (b"prompt_cache_key", msgspec.json.encode(f"{turn.session} {turn.conversation}")),
    )


class _Role(msgspec.Struct):
    role: str = ""


def _object(*members: tuple[bytes, bytes]) -> bytes:
    return b"{%s}" % b",".join(b'"%s":%s' % member for member in members if member[1])


def _listed(tools: list[bytes]) -> bytes:
    return b"[%s]" % b",".join(tools) if tools else b""


def _marked_message(raw: bytes, mark: bytes) -> bytes:
    """The message with a mark on its last block, where that can carry one."""
    blocks = msgspec.json.decode(raw, type=_Blocks).content
    last = bytes(blocks[-1]) if blocks else b""
    if not raw.endswith(b"}]}") or _SEALED.match(last) or b'"cache_control"' in last:
        return raw
    return raw[:-3] + mark + raw[-3:]


class _Blocks(msgspec.Struct):
    content: list[msgspec.Raw] = []


def _tools(turn: Turn, missing: int) -> list[bytes]:
    """The tools that the log holds, after the one that stands in for the rest."""
    known = [bytes(each) for each in msgspec.json.decode(turn.tools, type=list[msgspec.Raw])] if turn.tools else []
    return [_stand_in(turn.format, missing), *known] if missing > 0 else known


def _stand_in(fmt: Format, missing: int) -> bytes:
    about = {"name": STAND_IN, "description": "." * (missing * CHARS_PER_TOKEN)}
    told: dict[Format, object] = {
        Format.ANTHROPIC: {**about, "input_schema": {"type": "object"}},
        Format.OPENAI_CHAT: {"type": "function", "function": about},
        Format.OPENAI_RESPONSES: {"type": "function", **about},
    }
    return msgspec.json.encode(told[fmt])
