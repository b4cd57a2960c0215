"""The names under which a model can find what it has seen: a tool with its path or command, user text, and so on.

Shared by the passes, which write them into markers, and by `expand`, which resolves them. A name is made of what stands
in the request: a call's ordinal or id would tell a model nothing.
"""

from collections.abc import Sequence

from tokenpak.core.body.model import Block, Kind

SELF = "this text"
"""The label of the text a marker itself stands in."""

USER_TEXT = "user text"
ASSISTANT_TEXT = "assistant text"
SYSTEM_PROMPT = "system prompt"
NAMELESS_RESULT = "tool result"

_PATHS = ("file_path", "path", "filename", "file_name", "file", "notebook_path", "absolute_path", "target_file")
_COMMANDS = ("command", "cmd", "pattern", "query", "url", "input")
_SHORT_COMMAND, _LONG_COMMAND = 48, 160
_OF_KIND: dict[Kind, tuple[tuple[str, ...], str]] = {
    Kind.USER: ((USER_TEXT,), ""),
    Kind.ASSISTANT: ((ASSISTANT_TEXT,), ""),
    Kind.SYSTEM: ((SYSTEM_PROMPT,), ""),
}


def path_in(arguments: Sequence[tuple[str, str]]) -> str:
    """The path a call is about, or ""."""
    told = dict(arguments)
    return "" if told.keys().isdisjoint(_PATHS) else next((told[key] for key in _PATHS if told.get(key)), "")


def _labels(name: str, path: str, arguments: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The names under which a call's result may be referred to, the shortest first. Empty without a tool's name."""
    if not name:
        return (NAMELESS_RESULT,)
    if path:
        steps = path.split("/")
        return tuple(dict.fromkeys(f"{name} {each}" for each in ("/".join(steps[-2:]), path)))
    told = dict(arguments)
    subject = next((told[key] for key in _COMMANDS if told.get(key)), next(iter(told.values()), ""))
    line = subject.strip().split("\n", 1)[0]
    return tuple(dict.fromkeys(f"{name} {line[:n]}".rstrip() for n in (_SHORT_COMMAND, _LONG_COMMAND)))


class Names:
    """The names of the sources of a request, fed with its blocks front to back."""

    def __init__(self) -> None:
        self._calls: dict[str, Block] = {}
        self._named: dict[str, tuple[tuple[str, ...], str]] = {}

    def hear(self, block: Block) -> None:
        """Take note of a call. What it is named is worked out when somebody asks: most calls are never referred to."""
        self._calls[block.call_id] = block
        self._named.pop(block.call_id, None)

    def call(self, block: Block) -> tuple[tuple[str, ...], str]:
        """The labels a call's result will have, and the path it is about ("" for none)."""
        self.hear(block)
        return self._of(block.call_id)

    def caller(self, block: Block) -> Block | None:
        """The call whose result a block is."""
        return self._calls.get(block.call_id) if block.kind is Kind.RESULT else None

    def _of(self, call_id: str) -> tuple[tuple[str, ...], str]:
        named, block = self._named.get(call_id), self._calls.get(call_id)
        if named is None:
            path = path_in(block.arguments) if block else ""
            named = (_labels(block.name, path, block.arguments) if block else (NAMELESS_RESULT,), path)
            self._named[call_id] = named
        return named

    def text(self, block: Block) -> tuple[tuple[str, ...], str]:
        """The labels of a block's texts, none where nothing may refer to them, and the path they are about."""
        return self._of(block.call_id) if block.kind is Kind.RESULT else _OF_KIND.get(block.kind, ((), ""))


def argument_labels(key: str, call_labels: Sequence[str]) -> tuple[str, ...]:
    """The names of one argument of a call."""
    return tuple(f"{key} of {label}" for label in call_labels)
