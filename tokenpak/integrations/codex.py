"""Codex: `openai_base_url` above the tables of its config.toml, which keeps its built-in provider and its API key.

A login with a ChatGPT account calls another host with other bodies; until that is proven here, it is refused.
"""

import tomllib
from pathlib import Path

import msgspec

from tokenpak.integrations import files
from tokenpak.integrations.errors import WouldNotWork
from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted
from tokenpak.integrations.machine import Machine

BUILT_IN = "openai"
NONE = msgspec.Raw(b"null")


class _Login(msgspec.Struct):
    """What must be known of auth.json: which kind of login it is. Values stay encoded and go nowhere."""

    auth_mode: str | None = None
    api_key: msgspec.Raw = msgspec.field(name="OPENAI_API_KEY", default=NONE)
    tokens: msgspec.Raw = NONE


def home(machine: Machine) -> Path:
    return machine.directory("CODEX_HOME", ".codex")


def _place(machine: Machine) -> Place:
    return Place(home(machine) / "config.toml", "toml", _keys)


def _keys(text: str) -> tuple[Wanted, ...]:
    chosen = _chosen_provider(text)
    if chosen != BUILT_IN:
        raise WouldNotWork(
            f"Codex is set to the model provider {chosen!r}, which does not read openai_base_url. Set model_provider to "
            f'"{BUILT_IN}", or set base_url of that provider by hand.'
        )
    return (Wanted(("openai_base_url",), "openai", "/v1"),)


def _chosen_provider(text: str) -> str:
    try:
        return str(tomllib.loads(text).get("model_provider", BUILT_IN))
    except tomllib.TOMLDecodeError:  # told where it is read for the edit
        return BUILT_IN


def _refusal(machine: Machine) -> str | None:
    file = home(machine) / "auth.json"
    data = files.read(file)
    try:
        login = msgspec.json.decode(data, type=_Login) if data else None
    except msgspec.MsgspecError:
        return f"{file} cannot be read, so the kind of login is not known"
    if login is None or _is_there(login.api_key):
        return None
    if login.auth_mode == "chatgpt" or _is_there(login.tokens):
        return (
            "Codex is logged in with a ChatGPT account. Such a login calls a service of its own with requests of its own, and "
            "TokenPak has not been proven with it. Log in with an API key (`codex login --with-api-key`), or leave Codex as it is."
        )
    return None


def _is_there(value: msgspec.Raw) -> bool:
    return bytes(value) not in {b"null", b'""', b"{}"}


def _remarks(machine: Machine, text: str) -> tuple[str, ...]:
    remarks = []
    if "[profiles." in text:
        remarks.append("a profile that names another model_provider does not read openai_base_url")
    if not (home(machine) / "auth.json").exists() and not machine.exported(("OPENAI_API_KEY", "CODEX_API_KEY")):
        remarks.append("no login was found; it must be one with an API key, not one with a ChatGPT account")
    return tuple(remarks)


CODEX = Integration(
    name="codex",
    title="Codex",
    profile=Profile(
        wire=("codex",),
        session="session-id",
        quirks=(
            "tries a WebSocket first and falls back at once when that is answered with 426",
            "may send zstd bodies where it is logged in with a ChatGPT account",
            "store is false and reasoning comes back encrypted",
        ),
    ),
    programs=("codex",),
    package="@openai/codex",
    homes=lambda machine: (home(machine),),
    place=_place,
    refusal=_refusal,
    remarks=_remarks,
    probe=Probe(("codex", "exec", "--skip-git-repo-check", "--sandbox", "read-only", "Say ok.")),
)
