"""Claude Code: `env.ANTHROPIC_BASE_URL` in its user settings, which count more than the same variable of a shell."""

from pathlib import Path

from tokenpak.integrations import files
from tokenpak.integrations.integration import Integration, Place, Probe, Profile, Wanted, fixed
from tokenpak.integrations.machine import Machine

KEY = ("env", "ANTHROPIC_BASE_URL")
CREDENTIALS = (("env", "ANTHROPIC_AUTH_TOKEN"), ("env", "ANTHROPIC_API_KEY"), ("apiKeyHelper",))
_ELSEWHERE = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")


def home(machine: Machine) -> Path:
    return machine.directory("CLAUDE_CONFIG_DIR", ".claude")


def _place(machine: Machine) -> Place:
    return Place(home(machine) / "settings.json", "json", fixed(Wanted(KEY, "anthropic", shown_there=CREDENTIALS)))


def _remarks(machine: Machine, _text: str) -> tuple[str, ...]:
    remarks = [f"{name} is set: Claude Code then calls another service" for name, _ in machine.exported(_ELSEWHERE)]
    if machine.exported(("ANTHROPIC_BASE_URL",)):
        remarks.append("ANTHROPIC_BASE_URL is set in this shell too; Claude Code believes its settings file more")
    local = [machine.here / ".claude" / name for name in ("settings.json", "settings.local.json")]
    said = (
        each for each in local if each.parent != home(machine) and b"ANTHROPIC_BASE_URL" in (files.read(each) or b"")
    )
    remarks += [
        f"{each} sets ANTHROPIC_BASE_URL for this project, and counts more than the user's settings" for each in said
    ]
    return tuple(remarks)


CLAUDE_CODE = Integration(
    name="claude-code",
    title="Claude Code",
    profile=Profile(
        wire=("claude-code",),
        session="x-claude-code-session-id",
        quirks=(
            "first system block is a billing header that is bound to the first user text",
            "moves its cache marks to the newest message with every turn",
            "sends the newest message as a list and the same message later as a string",
            "clears or shortens old tool results itself (micro-compaction)",
            "sends HEAD / when it starts",
        ),
    ),
    programs=("claude",),
    package="@anthropic-ai/claude-code",
    homes=lambda machine: (home(machine),),
    place=_place,
    remarks=_remarks,
    probe=Probe(("claude", "-p", "--max-turns", "1", "--", "Say ok.")),
)
