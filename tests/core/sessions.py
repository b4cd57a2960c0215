"""Made-up agent sessions: an agent reads, edits and tests a small repository. Pure: the same seed, the same session.

Messages are kept in a neutral form and cast into each API format, so that each session exists in all three. What makes
them worth testing on: files are read again after edits that shift their numbers, results echo what was written, outputs
repeat, and the texts have what real ones have: wide characters, carriage returns, long lines, blank runs, no last newline.
"""

import json
from random import Random
from typing import Any, NamedTuple

from tokenpak.core.patch import Format

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "value",
    "index",
    "count",
    "self",
    "result",
    "error",
    "path",
    "line",
    "node",
    "graph",
    "parse",
    "token",
    "cache",
    "write",
]
ODD = [
    "naïve café",
    "数据 处理",
    "emoji 🦊🧪",
    "tab\there",
    'quote "q" and \\ back',
    "ctrl \x1b[31mred\x1b[0m",
    "nbsp\u00a0x",
]


class Call(NamedTuple):
    """A tool call."""

    ident: str
    name: str
    arguments: dict[str, Any]


class Result(NamedTuple):
    """A tool result: text, or parts."""

    ident: str
    content: str | list[dict[str, Any]] | None
    failed: bool = False


class Message(NamedTuple):
    """What one side says: texts, calls, results, and blocks that only some formats know."""

    role: str
    texts: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    odd: tuple[dict[str, Any], ...] = ()


class Session(NamedTuple):
    """system, tools (name -> description), messages; a request is sent whenever the next message is the assistant's."""

    system: str
    tools: tuple[str, ...]
    messages: tuple[Message, ...]

    def turns(self) -> list[int]:
        """How many messages each request holds."""
        return [n for n in range(1, len(self.messages) + 1) if self.messages[n - 1].role != "assistant"]


PIXEL = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" * 30}}


