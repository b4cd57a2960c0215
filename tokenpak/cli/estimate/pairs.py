"""Requests in two forms, to be counted by the provider: as the client sent them, and as the engine would.

What is sent when is nowhere stored, so pairs are made anew: from bodies in files, or from the last request of each
conversation in a client's log. Only the parts that a count takes are kept. The difficulty is that a log holds calls of tools
and no tools, which Anthropic will not count; the least tools that have those names go with both forms, and cancel out.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tokenpak.cli.estimate.replay import Engine, Means
from tokenpak.cli.estimate.turns import Turn
from tokenpak.core.body import Unreadable, outline
from tokenpak.core.patch import Footprint, Format, Job, Policy
from tokenpak.core.splice import apply_edits
from tokenpak.services.compress import Compressor

COUNTED = {
    Format.ANTHROPIC: ("model", "system", "tools", "tool_choice", "thinking", "messages"),
    Format.OPENAI_RESPONSES: (
        *("model", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "truncation"),
        *("conversation", "previous_response_id", "input"),
    ),
}
"""Members of a request that its provider's count takes (platform.claude.com, developers.openai.com: token counting)."""


class Pair(NamedTuple):
    """name: where it is from. tokens: of the original, removed: by edits, at least; both by our counter."""

    name: str
    original: bytes
    sent: bytes
    tokens: int
    removed: int


def of_body(name: str, fmt: Format, body: bytes, policy: Policy, means: Means) -> Pair | None:
    """The pair of one body, taken as a conversation never seen before; None where nothing is edited. Raises Unreadable."""
    patch = Compressor(means.counter).run(Job(fmt, policy, (), count=True), body)
    if patch.footprint is None:
        raise Unreadable(next(iter(patch.reasons), "unread"))
    return _pair(name, _Forms(fmt, body, apply_edits(body, patch.edits), patch.footprint, patch.counted), means.model)


def of_turns(name: str, fmt: Format, turns: Iterable[Turn], means: Means) -> Pair | None:
    """The pair of the last request of a log's main conversation; None where there is none in that format, or nothing in it is
    edited.
    """
    engine, last = Engine(means), None
    for turn in turns:
        if turn.format is fmt and turn.conversation == "main":
            named = turn if turn.model else msgspec.structs.replace(turn, model=means.model)
            try:
                last = engine.send(named, 0, count=lambda _model, _size: False)
            except Unreadable:
                continue
    if last is None or last.patch.footprint is None:
        return None
    counted = Compressor(means.counter).run(Job(fmt, Policy("off"), (), count=True), last.body).counted
    return _pair(name, _Forms(fmt, last.body, last.edited, last.patch.footprint, counted), means.model)


class _Forms(NamedTuple):
    """A request as the client sent it and as the engine would, with its footprint and its tokens by our counter."""

    format: Format
    body: bytes
    sent: bytes
    footprint: Footprint
    tokens: int | None


def _pair(name: str, forms: _Forms, model: str) -> Pair | None:
    removed = _removed(forms.footprint)
    if not removed or not forms.tokens:
        return None
    original, sent = (countable(forms.format, body, model) for body in (forms.body, forms.sent))
    return Pair(name, original, sent, forms.tokens, removed)


def _removed(footprint: Footprint) -> int:
    return sum(block.saved for block in footprint.blocks)


def countable(fmt: Format, body: bytes, model: str = "") -> bytes:
    """The body as a question for a count. model: to ask for instead of its own."""
    top = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    kept: dict[str, msgspec.Raw] = {name: top[name] for name in COUNTED[fmt] if name in top}
    if model:
        kept["model"] = msgspec.Raw(msgspec.json.encode(model))
    if "tools" not in kept and (names := _called(kept.get("messages"))):
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in sorted(names)]
        kept["tools"] = msgspec.Raw(msgspec.json.encode(tools))
    return msgspec.json.encode({name: kept[name] for name in COUNTED[fmt] if name in kept})


class _Block(msgspec.Struct):
    type: str | None = None
    name: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Block] = ""


def _called(messages: msgspec.Raw | None) -> set[str]:
    """The names of the tools that a conversation called."""
    try:
        told = msgspec.json.decode(messages or b"[]", type=list[_Message])
    except msgspec.MsgspecError:
        return set()
    blocks = (block for each in told if isinstance(each.content, list) for block in each.content)
    return {block.name for block in blocks if block.type == "tool_use" and block.name}


def model_of(fmt: Format, body: bytes) -> str:
    """The model a body names, "" for none. Raises Unreadable."""
    return outline(fmt, body).model or ""
