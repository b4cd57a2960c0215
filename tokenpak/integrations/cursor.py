"""Cursor: its own servers make the calls, so an address of this machine means nothing to it."""

from tokenpak.integrations.integration import Integration, Profile

REASON = (
    "Cursor sends your requests from its own servers, and from there 127.0.0.1 is not this machine: it cannot be Cursor's base "
    "URL. TokenPak opens no tunnel to the internet for it. Agents in Cursor's terminal (Claude Code, Codex, ...) can be integrated"
)

CURSOR = Integration(
    name="cursor",
    title="Cursor",
    profile=Profile(wire=("cursor",), session=None, quirks=("never calls from this machine",)),
    programs=("cursor",),
    homes=lambda machine: (machine.home / ".cursor",),
    refusal=lambda _machine: REASON,
)