class _Agent:
    """Writes a session turn by turn."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.files: dict[str, list[str]] = {}
        self.messages: list[Message] = []
        self.calls = 0
        self.failing = [self.line() for _ in range(6)]

    def line(self) -> str:
        rng = self.rng
        if rng.random() < 0.12:
            return rng.choice(["", "", "    ", "}", "    }", "\treturn", *ODD])
        words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(2, 9)))
        return " " * (4 * rng.randint(0, 3)) + words + (" " + words * 30 if rng.random() < 0.02 else "")

    def text(self, lines: int) -> list[str]:
        return [self.line() for _ in range(lines)]

    def file(self) -> str:
        rng = self.rng
        if not self.files or rng.random() < 0.25:
            path = f"/repo/{rng.choice(WORDS)}/{rng.choice(WORDS)}{len(self.files)}.{rng.choice(['py', 'go', 'md'])}"
            self.files[path] = self.text(rng.randint(8, 60))
            return path
        return rng.choice(list(self.files))

    def shown(self, lines: list[str], first: int = 1) -> str:
        """Lines as a tool shows them."""
        style = self.rng.choice(["arrow", "arrow", "tab", "colon", "none", "crlf"])
        match style:
            case "arrow":
                return "\n".join(f"{n:>6}→{line}" for n, line in enumerate(lines, first))
            case "tab":
                return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, first)) + "\n"
            case "colon":
                return "\n".join(f"{n}:{line}" for n, line in enumerate(lines, first))
            case "crlf":
                return "\r\n".join(lines)
            case _:
                return "\n".join(lines)

    def turn(self) -> None:
        act = self.rng.choice(
            [
                self.reads,
                self.reads,
                self.reads_part,
                self.edits,
                self.edits,
                self.writes,
                self.runs,
                self.runs,
                self.odd,
            ]
        )
        done = [act() for _ in range(self.rng.choice([1, 1, 1, 2]))]
        said = self.line() if self.rng.random() < 0.6 else ""
        odd = ({"type": "thinking", "thinking": self.line(), "signature": "c2ln"},) if self.rng.random() < 0.3 else ()
        self.messages.append(Message("assistant", (said,) if said else (), tuple(call for call, _ in done), odd=odd))
        note = (
            ("<system-reminder>\n" + "\n".join(self.failing) + "\n</system-reminder>",)
            if self.rng.random() < 0.2
            else ()
        )
        self.messages.append(Message("user", note, results=tuple(result for _, result in done)))

    def call(self, name: str, **arguments: Any) -> Call:
        self.calls += 1
        return Call(f"call_{self.calls:04d}", name, arguments)

    def reads(self) -> tuple[Call, Result]:
        path = self.file()
        call = self.call("Read", file_path=path)
        return call, Result(call.ident, self.shown(self.files[path]))

    def reads_part(self) -> tuple[Call, Result]:
        path = self.file()
        at = self.rng.randint(0, max(0, len(self.files[path]) - 5))
        call = self.call("Read", file_path=path, offset=at + 1, limit=30)
        return call, Result(call.ident, self.shown(self.files[path][at : at + 30], at + 1))

    def edits(self) -> tuple[Call, Result]:
        path = self.file()
        lines = self.files[path]
        at = self.rng.randint(0, max(0, len(lines) - 6))
        old, new = lines[at : at + 4], self.text(self.rng.randint(1, 7))
        self.files[path] = [*lines[:at], *new, *lines[at + 4 :]]
        call = self.call("Edit", file_path=path, old_string="\n".join(old), new_string="\n".join(new))
        around = self.files[path][max(0, at - 12) : at + 24]
        return call, Result(
            call.ident, f"The file {path} has been updated.\n" + self.shown(around, max(0, at - 12) + 1)
        )

    def writes(self) -> tuple[Call, Result]:
        path = self.file()
        self.files[path] = self.text(self.rng.randint(10, 50))
        call = self.call("Write", content="\n".join(self.files[path]), file_path=path)
        echo = self.rng.random() < 0.5
        return call, Result(call.ident, self.shown(self.files[path]) if echo else "ok")

    def runs(self) -> tuple[Call, Result]:
        rng = self.rng
        if rng.random() < 0.3:
            self.failing[rng.randrange(6)] = self.line()
        if rng.random() < 0.3 and self.files:
            path = rng.choice(list(self.files))
            call = self.call("Bash", command=f"cat {path}", description=self.line())
            return call, Result(call.ident, "\n".join(self.files[path]))
        out = [f"test_{word} {'.' * 20} ok" for word in WORDS] + self.failing * rng.choice([1, 1, 4])
        call = self.call("Bash", command=rng.choice(["make test", "pytest -q", "go test ./..."]))
        return call, Result(call.ident, "\n".join(out), rng.random() < 0.3)

    def odd(self) -> tuple[Call, Result]:
        call = self.call(
            self.rng.choice(["Glob", "mcp__db__query", ""]), **self.rng.choice([{}, {"q": ["a", "b\nc"], "n": 3}])
        )
        content = self.rng.choice(
            ["", None, [], [{"type": "text", "text": "\n".join(self.failing)}, PIXEL], "\n" * 30, "{}"]
        )
        return call, Result(call.ident, content, self.rng.random() < 0.5)


def agent_session(seed: int, turns: int = 24) -> Session:
    """A session of so many exchanges."""
    agent = _Agent(seed)
    agent.messages.append(Message("user", ("Make the tests pass.\n" + "\n".join(agent.text(6)),)))
    for _ in range(turns):
        agent.turn()
        if agent.rng.random() < 0.1:
            agent.messages.append(Message("assistant", ("\n".join(agent.text(8)),)))
            agent.messages.append(Message("user", ("\n".join(agent.failing), "and go on")))
    return Session(
        "You are a coding agent.\n" + "\n".join(agent.text(12)),
        ("Read", "Edit", "Write", "Bash"),
        tuple(agent.messages),
    )


def body_of(fmt: Format, session: Session, count: int) -> dict[str, Any]:
    """The request with the first `count` messages."""
    match fmt:
        case Format.ANTHROPIC:
            return _anthropic(session, session.messages[:count])
        case Format.OPENAI_CHAT:
            return _chat(session, session.messages[:count])
        case Format.OPENAI_RESPONSES:
            return _responses(session, session.messages[:count])


def _anthropic(session: Session, messages: tuple[Message, ...]) -> dict[str, Any]:
    out = []
    for message in messages:
        blocks: list[dict[str, Any]] = list(message.odd)
        for result in message.results:
            block = {"type": "tool_result", "tool_use_id": result.ident}
            block |= {} if result.content is None else {"content": result.content}
            blocks.append(block | ({"is_error": True} if result.failed else {}))
        blocks += [{"type": "text", "text": text} for text in message.texts]
        blocks += [{"type": "tool_use", "id": c.ident, "name": c.name, "input": c.arguments} for c in message.calls]
        out.append({"role": message.role, "content": blocks})
    tools = [{"name": name, "description": f"{name} it", "input_schema": {"type": "object"}} for name in session.tools]
    return {"model": "m", "max_tokens": 4096, "system": session.system, "tools": tools, "messages": out, "stream": True}


def _chat(session: Session, messages: tuple[Message, ...]) -> dict[str, Any]:
    out: list[dict[str, Any]] = [{"role": "system", "content": session.system}]
    for message in messages:
        for result in message.results:
            content = (
                [p for p in result.content if p["type"] == "text"]
                if isinstance(result.content, list)
                else result.content
            )
            out.append({"role": "tool", "tool_call_id": result.ident, "content": content or ""})
        if message.texts or message.calls:
            content = [{"type": "text", "text": text} for text in message.texts]
            told: dict[str, Any] = {"role": message.role, "content": content or None}
            calls = [
                {"id": c.ident, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}}
                for c in message.calls
            ]
            out.append(told | ({"tool_calls": calls} if calls else {}))
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in session.tools
    ]
    return {"model": "m", "messages": out, "tools": tools, "stream": True}


def _responses(session: Session, messages: tuple[Message, ...]) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for message in messages:
        for result in message.results:
            parts = result.content if isinstance(result.content, list) else None
            output = (
                [{"type": "input_text", "text": p["text"]} for p in parts if p["type"] == "text"]
                if parts
                else result.content
            )
            items.append({"type": "function_call_output", "call_id": result.ident, "output": output or ""})
        kind = "output_text" if message.role == "assistant" else "input_text"
        if message.odd:
            items.append({"type": "reasoning", "encrypted_content": "abc", "summary": []})
        if message.texts:
            content = [{"type": kind, "text": text} for text in message.texts]
            items.append({"type": "message", "role": message.role, "content": content})
        for call in message.calls:
            arguments = json.dumps(call.arguments)
            items.append({"type": "function_call", "call_id": call.ident, "name": call.name, "arguments": arguments})
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in session.tools]
    return {
        "model": "m",
        "instructions": session.system,
        "input": items,
        "tools": tools,
        "store": False,
        "stream": True,
    }
