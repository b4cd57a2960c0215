"""Requests that many tests start from: an agent that reads one file again and again, and made-up sessions."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from tests.core.contract import REFERENCES, Front, Words
from tests.core.sessions import agent_session, body_of
from tests.core.writing import any_style, restyled, written
from tokenpak.core.body import read
from tokenpak.core.footprint import footprint_of
from tokenpak.core.patch import Form, Format, Patch, Policy
from tokenpak.core.pipeline import decide, patch_of
from tokenpak.core.plan import plan_of

REPEATED = "\n".join(f"line {n} of a file that is read again and again" for n in range(30))


def anthropic(*results: str, **top: Any) -> bytes:
    """A session that reads the same path once for each result."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for n, text in enumerate(results):
        call = {"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {"file_path": "/r/a.py"}}
        messages.append({"role": "assistant", "content": [call]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{n}", "content": text}]})
    return written({"model": "m", "messages": messages, **top})


def responses(*results: str, **top: Any) -> bytes:
    items: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for n, text in enumerate(results):
        arguments = json.dumps({"path": "/r/a.py"})
        items.append({"type": "function_call", "call_id": f"t{n}", "name": "read", "arguments": arguments})
        items.append({"type": "function_call_output", "call_id": f"t{n}", "output": text})
    return written({"model": "m", "input": items, **top})


def worked(
    body: bytes, policy: Policy = REFERENCES, forms: tuple[Form, ...] = (), fmt: Format = Format.ANTHROPIC
) -> Patch:
    view = read(fmt, body)
    decided = decide(view, policy, plan_of(forms), Words())
    patch = patch_of(body, decided, Words.name)
    return msgspec.structs.replace(patch, footprint=footprint_of(view, decided.decisions))


BILLING = "x-anthropic-billing-header: cc_version=2.1; cch=abc12;"
"""A system text of a client whose bill is over the bytes."""


def bodies(fmt: Format, seed: int, turns: int = 14) -> Iterator[bytes]:
    """The requests of a made-up session, its history written anew each time."""
    session, rng = agent_session(seed, turns), Random(seed)
    for count in session.turns():
        yield restyled(body_of(fmt, session, count), any_style(rng), rng)


def played(fmt: Format, seed: int, turns: int = 14) -> tuple[bytes, bytes]:
    """The last request of a made-up session, and as it was sent."""
    front = Front(fmt, cold=False)
    sent = body = b""
    for body in bodies(fmt, seed, turns):
        sent = front.turn(body)
    return body, sent
