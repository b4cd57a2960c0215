"""Who is calling: the client's name and its session, from what real clients send (recorded, facts/clients section 2).

For rows, and for the rules by which a user picks terms of compression. Nothing here may change where a request goes:
names are claims. The difficulty is that several clients are built on one SDK and show its user agent alone; they stay
what they show.
"""

from collections.abc import Mapping

import msgspec

LONGEST_NAME = 128
"""Characters kept of anything a client says about itself."""

_CLAUDE_CODE_HEADER = b"x-claude-code-session-id"
"""A header that only this client sends, whatever embeds it; the most certain sign there is."""

_CODEX_ORIGINATOR = b"codex"
"""Codex sends `originator: codex_exec`, `codex_cli_rs`, `codex_vscode`, ..."""

_BY_AGENT = (
    ("claude-cli/", "claude-code"),
    ("codex", "codex"),
    ("opencode/", "opencode"),
    ("geminicli", "gemini-cli"),
    ("qwencode", "qwen-code"),
    ("cline", "cline"),
    ("roo-code", "roo-code"),
    ("continue", "continue"),
    ("aider", "aider"),
    ("litellm/", "litellm"),
    ("githubcopilot", "copilot"),
    ("copilot", "copilot"),
    ("zed/", "zed"),
    ("cursor", "cursor"),
    ("llm/", "llm"),
    ("pi/", "pi"),
    ("ai-sdk/", "ai-sdk"),
    ("anthropic/python", "anthropic-sdk-python"),
    ("asyncanthropic/python", "anthropic-sdk-python"),
    ("anthropic/js", "anthropic-sdk-js"),
    ("openai/python", "openai-sdk-python"),
    ("asyncopenai/python", "openai-sdk-python"),
    ("openai/js", "openai-sdk-js"),
    ("google-genai-sdk/", "google-genai"),
    ("ollama-python/", "ollama-python"),
    ("curl/", "curl"),
)
"""How a user agent begins, in lower case; the first match counts, so the longer claim stands before the shorter."""

NAMES = tuple(dict.fromkeys(name for _, name in _BY_AGENT))
"""Every name the table gives."""

_SESSION_HEADERS = (
    _CLAUDE_CODE_HEADER,
    b"x-session-id",
    b"session-id",
    b"session_id",
    b"x-session-affinity",
    b"x-tokenpak-session",
    b"x-tokenpak-session-id",
)


class Client(msgspec.Struct, frozen=True):
    """A client as far as its headers tell. name: from the table, else the product of its user agent."""

    name: str | None
    session: str | None


def identify(values: Mapping[bytes, bytes]) -> Client:
    """The client behind a request's headers, given as lower-case name to first value."""
    return Client(_name(values), _session(values))


def _name(values: Mapping[bytes, bytes]) -> str | None:
    if _CLAUDE_CODE_HEADER in values:
        return "claude-code"
    if values.get(b"originator", b"").lower().startswith(_CODEX_ORIGINATOR):
        return "codex"
    agent = values.get(b"user-agent", b"").decode("latin-1")
    low = agent.lower()
    for beginning, name in _BY_AGENT:
        if low.startswith(beginning):
            return name
    return _clipped(agent.split("/", 1)[0].split(" ", 1)[0])


def _session(values: Mapping[bytes, bytes]) -> str | None:
    for header in _SESSION_HEADERS:
        if header in values:
            return _clipped(values[header].decode("latin-1"))
    return None


def _clipped(value: str) -> str | None:
    return value[:LONGEST_NAME] or None
