"""Gemini CLI: GOOGLE_GEMINI_BASE_URL in the one .env file it reads.

It loads the first such file it finds and no other, so a new `~/.gemini/.env` would hide a `~/.env` that holds its key.
Where the user has the latter alone, that is the one to be edited.
"""

from pathlib import Path

import msgspec

from tokenpak.integrations import files
from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted, fixed
from tokenpak.integrations.machine import Machine

VARIABLE = "GOOGLE_GEMINI_BASE_URL"


class _Auth(msgspec.Struct):
    selected: str | None = msgspec.field(name="selectedType", default=None)


class _Security(msgspec.Struct):
    auth: _Auth = msgspec.field(default_factory=_Auth)


class _Settings(msgspec.Struct):
    security: _Security = msgspec.field(default_factory=_Security)


def home(machine: Machine) -> Path:
    return machine.home / ".gemini"


def _place(machine: Machine) -> Place:
    own, shared = home(machine) / ".env", machine.home / ".env"
    file = shared if shared.exists() and not own.exists() else own
    return Place(
        file, "dotenv", fixed(Wanted((VARIABLE,), "google", shown_there=(("GEMINI_API_KEY",), ("GOOGLE_API_KEY",))))
    )


def _remarks(machine: Machine, _text: str) -> tuple[str, ...]:
    remarks = []
    if _login(machine).startswith("oauth"):
        remarks.append(
            "Gemini CLI is logged in with a Google account; such a login may not follow the base URL. Use an API key"
        )
    for folder in (machine.here, *machine.here.parents):
        if folder == machine.home:
            break
        if hiding := next((each for each in (folder / ".gemini" / ".env", folder / ".env") if each.exists()), None):
            remarks.append(f"below {folder} Gemini CLI reads {hiding} instead of this file")
            break
    return tuple(remarks)


def _login(machine: Machine) -> str:
    try:
        data = files.read(home(machine) / "settings.json")
        return (msgspec.json.decode(data, type=_Settings).security.auth.selected if data else None) or ""
    except (msgspec.MsgspecError, CannotIntegrate):  # comments are allowed there; a remark less
        return ""


GEMINI_CLI = Integration(
    name="gemini-cli",
    title="Gemini CLI",
    profile=Profile(
        wire=("gemini-cli",),
        session=None,
        quirks=("sends every function response twice after --resume", "drops thought signatures after --resume"),
    ),
    programs=("gemini",),
    package="@google/gemini-cli",
    homes=lambda machine: (home(machine),),
    place=_place,
    overriding=(VARIABLE,),
    remarks=_remarks,
    probe=Probe(("gemini", "--skip-trust", "-p", "Say ok.")),
)
