import pytest

from tokenpak.core.client import NAMES, identify
from tokenpak.integrations.catalog import INTEGRATIONS, integration_of
from tokenpak.integrations.errors import CannotIntegrate

SEEN = {
    "claude-code": {b"user-agent": b"claude-cli/2.1.197 (external, sdk-cli)"},
    "codex": {b"originator": b"codex_exec"},
    "cline": {b"user-agent": b"ai-sdk/anthropic/4.0.42 runtime/bun"},
    "continue": {b"user-agent": b"node-fetch"},
    "aider": {b"user-agent": b"litellm/1.81.10"},
    "gemini-cli": {b"user-agent": b"GeminiCLI-tui/0.61.0/gemini-2.5-pro"},
    "opencode": {b"user-agent": b"opencode/1.18.33 ai-sdk/provider-utils"},
    "litellm": {b"user-agent": b"litellm/1.106.2"},
    "anthropic-sdk": {b"user-agent": b"Anthropic/Python 2.12.0"},
    "openai-sdk": {b"user-agent": b"OpenAI/JS 6.49.0"},
    "cursor": {b"user-agent": b"Cursor/1.0"},
}
"""What each client was recorded with."""


@pytest.mark.parametrize("each", INTEGRATIONS, ids=lambda each: each.name)
def test_names_on_the_wire_are_those_of_core(each):
    assert each.profile.wire
    assert set(each.profile.wire) <= set(NAMES)
    assert not set(each.profile.products) & set(NAMES)
    assert identify(SEEN[each.name]).name in (*each.profile.wire, *each.profile.products)


@pytest.mark.parametrize("each", [i for i in INTEGRATIONS if i.profile.session], ids=lambda each: each.name)
def test_the_session_key_is_one_that_core_reads(each):
    assert identify({each.profile.session.encode(): b"s-1"}).session == "s-1"


def test_a_client_can_be_written_or_says_what_to_do():
    for each in INTEGRATIONS:
        assert each.place is not None or each.steps("http://r") or each.name == "cursor"


def test_names_are_found_and_others_named():
    assert len({each.name for each in INTEGRATIONS}) == len(INTEGRATIONS) == 11
    assert integration_of("codex").name == "codex"
    with pytest.raises(CannotIntegrate, match="claude-code, codex, cline"):
        integration_of("emacs")
