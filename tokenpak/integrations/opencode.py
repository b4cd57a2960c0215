"""opencode: `options.baseURL` of its providers for Anthropic and OpenAI, in JSON that may hold comments."""

from pathlib import Path

from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted, fixed
from tokenpak.integrations.machine import Machine

PROVIDERS = ("anthropic", "openai")
FILES = ("opencode.jsonc", "opencode.json")
"""Both are read, and what stands in the first counts."""


def home(machine: Machine) -> Path:
    return machine.directory("XDG_CONFIG_HOME", ".config") / "opencode"


def _place(machine: Machine) -> Place:
    folder = home(machine)
    file = next((folder / name for name in FILES if (folder / name).exists()), folder / "opencode.json")
    return Place(file, "json", fixed(*map(_wanted, PROVIDERS)))


def _wanted(name: str) -> Wanted:
    options = ("provider", name, "options")
    return Wanted((*options, "baseURL"), name, "/v1", ((*options, "apiKey"),))


def _remarks(machine: Machine, _text: str) -> tuple[str, ...]:
    local = [machine.here / name for name in FILES if (machine.here / name).exists()]
    return tuple(f"{file} is read for this project too, and counts more" for file in local)


OPENCODE = Integration(
    name="opencode",
    title="opencode",
    profile=Profile(
        wire=("opencode",),
        session="x-session-id",
        quirks=(
            "asks a small model for a title, without tools",
            "marks the first system block and the last two messages",
        ),
    ),
    programs=("opencode",),
    package="opencode-ai",
    homes=lambda machine: (home(machine),),
    place=_place,
    overriding=("OPENCODE_CONFIG", "OPENCODE_CONFIG_CONTENT"),
    remarks=_remarks,
    probe=Probe(("opencode", "run", "Say ok.")),
)
