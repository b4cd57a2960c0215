"""Continue: `apiBase` of each model of Anthropic or OpenAI in its config.yaml, for the command line and the editors."""

from pathlib import Path

import msgspec

from tokenpak.integrations.formats import yaml
from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted
from tokenpak.integrations.machine import Machine

PROVIDERS = ("anthropic", "openai")


class _Model(msgspec.Struct):
    provider: object = None


class _File(msgspec.Struct):
    models: list[_Model] = []


def home(machine: Machine) -> Path:
    return machine.directory("CONTINUE_GLOBAL_DIR", ".continue")


def _place(machine: Machine) -> Place:
    return Place(home(machine) / "config.yaml", "yaml", _keys, spares=True)


def _keys(text: str) -> tuple[Wanted, ...]:
    try:
        models = msgspec.convert(yaml.load(text), _File).models
    except msgspec.ValidationError:
        return ()
    return tuple(
        Wanted(("models", number, "apiBase"), str(model.provider), "/v1")
        for number, model in enumerate(models)
        if model.provider in PROVIDERS
    )


def _steps(root: str) -> tuple[str, ...]:
    return (
        "Give config.yaml a model of the provider anthropic or openai, as Continue's documentation shows, then do this again; or",
        f"write `apiBase: {root}/v1` beside `provider:` of such a model yourself.",
    )


CONTINUE = Integration(
    name="continue",
    title="Continue",
    profile=Profile(
        wire=("continue",),
        session=None,
        quirks=(
            "shows the user agent of its HTTP library, node-fetch, and not its own",
            "does not retry 429 or 500, but 529",
            "marks user messages, but no tool results",
        ),
        products=("node-fetch",),
    ),
    programs=("cn",),
    package="@continuedev/cli",
    homes=lambda machine: (home(machine),),
    place=_place,
    steps=_steps,
    probe=Probe(("cn", "-p", "Say ok.")),
)
