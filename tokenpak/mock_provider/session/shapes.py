"""The made-up work as request bodies of each API format, turn by turn, as the clients of those formats send it.

Claude Code's habits matter most here: its newest messages are lists of blocks that carry cache marks, and a turn later
the same message is a plain string without one. Decisions of a proxy must not notice.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tokenpak.mock_provider.session.work import Step, Turn

Json = dict[str, Any]

EPHEMERAL = {"type": "ephemeral"}
MARKED_USER_MESSAGES = 2

SYSTEM = """You are a coding agent. You help a developer with software engineering tasks in their repository.

# Manner
- Be brief. Say what you are about to do in one sentence, then do it.
- Read a file before you change it. Never guess at names, signatures or line numbers.
- Change as little as the task needs. Keep the style of the code around you.
- Run the tests after every change that could break one, and read the whole failure.
- Never commit, push, or delete files that you did not create, unless you are asked to.

# Tools
- Use Read for files, not `cat`; Grep for searches, not `grep`; Edit for changes, not `sed`.
- Independent calls belong in one reply.
- Results show line numbers that are not part of the file; leave them out of what you write back.

# Environment
Working directory: /home/dev/depot
Platform: linux
Today's date: 2026-11-24
"""

TOOLS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Read",
        "Reads a file. Lines come back numbered, starting at 1. Reads up to 2000 lines unless told otherwise.",
        {"file_path": "string", "offset": "integer", "limit": "integer"},
    ),
    (
        "Edit",
        "Replaces one exact piece of text in a file. Fails if the text is not found, or found more than once.",
        {"file_path": "string", "old_string": "string", "new_string": "string", "replace_all": "boolean"},
    ),
    ("Write", "Writes a file, over whatever was there.", {"file_path": "string", "content": "string"}),
    (
        "Bash",
        "Runs a command in a shell and returns what it printed. Not for reading or searching files.",
        {"command": "string", "description": "string", "timeout": "integer"},
    ),
    (
        "Grep",
        "Searches files by regular expression and lists the matching lines.",
        {"pattern": "string", "path": "string", "output_mode": "string", "-n": "boolean"},
    ),
)


def _schema(fields: dict[str, str]) -> Json:
    properties = {name: {"type": kind} for name, kind in fields.items()}
    return {"type": "object", "properties": properties, "required": [next(iter(fields))], "additionalProperties": False}


def _numbered_calls(turns: Sequence[Turn]) -> Iterator[tuple[Turn, list[tuple[int, Step]]]]:
    count = 0
    for turn in turns:
        numbered = []
        for step in turn.steps:
            count += 1
            numbered.append((count, step))
        yield turn, numbered


# Anthropic, as Claude Code sends it


def anthropic_requests(turns: Sequence[Turn], ident: str) -> list[Json]:
    """One body for each turn: the history before it."""
    out: list[Json] = []
    history: list[Json] = []
    for turn, calls in _numbered_calls(turns):
        if turn.asked:
            _user_says(history, turn.asked)
        out.append(_anthropic_body(history, ident))
        history.append({"role": "assistant", "content": _reply_blocks(turn, calls)})
        if calls:
            history.append({"role": "user", "content": [_result_block(number, step) for number, step in calls]})
    return out


def _user_says(history: list[Json], text: str) -> None:
    """A user's words join the tool results they follow: roles must alternate."""
    block = {"type": "text", "text": text}
    if history and history[-1]["role"] == "user":
        history[-1] = {**history[-1], "content": [*history[-1]["content"], block]}
    else:
        history.append({"role": "user", "content": [block]})


def _reply_blocks(turn: Turn, calls: list[tuple[int, Step]]) -> list[Json]:
    blocks: list[Json] = []
    if turn.thought:
        blocks.append({"type": "thinking", "thinking": turn.thought, "signature": "EsUDCkYIBxgCKkD" + "x9Qz" * 40})
    if turn.said:
        blocks.append({"type": "text", "text": turn.said})
    for number, step in calls:
        blocks.append({"type": "tool_use", "id": f"toolu_{number:06d}", "name": step.tool, "input": step.arguments})
    return blocks


