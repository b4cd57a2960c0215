from pathlib import Path

import pytest

from tokenpak.integrations.preview import MASK, diff, masked


@pytest.mark.parametrize(
    "text",
    [
        '"apiKey": "SECRET"',
        '{"a": 1, "token": "SECRET", "b": 2}',
        "api_key = 'SECRET'",
        "password: SECRET with, # all of it SECRET",
        "GEMINI_API_KEY=SECRET",
        "export OPENAI_API_KEY=`SECRET`",
        '"args": ["--token", "SECRET"]',
        "{name: a, apiKey: SECRET, b: c}",
        '"headers": {"Authorization": "Bearer SECRET"}',
        'url = "https://me:SECRET@host/v1"',
        '"ANTHROPIC_CUSTOM_HEADERS": "x-auth: SECRET"',
        "set-env: 4f7SECRET9a8b7c6d5e4f3",
        'tokens: ["SECRET", "SECRET"]',
    ],
)
def test_a_secret_is_not_shown(text):
    assert "SECRET" not in masked(text)
    assert MASK in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        '"model": "opus"',
        '"ANTHROPIC_BASE_URL": "http://127.0.0.1:8766"',
        "openai_base_url = 'https://api.openai.com/v1'",
        '"maxTokens": 4096,',
        '"apiKey": null, "baseURL": "http://a"',
        "[mcp_servers.docs]",
        "",
    ],
)
def test_everything_else_is(text):
    assert masked(text) == text


def test_a_key_of_several_lines_is_not_shown():
    body = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDZ" for _ in range(4))
    assert "MIIE" not in masked(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")


def test_a_change_as_people_read_it():
    shown = diff(Path("/f"), b"a\r\nb\r\n", b"a\r\nc\r\n")
    assert shown.splitlines() == ["--- /f", "+++ /f", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert diff(Path("/f"), None, b"a\n").startswith("--- /dev/null\n")
    assert diff(Path("/f"), b"a", b"a") == ""
