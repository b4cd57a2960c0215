import json

import pytest

from tokenpak.tip.errors import ErrorEnvelope
from tokenpak.tip.manifests import Adapter, ClientProfile, Plugin, ProviderProfile, read_manifest

COMMON = {
    "tip_version": "TIP-1.0",
    "id": "acme",
    "name": "Acme",
    "version": "1.0.0",
    "capabilities": [],
    "compatibility": {"tip_version_range": ">=TIP-1.0,<TIP-2.0"},
}
KINDS = {
    "adapter": {
        **COMMON,
        "kind": "adapter",
        "adapter_kind": "framework-bridge",
        "capabilities": ["tip.adapter.framework-bridge"],
        "target": {"name": "acme"},
    },
    "plugin": {
        **COMMON,
        "kind": "plugin",
        "capabilities": ["tip.plugin.hook-point"],
        "hooks": [{"stage": "cache", "phase": "middleware"}],
    },
    "provider-profile": {
        **COMMON,
        "kind": "provider-profile",
        "provider": {"name": "acme", "endpoint_pattern": "https://{host}/v1", "models": [{"id": "m"}]},
    },
    "client-profile": {**COMMON, "kind": "client-profile", "client": {"mode": "cli"}},
}
OWN = {"adapter": "target", "plugin": "hooks", "provider-profile": "provider", "client-profile": "client"}
TYPES = {
    "adapter": Adapter,
    "plugin": Plugin,
    "provider-profile": ProviderProfile,
    "client-profile": ClientProfile,
}


def found(document):
    return read_manifest(json.dumps(document).encode())


def code(document):
    refused = found(document)
    assert isinstance(refused, ErrorEnvelope)
    return refused.code


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_as_what_it_is(kind):
    manifest = found(KINDS[kind])
    assert isinstance(manifest, TYPES[kind])
    assert (manifest.id, manifest.compatibility.tip_version_range) == ("acme", ">=TIP-1.0,<TIP-2.0")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_has_a_code_of_its_own(kind):
    for name in [*COMMON, "kind", OWN[kind]]:
        document = {key: value for key, value in KINDS[kind].items() if key != name}
        assert code(document) == "tip.manifest.missing-required-field", name


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Acme_1"},
        {"tip_version": "1.0"},
        {"kind": "engine"},
        {"capabilities": ["compression"]},
        {"compatibility": {"tip_version_range": ">=1.0.0"}},
        {"compatibility": {"tip_version_range": ">=TIP-1.0", "more": 1}},
        {"more": 1},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_said(kind, wrong):
    assert code({**KINDS[kind], **wrong}) == "tip.manifest.invalid"


@pytest.mark.parametrize(("kind", "label"), [("adapter", "tip.adapter.framework-bridge"), ("plugin", "tip.plugin.")])
def test_a_kind_must_publish_what_it_promises(kind, label):
    refused = found({**KINDS[kind], "capabilities": ["ext.acme.x"]})
    assert isinstance(refused, ErrorEnvelope)
    assert refused.code == "tip.manifest.invalid"
    assert label in refused.message


def test_an_adapter_that_does_not_say_which_kind_promises_nothing():
    document = {key: value for key, value in KINDS["adapter"].items() if key != "adapter_kind"}
    assert isinstance(found({**document, "capabilities": []}), Adapter)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
def test_what_is_no_manifest_at_all_is_an_error_and_never_raises(raw):
    refused = read_manifest(raw)
    assert isinstance(refused, ErrorEnvelope)
    assert refused.code == "tip.manifest.invalid"