def _result_block(number: int, step: Step) -> Json:
    block: Json = {"tool_use_id": f"toolu_{number:06d}", "type": "tool_result", "content": step.result}
    return {**block, "is_error": True} if step.failed else block


def _anthropic_body(history: list[Json], ident: str) -> Json:
    users = [nth for nth, message in enumerate(history) if message["role"] == "user"]
    messages = [
        _marked(message) if nth in users[-MARKED_USER_MESSAGES:] else _settled(message)
        for nth, message in enumerate(history)
    ]
    return {
        "model": "claude-sonnet-4-5-20250929",
        "messages": messages,
        "system": [{"type": "text", "text": SYSTEM, "cache_control": EPHEMERAL}],
        "tools": [
            {"name": name, "description": about, "input_schema": _schema(fields)} for name, about, fields in TOOLS
        ],
        "metadata": {"user_id": f'{{"session_id":"{ident}"}}'},
        "max_tokens": 32000,
        "stream": True,
    }


def _marked(message: Json) -> Json:
    blocks = list(message["content"])
    blocks[-1] = {**blocks[-1], "cache_control": EPHEMERAL}
    return {**message, "content": blocks}


def _settled(message: Json) -> Json:
    """An older message: one text block has become a string."""
    blocks = message["content"]
    if message["role"] == "user" and len(blocks) == 1 and blocks[0]["type"] == "text":
        return {**message, "content": blocks[0]["text"]}
    return message


# OpenAI chat


def chat_requests(turns: Sequence[Turn], ident: str) -> list[Json]:
    """One body for each turn."""
    out: list[Json] = []
    history: list[Json] = [{"role": "system", "content": SYSTEM}]
    for turn, calls in _numbered_calls(turns):
        if turn.asked:
            history.append({"role": "user", "content": turn.asked})
        out.append(_chat_body(list(history), ident))
        reply: Json = {"role": "assistant", "content": turn.said or None}
        if calls:
            reply["tool_calls"] = [_chat_call(number, step) for number, step in calls]
        history.append(reply)
        history += [
            {"role": "tool", "tool_call_id": _call_id(number), "content": step.result} for number, step in calls
        ]
    return out


def _chat_body(history: list[Json], ident: str) -> Json:
    functions = [{"name": name, "description": about, "parameters": _schema(fields)} for name, about, fields in TOOLS]
    return {
        "model": "gpt-4.1",
        "messages": history,
        "tools": [{"type": "function", "function": function} for function in functions],
        "stream": True,
        "stream_options": {"include_usage": True},
        "prompt_cache_key": ident,
    }


def _call_id(number: int) -> str:
    return f"call_{number:06d}"


def _arguments(step: Step) -> str:
    return msgspec.json.encode(step.arguments).decode()


def _chat_call(number: int, step: Step) -> Json:
    return {
        "id": _call_id(number),
        "type": "function",
        "function": {"name": step.tool, "arguments": _arguments(step)},
    }


# OpenAI responses, stateless, as Codex sends it


def responses_requests(turns: Sequence[Turn], ident: str) -> list[Json]:
    """One body for each turn."""
    out: list[Json] = []
    items: list[Json] = []
    for turn, calls in _numbered_calls(turns):
        if turn.asked:
            items.append(_said("user", "input_text", turn.asked))
        out.append(_responses_body(list(items), ident))
        if turn.thought:
            items.append({"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB" + "q7Lk" * 60})
        if turn.said:
            items.append(_said("assistant", "output_text", turn.said))
        items += [
            {"type": "function_call", "call_id": _call_id(n), "name": step.tool, "arguments": _arguments(step)}
            for n, step in calls
        ]
        items += [{"type": "function_call_output", "call_id": _call_id(n), "output": step.result} for n, step in calls]
    return out


def _said(role: str, kind: str, text: str) -> Json:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def _responses_body(items: list[Json], ident: str) -> Json:
    tools = [
        {"type": "function", "name": name, "description": about, "parameters": _schema(fields), "strict": False}
        for name, about, fields in TOOLS
    ]
    return {
        "model": "gpt-5.1",
        "instructions": SYSTEM,
        "input": items,
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": ident,
    }
