"""Anthropic requests of an agent loop, small but long enough for a cache; the marks of real clients (facts/clients 2.2)."""

import json

MODEL = "claude-sonnet-4-5"
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
SYSTEM = "You are an agent. " * 400  # about 1,800 tokens by the estimate
TOOLS = [{"name": name, "description": "A tool.", "input_schema": {"type": "object"}} for name in ("read", "edit")]


def text(words, mark=None):
    block = {"type": "text", "text": words}
    return {**block, "cache_control": mark} if mark else block


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def step(number, calls=1):
    """A turn of the loop: the model calls tools, the client gives their results."""
    idents = [f"toolu_{number}_{call}" for call in range(calls)]
    uses = [{"type": "tool_use", "id": ident, "name": "read", "input": {"n": number}} for ident in idents]
    results = [{"type": "tool_result", "tool_use_id": ident, "content": f"line {number} " * 60} for ident in idents]
    return [{"role": "assistant", "content": uses}, user(*results)]


def loop(steps, first="Mend the parser.", calls=1):
    """The messages after some turns."""
    return [user(text(first)), *(message for number in range(steps) for message in step(number, calls))]


def request(messages, system=None, tools=TOOLS, **more):
    """The body as bytes. system: blocks or a string; None: one block of SYSTEM."""
    told = [text(SYSTEM)] if system is None else system
    body = {"model": MODEL, "max_tokens": 8192, "tools": tools, "system": told, "messages": messages, **more}
    return json.dumps(body).encode()


def on_last(message, mark=MARK):
    """The message with a mark on its last block."""
    *blocks, last = message["content"]
    return {**message, "content": [*blocks, {**last, "cache_control": mark}]}


def cline(steps):
    first, *rest = loop(steps)
    return request([on_last(first), *rest])


def continued(steps, asked=1):
    """Continue: the last tool, the first system block, the last two user texts, no tool result."""
    texts = [user(text(f"Do part {number}.")) for number in range(asked)]
    before = [message for each in texts[:-1] for message in (each, {"role": "assistant", "content": [text("Done.")]})]
    marked = [
        on_last(each) if each["content"][0]["type"] == "text" and each["role"] == "user" else each for each in before
    ]
    rest = [message for number in range(steps) for message in step(number)]
    system, tools = [text(SYSTEM, MARK)], [*TOOLS[:-1], {**TOOLS[-1], "cache_control": MARK}]
    return request([*marked, on_last(texts[-1]), *rest], system, tools)


def claude_code(steps):
    *before, last = loop(steps)
    return request([*before, on_last(last)], [text("header"), text(SYSTEM, MARK), text("more", MARK)])


def opencode(steps):
    messages = loop(steps)
    return request([*messages[:-2], *map(on_last, messages[-2:])], [text(SYSTEM, MARK)])


def plain(steps):
    """An SDK by default: no marks."""
    return request(loop(steps))
