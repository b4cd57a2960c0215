"""On which terms a request is searched for secrets and personal data: what holds for all, refined for some clients.

Rules are read as those of compression are (core/rules): from the first to the last, each that fits sets what it names. The
difficulty is that a client's name is a claim. Whoever claims another one is still a program of this user's, on this machine;
a rule must not be taken for a wall between programs.
"""

from typing import Literal

import msgspec

from tokenpak.core.detectors import NAMES
from tokenpak.core.rules import matches

Level = Literal["off", "warn", "redact", "block"]
"""off: not looked for. warn: sent, and said in the row. redact: sent with a placeholder. block: not sent."""


class Terms(msgspec.Struct, frozen=True):
    """What is looked for in a request. without: detectors left out. billed: what `redact` means for a body whose bytes the
    client's bill depends on (a billing line with `cch=`).
    """

    secrets: Level = "warn"
    pii: Level = "off"
    without: tuple[str, ...] = ()
    billed: Literal["block", "redact"] = "block"

    def level(self, kind: str) -> Level:
        """That of a detector."""
        return self.secrets if NAMES[kind] == "secrets" else self.pii

    @property
    def holds(self) -> bool:
        """Whether a request may not go before it was searched."""
        return not {"redact", "block"}.isdisjoint((self.secrets, self.pii))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The detectors at work."""
        return tuple(kind for kind in NAMES if kind not in self.without and self.level(kind) != "off")


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refinement for some clients. None: fits any, or leaves as it is. client: pattern for its name, as in core/rules."""

    client: str | None = None
    secrets: Level | None = None
    pii: Level | None = None
    without: tuple[str, ...] | None = None
    billed: Literal["block", "redact"] | None = None


class Policy(msgspec.Struct, frozen=True):
    """What a user wants to be looked for. rules: each that fits sets what it names, in order."""

    base: Terms = Terms()
    rules: tuple[Rule, ...] = ()

    @property
    def redacts(self) -> bool:
        """Whether any request may be redacted."""
        return "redact" in (
            *(self.base.secrets, self.base.pii),
            *(level for rule in self.rules for level in (rule.secrets, rule.pii)),
        )


def resolved(policy: Policy, client: str | None) -> Terms:
    """The terms for a client's requests. client: as core/client.py tells it; None: not known."""
    terms = policy.base
    for rule in policy.rules:
        if matches(rule.client, client or ""):
            named = {name: value for name, value in msgspec.structs.asdict(rule).items() if value is not None}
            named.pop("client", None)
            terms = msgspec.structs.replace(terms, **named)
    return terms
