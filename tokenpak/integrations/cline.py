"""Cline: `baseUrl` of the providers its command line is set up with. In VS Code it keeps them where only its own window writes."""

from pathlib import Path

import msgspec

from tokenpak.integrations.formats import jsonc
from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted
from tokenpak.integrations.machine import Machine

PROVIDERS = {"anthropic": "anthropic", "openai-compatible": "openai", "openai": "openai"}
"""Its names of providers, and whose API that is."""


class _File(msgspec.Struct):
    providers: dict[str, object] = {}


def home(machine: Machine) -> Path:
    return machine.home / ".cline"


def _place(machine: Machine) -> Place:
    return Place(home(machine) / "data" / "settings" / "providers.json", "json", _keys, spares=True)


def _keys(text: str) -> tuple[Wanted, ...]:
    """Only of providers that are set up: an entry without a key would be no provider."""
    try:
        found = msgspec.convert(jsonc.load(text), _File).providers
    except msgspec.ValidationError:
        return ()
    return tuple(
        Wanted(("providers", name, "settings", "baseUrl"), provider, "/v1")
        for name, provider in PROVIDERS.items()
        if name in found
    )


def _steps(root: str) -> tuple[str, ...]:
    return (
        "Command line: `cline auth --provider anthropic` (or openai) sets up a provider; then do this again.",
        f"VS Code: in Cline's settings choose the API provider Anthropic, tick 'Use custom base URL' and enter {root}/v1; or",
        f"choose OpenAI Compatible and enter {root}/v1 as the base URL.",
        "Then `tokenpak requests` shows what it sends.",
    )


CLINE = Integration(
    name="cline",
    title="Cline",
    profile=Profile(
        wire=("cline", "ai-sdk"),
        session=None,
        quirks=("marks the first user text and no other", "leaves a hub process behind on a fixed port"),
    ),
    programs=("cline",),
    package="cline",
    homes=lambda machine: (home(machine),),
    place=_place,
    remarks=lambda _machine, _text: (
        "Cline in VS Code keeps its own settings: set its base URL there, see docs/clients/cline.md",
    ),
    steps=_steps,
    probe=Probe(("cline", "--json", "Say ok.")),
)
