"""The JSON Schemas of these words, made from the structs. `tokenpak/tip/schemas/` holds what this module makes.

A schema and its struct must say the same of every document; there is one source, so they do. Only what JSON Schema can
say is in them: a manifest's promises and a negotiation's rules stand in code.
"""

from typing import Any, Final

import msgspec

from tokenpak.tip.capabilities import Catalog
from tokenpak.tip.errors import ErrorEnvelope
from tokenpak.tip.event import TelemetryEvent
from tokenpak.tip.foreign import CompanionEntry, IntentContract, ReasoningUsage
from tokenpak.tip.headers import Headers
from tokenpak.tip.manifests import Adapter, ClientProfile, Compatibility, Plugin, ProviderProfile
from tokenpak.tip.metadata import Metadata
from tokenpak.tip.version import VERSION

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

WORDS: Final[dict[str, type[msgspec.Struct]]] = {
    "headers": Headers,
    "metadata": Metadata,
    "telemetry-event": TelemetryEvent,
    "error": ErrorEnvelope,
    "capabilities": Catalog,
    "compatibility": Compatibility,
    "adapter": Adapter,
    "plugin": Plugin,
    "provider-profile": ProviderProfile,
    "client-profile": ClientProfile,
    "companion-journal-row": CompanionEntry,
    "intent-contract": IntentContract,
    "reasoning-usage": ReasoningUsage,
}
"""By the name the registry has for them."""


def schema(word: str) -> dict[str, Any]:
    """The schema of one word, as JSON values."""
    return {"$schema": DIALECT, "$id": f"urn:tokenpak:{VERSION.lower()}:{word}", **msgspec.json.schema(WORDS[word])}


def document(word: str) -> bytes:
    """The same as a file: two spaces, one newline at the end."""
    return msgspec.json.format(msgspec.json.encode(schema(word)), indent=2) + b"\n"
