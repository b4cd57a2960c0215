"""Records of TIP-1.0 that other components write. TokenPak can read and check them, and makes none of them.

A companion keeps a journal beside the prompt, a classifier writes down what it takes a request to be about, and a
library may pass on what a provider told of reasoning. They are here so that a reader of TokenPak's schemas finds all of
the protocol, and so that the registry's vectors can be judged without the registry.
"""

from typing import Annotated, Literal

import msgspec

from tokenpak.tip.event import Amount, Count, Effort, Extensions, Moment, UsageSource
from tokenpak.tip.version import TipVersion

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(extra_json_schema={"uniqueItems": True})]


class CompanionEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a companion's journal. Its savings are its own and never part of those of the wire."""

    session_id: str
    timestamp: Moment
    entry_type: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    tip_version: TipVersion
    source: str | msgspec.UnsetType | None = msgspec.UNSET
    tokens_avoided: Count | msgspec.UnsetType = msgspec.UNSET
    cost_avoided_usd: Amount | msgspec.UnsetType = msgspec.UNSET
    note: str | msgspec.UnsetType | None = msgspec.UNSET
    ext: Extensions | msgspec.UnsetType = msgspec.UNSET


class IntentContract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a classifier takes one request to be about; a draft of the protocol. The prompt is there as SHA-256 only.

    Raises ValueError when a slot is named twice.
    """

    tip_version: TipVersion
    emitted_at: Moment
    emitted_by: str
    contract_id: _Name
    intent_class: Literal[
        "status", "usage", "debug", "summarize", "plan", "execute", "explain", "search", "create", "query"
    ]
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)]
    risk: Literal["low", "medium", "high"]
    slots_present: _Names
    slots_missing: _Names
    intent_source: _Name
    raw_prompt_hash: Annotated[str, msgspec.Meta(pattern=r"^[a-f0-9]{64}$")]
    subtype: str | msgspec.UnsetType | None = msgspec.UNSET
    catch_all_reason: (
        Literal["empty_prompt", "prompt_too_short", "keyword_miss", "confidence_below_threshold", "slot_ambiguous"]
        | msgspec.UnsetType
        | None
    ) = msgspec.UNSET

    def __post_init__(self) -> None:
        for slots in (self.slots_present, self.slots_missing):
            if len(set(slots)) < len(slots):
                raise ValueError("a slot is named twice")


class ReasoningUsage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider told of a request's tokens, in one form for all. Null where it told nothing."""

    usage_source: UsageSource
    input_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    visible_output_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    total_output_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    total_billable_tokens: Count | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_effort: Effort | msgspec.UnsetType | None = msgspec.UNSET
    provider_usage_ref: str | msgspec.UnsetType | None = msgspec.UNSET
