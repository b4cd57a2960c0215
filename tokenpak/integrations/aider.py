"""Aider: `openai-api-base` in its file of the home directory. For Anthropic it reads a variable and has no such key."""

from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted, fixed
from tokenpak.integrations.machine import Machine

NAME = ".aider.conf.yml"


def _place(machine: Machine) -> Place:
    return Place(
        machine.home / NAME, "yaml", fixed(Wanted(("openai-api-base",), "openai", "/v1", (("openai-api-key",),)))
    )


def _remarks(machine: Machine, _text: str) -> tuple[str, ...]:
    remarks = [
        "models of Anthropic need a variable instead: ANTHROPIC_API_BASE, the URL without /v1 (docs/clients/aider.md)"
    ]
    if machine.here != machine.home and (machine.here / NAME).exists():
        remarks.append(f"{machine.here / NAME} is read too, and counts more")
    return tuple(remarks)


AIDER = Integration(
    name="aider",
    title="Aider",
    profile=Profile(
        wire=("aider", "litellm", "openai-sdk-python"),
        session=None,
        quirks=(
            "shows the user agent of the library it calls with",
            "sends files anew after the history with every turn, so the prefix changes",
            "asks for commit messages without tools",
        ),
    ),
    programs=("aider",),
    package="aider-chat",
    homes=lambda machine: (machine.home / ".aider",),
    place=_place,
    overriding=("AIDER_OPENAI_API_BASE",),
    remarks=_remarks,
    read_from=("ANTHROPIC_API_BASE",),
    probe=Probe(("aider", "--no-git", "--yes-always", "--no-stream", "--map-tokens", "0", "--message", "Say ok.")),
)
