"""Manifests: how a component describes itself before it is connected. Four kinds, told apart by `kind`.

A manifest comes from outside, so reading one ends in a manifest or in an error of the protocol, never in an exception.
The protocol's rules go beyond types: what a kind promises must stand among its capabilities.
"""

from typing import Annotated, Any, Literal

import msgspec

from tokenpak.tip.capabilities import Label
from tokenpak.tip.errors import ErrorEnvelope, envelope
from tokenpak.tip.version import TipVersion, VersionRange

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Stage = Literal["compression", "security", "cache", "routing", "telemetry", "dispatch", "proxy-middleware"]
Phase = Literal["apply_request", "apply_response", "middleware"]
AdapterKind = Literal["client-integration", "framework-bridge"]
AuthScheme = Literal["bearer", "x-api-key", "oauth", "none"]
ClientMode = Literal["cli", "tui", "api", "sdk", "ide", "cron", "batch"]
Price = Annotated[float, msgspec.Meta(ge=0)]


class Compatibility(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a component can work with. requires_*: without which it does not connect."""

    tip_version_range: VersionRange
    requires_peer_capabilities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    optional_peer_capabilities: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    requires_profile: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    deprecated_since: TipVersion | msgspec.UnsetType = msgspec.UNSET
    removed_at: TipVersion | msgspec.UnsetType = msgspec.UNSET


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Where a component comes from, by its own word."""

    source_repo: Annotated[str, msgspec.Meta(extra_json_schema={"format": "uri"})] | msgspec.UnsetType = msgspec.UNSET
    signed: bool | msgspec.UnsetType = msgspec.UNSET
    maintainer: str | msgspec.UnsetType = msgspec.UNSET


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter adapts to. version_range: as its ecosystem writes them. settings_path: below the user's home."""

    name: str
    version_range: str | msgspec.UnsetType = msgspec.UNSET
    settings_path: str | msgspec.UnsetType = msgspec.UNSET


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a plugin takes part."""

    stage: Stage
    phase: Phase
    module: str | msgspec.UnsetType = msgspec.UNSET


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model a provider serves. Prices are US dollars for a million tokens."""

    id: str
    input_price_per_million: Price | msgspec.UnsetType = msgspec.UNSET
    output_price_per_million: Price | msgspec.UnsetType = msgspec.UNSET
    context_window: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET
    supports_streaming: bool | msgspec.UnsetType = msgspec.UNSET
    supports_tools: bool | msgspec.UnsetType = msgspec.UNSET


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider is asked. billing_routing_depends_on_body_bytes: whoever passes requests on must keep the bytes."""

    name: str
    endpoint_pattern: str
    auth_scheme: AuthScheme | msgspec.UnsetType = msgspec.UNSET
    auth_header: str | msgspec.UnsetType = msgspec.UNSET
    models: tuple[Model, ...] | msgspec.UnsetType = msgspec.UNSET
    billing_routing_depends_on_body_bytes: bool | msgspec.UnsetType = msgspec.UNSET


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """By what a client is known."""

    header_signature: str | msgspec.UnsetType = msgspec.UNSET
    env_signature: str | msgspec.UnsetType = msgspec.UNSET


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """How a client is used."""

    mode: ClientMode
    companion_eligible: bool | msgspec.UnsetType = msgspec.UNSET
    detection: Detection | msgspec.UnsetType = msgspec.UNSET


class _Described(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What every kind says of itself. version: its own, not the protocol's."""

    tip_version: TipVersion
    id: Id
    name: str
    version: str
    capabilities: tuple[Label, ...]
    compatibility: Compatibility
    extensions: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class Adapter(_Described, frozen=True, kw_only=True, tag="adapter"):
    """Wires a client to TokenPak, or TokenPak to a framework."""

    target: Target
    adapter_kind: AdapterKind | msgspec.UnsetType = msgspec.UNSET
    trust: Trust | msgspec.UnsetType = msgspec.UNSET


class Plugin(_Described, frozen=True, kw_only=True, tag="plugin"):
    """Takes part in somebody's pipeline."""

    hooks: tuple[Hook, ...]
    trust: Trust | msgspec.UnsetType = msgspec.UNSET


class ProviderProfile(_Described, frozen=True, kw_only=True, tag="provider-profile"):
    """A provider as a proxy sees it."""

    provider: Provider
    trust: Trust | msgspec.UnsetType = msgspec.UNSET


class ClientProfile(_Described, frozen=True, kw_only=True, tag="client-profile"):
    """A client as a proxy sees it."""

    client: Client


Manifest = Adapter | Plugin | ProviderProfile | ClientProfile


def read_manifest(document: bytes) -> Manifest | ErrorEnvelope:
    """A manifest from its JSON, or what is wrong with it."""
    try:
        manifest: Manifest = msgspec.json.decode(document, type=Manifest)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        code = "tip.manifest.missing-required-field" if missing else "tip.manifest.invalid"
        return envelope(code, f"The manifest is not of its form: {error}. Correct it and read it again.")
    except (msgspec.DecodeError, RecursionError) as error:
        return envelope("tip.manifest.invalid", f"The manifest is no JSON that can be read: {error}. Write it anew.")
    gap = _promise_gap(manifest)
    if gap is None:
        return manifest
    return envelope("tip.manifest.invalid", f"{manifest.id!r} must publish the capability {gap}. Add it to its list.")


def _promise_gap(manifest: Manifest) -> str | None:
    """The capability that the kind of a manifest promises and its list lacks."""
    needed: str | None = None
    match manifest:
        case Adapter(adapter_kind=str() as kind):
            needed = f"tip.adapter.{kind}"
        case Plugin():
            needed = "tip.plugin.hook-point"
        case _:
            needed = None
    return needed if needed not in manifest.capabilities else None
