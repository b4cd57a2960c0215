"""Every client TokenPak knows how to be integrated with."""

from tokenpak.integrations.aider import AIDER
from tokenpak.integrations.anthropic_sdk import ANTHROPIC_SDK
from tokenpak.integrations.claude_code import CLAUDE_CODE
from tokenpak.integrations.cline import CLINE
from tokenpak.integrations.codex import CODEX
from tokenpak.integrations.continue_ import CONTINUE
from tokenpak.integrations.cursor import CURSOR
from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.gemini_cli import GEMINI_CLI
from tokenpak.integrations.integration import Integration
from tokenpak.integrations.litellm import LITELLM
from tokenpak.integrations.openai_sdk import OPENAI_SDK
from tokenpak.integrations.opencode import OPENCODE

INTEGRATIONS = (
    CLAUDE_CODE,
    CODEX,
    CLINE,
    CONTINUE,
    AIDER,
    GEMINI_CLI,
    OPENCODE,
    LITELLM,
    ANTHROPIC_SDK,
    OPENAI_SDK,
    CURSOR,
)


def integration_of(name: str) -> Integration:
    """By its name. Raises CannotIntegrate, which names them all."""
    found = next((each for each in INTEGRATIONS if each.name == name), None)
    if found is None:
        raise CannotIntegrate(
            f"{name} is none of the clients TokenPak knows: {', '.join(i.name for i in INTEGRATIONS)}"
        )
    return found
