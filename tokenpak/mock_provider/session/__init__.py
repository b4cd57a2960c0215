"""The project's own agent session: about 30 turns of an agent at work on a small repository, made up from a seed.

Pure and deterministic, so that every property of compression has something realistic to run on, anywhere, always.
"""

from typing import Any, Literal

import msgspec

from tokenpak.mock_provider.session import shapes
from tokenpak.mock_provider.session.work import Agent, Turn

Style = Literal["claude-code", "claude-code-padded", "chat", "responses"]
"""claude-code: Anthropic, numbers as `12<tab>`. claude-code-padded: older versions, `    12→`, edits echoed."""

STYLES: tuple[Style, ...] = ("claude-code", "claude-code-padded", "chat", "responses")

FormatWord = Literal["anthropic", "openai", "responses"]


class Session(msgspec.Struct, frozen=True):
    """One session. ident: its name, the same for the same seed and style."""

    ident: str
    style: Style
    turns: tuple[Turn, ...]

    @property
    def format(self) -> FormatWord:
        """The API format of its requests, in the words of the command line."""
        match self.style:
            case "chat":
                return "openai"
            case "responses":
                return "responses"
            case _:
                return "anthropic"

    def requests(self) -> list[dict[str, Any]]:
        """The request bodies, turn by turn; each holds the whole history before it."""
        match self.format:
            case "openai":
                return shapes.chat_requests(self.turns, self.ident)
            case "responses":
                return shapes.responses_requests(self.turns, self.ident)
            case "anthropic":
                return shapes.anthropic_requests(self.turns, self.ident)


def session(seed: int, style: Style = "claude-code") -> Session:
    """The session of a seed in a style; chat and responses show the same work as claude-code."""
    numbering: Literal["tab", "padded"] = "padded" if style == "claude-code-padded" else "tab"
    return Session(f"made-up-{style}-{seed}", style, tuple(Agent(seed, numbering).turns()))
