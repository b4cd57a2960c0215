"""What pass tests start from: targets with a call, and whole conversations through the engine with some passes alone."""

import re
from collections.abc import Sequence
from typing import Any

from tests.core.contract import Front
from tests.core.writing import written
from tokenpak.core.body import blocks_of, read
from tokenpak.core.body.anthropic import message_unit
from tokenpak.core.body.model import Block
from tokenpak.core.lines import taken_apart
from tokenpak.core.markers import Place
from tokenpak.core.passes.index import Index
from tokenpak.core.passes.target import Target
from tokenpak.core.patch import Format, Policy


def call(name: str, **arguments: Any) -> Block:
    """A call of a tool."""
    content = [{"type": "tool_use", "id": "t", "name": name, "input": arguments}]
    return message_unit(written({"role": "assistant", "content": content})).blocks[0]


def target(text: str, by: Block | None = None, labels: tuple[str, ...] = ("Bash make",)) -> Target:
    """A text to be decided."""
    return Target(Place(bytes(16), 0), text, Index().read(text, taken_apart(text)), labels, "", by)


def whole(text: str) -> list[tuple[int, int]]:
    """All of a text stays."""
    return [(0, len(text))]


def sent(passes: Sequence[str], *results: str, name: str = "Bash", **arguments: Any) -> list[str]:
    """What a model reads of results of one call after the other, every rule of the contract checked on the way."""
    arguments = arguments or {"command": "make"}
    messages: list[Any] = [{"role": "user", "content": "go"}]
    front = Front(Format.ANTHROPIC, Policy(floor_tokens=0, passes=tuple(passes)))
    body = b""
    for n, text in enumerate(results):
        use = {"type": "tool_use", "id": f"t{n}", "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": f"t{n}", "content": text}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        body = front.turn(written({"model": "m", "messages": messages}))
    blocks = list(blocks_of(read(Format.ANTHROPIC, body)))
    return [text.text for block in blocks[1:] for text in block.texts]


def words(text: str) -> str:
    """A text without the checks of its markers."""
    return re.sub(r" #[0-9]{6}\]", "]", text)


class Worth:
    """Weighs every text that stands as so many tokens and what is put in its place as none: limits can be met exactly."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    def at_least(self, _text: str) -> int:
        return self._tokens

    def at_most(self, _text: str) -> int:
        return 0
