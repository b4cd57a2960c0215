import pytest

from tokenpak.core.client import LONGEST_NAME, Client, identify


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({b"x-claude-code-session-id": b"s", b"user-agent": b"anything/1"}, "claude-code"),
        ({b"user-agent": b"claude-cli/2.1.197 (external, sdk-cli)"}, "claude-code"),
        ({b"originator": b"codex_exec", b"user-agent": b"reqwest"}, "codex"),
        ({b"user-agent": b"codex_cli_rs/0.169.0"}, "codex"),
        ({b"user-agent": b"opencode/1.18.33 ai-sdk/provider-utils"}, "opencode"),
        ({b"user-agent": b"GeminiCLI-tui/0.61.0/gemini-2.5-pro (linux; x64)"}, "gemini-cli"),
        ({b"user-agent": b"Cline/3.0.65"}, "cline"),
        ({b"user-agent": b"aider/0.86.2"}, "aider"),
        ({b"user-agent": b"litellm/1.81.10"}, "litellm"),
        ({b"user-agent": b"Continue/1.5"}, "continue"),
        ({b"user-agent": b"ai-sdk/anthropic/4.0.42 runtime/bun"}, "ai-sdk"),
        ({b"user-agent": b"Anthropic/Python 2.12.0"}, "anthropic-sdk-python"),
        ({b"user-agent": b"AsyncOpenAI/Python 3.54.0"}, "openai-sdk-python"),
        ({b"user-agent": b"OpenAI/JS 6.49.0"}, "openai-sdk-js"),
        ({b"user-agent": b"Mozilla/5.0 (X11)"}, "Mozilla"),
        ({b"user-agent": b"node"}, "node"),
        ({b"user-agent": b""}, None),
        ({}, None),
    ],
)
def test_name(headers, name):
    assert identify(headers).name == name


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"x-claude-code-session-id", b"c-1"),
        (b"x-session-id", b"o-1"),
        (b"session-id", b"x-1"),
        (b"session_id", b"x-0"),
        (b"x-tokenpak-session", b"t-1"),
    ],
)
def test_session(header, value):
    assert identify({header: value}).session == value.decode()


def test_nothing_said():
    assert identify({}) == Client(None, None)
    assert identify({b"session-id": b""}).session is None


def test_claims_are_clipped_and_never_fail_to_decode():
    client = identify({b"user-agent": b"\xff" * 900, b"x-session-id": b"\xfe" * 900})
    assert len(client.name) == len(client.session) == LONGEST_NAME
