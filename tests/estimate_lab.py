"""Logs as the two clients write them, line by line, for the tests of what reads them. Nothing here was recorded."""

import json

FILE = [
    f"line {n} of a file that is read again and again, with words enough to be worth a marker" for n in range(1, 61)
]
MODEL = "claude-opus-4-6"


def text_of(lines):
    return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1))


def at(second):
    return f"2026-03-01T10:{second // 60:02}:{second % 60:02}.000Z"


def epoch(second):
    return 1772359200.0 + second


class Claude:
    """A file of Claude Code's as it grows; every entry's parent is the one before, unless told."""

    def __init__(self, session="s1", **common):
        self.lines, self.common = [], {"sessionId": session, "version": "2.1.0", "cwd": "/p", **common}
        self.last = None

    def entry(self, kind, second=0, parent=..., **fields):
        uuid = f"u{len(self.lines)}-{self.common['sessionId']}"
        parent = self.last if parent is ... else parent
        told = {"type": kind, "uuid": uuid, "parentUuid": parent, "timestamp": at(second), **self.common, **fields}
        self.lines.append(told)
        self.last = uuid
        return uuid

    def user(self, content, second=0, **fields):
        return self.entry("user", second, message={"role": "user", "content": content}, **fields)

    def result(self, call, content, second=0, **fields):
        return self.user([{"type": "tool_result", "tool_use_id": call, "content": content}], second, **fields)

    def answer(self, ident, *blocks, second=0, usage=None, model=MODEL, **fields):
        """One line a block, as the client writes them."""
        for block in blocks:
            message = {"id": ident, "type": "message", "role": "assistant", "model": model, "content": [block]}
            self.entry("assistant", second, message={**message, "usage": usage or {}}, **fields)
        return self.last

    def raw(self):
        return [json.dumps(line).encode() + b"\n" for line in self.lines]

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.raw()))
        return path


def says(text):
    return {"type": "text", "text": text}


def reads(ident, path="a.py"):
    return {"type": "tool_use", "id": ident, "name": "Read", "input": {"file_path": path}}


def usage(uncached, read, written, hour=0, output=50):
    split = {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour}
    return {
        "input_tokens": uncached,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": split,
        "output_tokens": output,
    }


def working(session="s1", *, turns=12, head=20_000, factor=1.25, usages=True, gap=20, **common):
    """A session that reads one file again and again; its usage is that of a request with a head that no line shows."""
    log, sent, before = Claude(session, **common), 0, 0
    log.user("please look into the file", 0)
    sent += 60
    for nth in range(turns):
        total = round(head + factor * sent / 4)
        told = usage(3, before, total - 3 - before) if usages else None
        log.answer(
            f"msg_{session}{nth}",
            says(f"now for part {nth}"),
            reads(f"toolu_{session}{nth}"),
            second=gap * nth + 5,
            usage=told,
        )
        shown = text_of([f"something new {nth}", *FILE])
        log.result(f"toolu_{session}{nth}", shown, gap * (nth + 1))
        sent += len(json.dumps(shown)) + 350
        before = total - 3
    return log


class Codex:
    """A rollout as it grows."""

    def __init__(self, session="r1", model="gpt-5.4", instructions="be a good agent"):
        self.lines = []
        self.total = 0
        meta = {"id": session, "cwd": "/p", "base_instructions": {"text": instructions}}
        self.line("session_meta", meta)
        self.line("turn_context", {"model": model, "cwd": "/p"})

    def line(self, kind, payload, second=0):
        self.lines.append({"timestamp": at(second), "type": kind, "payload": payload})

    def user(self, text, second=0, role="user"):
        content = [{"type": "input_text", "text": text}]
        self.line("response_item", {"type": "message", "role": role, "content": content}, second)

    def call(self, ident, second=0):
        self.line("response_item", {"type": "reasoning", "summary": [], "encrypted_content": "x" * 100}, second)
        call = {"type": "function_call", "name": "exec", "arguments": '{"cmd":"cat a.py"}', "call_id": ident}
        self.line("response_item", call, second)

    def output(self, ident, text, second=0):
        self.line("response_item", {"type": "function_call_output", "call_id": ident, "output": text}, second)

    def count(self, uncached, read, output=9, second=0, again=1):
        self.total += uncached + read + output
        last = {"input_tokens": uncached + read, "cached_input_tokens": read, "output_tokens": output}
        info = {"last_token_usage": last, "total_token_usage": {"total_tokens": self.total}}
        for _ in range(again):
            self.line("event_msg", {"type": "token_count", "info": info}, second)

    def raw(self):
        return [json.dumps(line).encode() + b"\n" for line in self.lines]

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.raw()))
        return path


def recording(**fields):
    shown = text_of(FILE)
    messages = [{"role": "user", "content": "go"}]
    for nth in range(3):
        messages.append({"role": "assistant", "content": [reads(f"t{nth}")]})
        result = {"type": "tool_result", "tool_use_id": f"t{nth}", "content": shown}
        messages.append({"role": "user", "content": [result]})
    told = {"id": "rec", "agent": "an agent", "format": "anthropic", "messages": messages, "turn_ends": [0, 2, 4, 6]}
    return json.dumps({**told, **fields}).encode()
