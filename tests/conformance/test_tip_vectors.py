"""The registry's 42 vectors: its own validator, our words and our schemas give each the verdict it must have.

The validator of 0.1.1 knows no schema for the intent contract; there the registry's schema is asked directly. Beyond the
vectors, every valid document is bent in every member, and ours must judge each as the registry's schema does.
"""

import json
from datetime import datetime

import msgspec
import pytest
import tokenpak_tip_validator as validator
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from tip_lab import Vector, registry, vectors

from tokenpak.tip.capabilities import is_label, profile_gaps
from tokenpak.tip.errors import ErrorEnvelope
from tokenpak.tip.headers import faults
from tokenpak.tip.manifests import read_manifest
from tokenpak.tip.schema import WORDS, schema

ROOT = registry()
VECTORS = vectors()
MANIFESTS = {"adapter", "plugin", "provider-profile", "client-profile"}
FILES = {word: f"tip/{word}.schema.json" for word in WORDS} | {
    **{kind: f"manifests/{kind}.schema.json" for kind in MANIFESTS},
    "reasoning-usage": "tip/reasoning-usage-v1.schema.json",
}

pytestmark = pytest.mark.skipif(ROOT is None, reason="the registry is not here")


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    monkeypatch.setenv("TOKENPAK_REGISTRY_ROOT", str(ROOT))


def by_name(vector: Vector) -> str:
    return vector.name


FORMATS = FormatChecker(formats=())
"""The registry names the format of times; its validator does not look at it, and our words do."""


@FORMATS.checks("date-time", raises=ValueError)
def is_a_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value and datetime.fromisoformat(value).tzinfo is not None)


def theirs(word: str) -> Validator:
    assert ROOT is not None
    documents = [json.loads((ROOT / "schemas" / file).read_text()) for file in FILES.values()]
    known = Registry().with_resources([(found["$id"], Resource.from_contents(found)) for found in documents])
    text = (ROOT / "schemas" / FILES[word]).read_text()
    return Draft202012Validator(json.loads(text), registry=known, format_checker=FORMATS)


def ours(word: str) -> Validator:
    return Draft202012Validator(schema(word))


def reads(word: str, document: object) -> bool:
    """Whether our word takes a document."""
    raw = json.dumps(document).encode()
    if word in MANIFESTS:
        return isinstance(read_manifest(raw), WORDS[word])
    try:
        msgspec.json.decode(raw, type=WORDS[word])
    except msgspec.ValidationError:
        return False
    return True


def test_there_are_42_of_them():
    assert len(VECTORS) == 42


@pytest.mark.parametrize("vector", VECTORS, ids=by_name)
def test_the_registrys_validator_gives_the_verdict(vector):
    match vector.meta["validator"]:
        case "schema" if vector.meta["schema"] == "intent-contract":
            verdict = theirs("intent-contract").is_valid(vector.data)
        case "schema":
            result = validator.validate_against(vector.meta["schema"], vector.data)
            assert "schema.unavailable" not in {finding.code for finding in result.findings}
            verdict = result.ok
        case "wire":
            verdict = validator.validate_wire_headers(vector.data, direction=vector.meta["direction"]).ok
        case "capability-set":
            verdict = validator.validate_capability_set(vector.data).ok
        case "profile":
            found = vector.content["_capabilities"]
            verdict = validator.validate_profile(
                vector.meta["profile"], capabilities=found, manifest=vector.content.get("_manifest")
            ).ok
    assert verdict == vector.passes


@pytest.mark.parametrize("vector", VECTORS, ids=by_name)
def test_our_words_give_the_verdict(vector):
    match vector.meta["validator"]:
        case "schema":
            verdict = reads(vector.meta["schema"], vector.data)
        case "wire":
            verdict = not faults(vector.data, vector.meta["direction"])
        case "capability-set":
            verdict = all(map(is_label, vector.data))
        case "profile":
            verdict = golden(vector)
    assert verdict == vector.passes


def golden(vector: Vector) -> bool:
    """Everything a golden vector shows of a component."""
    manifest = vector.content.get("_manifest")
    headers = vector.content.get("_representative_response_headers")
    event = vector.content.get("_representative_telemetry_event")
    return (
        not profile_gaps(vector.meta["profile"], vector.content["_capabilities"])
        and (manifest is None or not isinstance(read_manifest(json.dumps(manifest).encode()), ErrorEnvelope))
        and (headers is None or not faults(headers, "response"))
        and (event is None or reads("telemetry-event", event))
    )


@pytest.mark.parametrize("vector", [v for v in VECTORS if v.meta["validator"] == "schema"], ids=by_name)
def test_our_schemas_give_the_verdict(vector):
    assert ours(vector.meta["schema"]).is_valid(vector.data) == vector.passes


@pytest.mark.parametrize("word", WORDS)
def test_our_schemas_know_the_members_of_the_registrys(word):
    made, registered = schema(word), theirs(word).schema
    assert isinstance(registered, dict)
    definition = made["$defs"][made["$ref"].rsplit("/", 1)[1]]
    assert definition["properties"].keys() == registered["properties"].keys()
    assert set(definition.get("required", ())) == set(registered.get("required", ()))
    assert definition.get("additionalProperties", True) == registered.get("additionalProperties", True)


def catalog() -> dict:
    assert ROOT is not None
    found = json.loads((ROOT / "capability-catalog.json").read_text())
    return {"tip_version": found["tip_version"], "labels": found["labels"]}


WHOLE = [(v.meta["schema"], v.data) for v in VECTORS if v.meta["validator"] == "schema" and v.passes]
WHOLE += [("headers", v.data) for v in VECTORS if v.meta["validator"] == "wire" and v.passes]
WHOLE += [
    ("error", {"code": "tip.internal.unexpected-error", "message": "m", "details": {"a": 1}, "retry_after_ms": 5}),
    ("metadata", {"request_id": "r", "tip_version": "TIP-1.0", "capabilities_negotiated": ["tip.a"], "ext": {}}),
    ("reasoning-usage", {"usage_source": "estimated", "input_tokens": 1, "reasoning_effort": "low"}),
]
WHOLE += [("capabilities", catalog())] if ROOT else []

ODD = [None, -1, -0.5, 1.5, 2, True, "", "low", "proxy", "unknown", "TIP-1.0", "TIP-1", "A b", [], [1], ["a", "a"], {}]


@pytest.mark.parametrize(("word", "document"), WHOLE, ids=lambda value: value if isinstance(value, str) else "")
def test_bent_documents_get_the_verdict_of_the_registrys_schema(word, document):
    registered, made = theirs(word), ours(word)
    names = [*registered.schema["properties"], "somebody_elses"]  # type: ignore[index]
    bent = [{**document, name: value} for name in names for value in ODD]
    bent += [{key: value for key, value in document.items() if key != name} for name in document]
    bent += [[], "", 1, None]
    judged = [(each, registered.is_valid(each)) for each in bent]
    assert {verdict for _, verdict in judged} == {True, False}
    for each, verdict in judged:
        assert (each, made.is_valid(each)) == (each, verdict)
        assert (each, reads(word, each) or beyond_a_schema(word, each)) == (each, verdict)


def beyond_a_schema(word: str, document: object) -> bool:
    """What no schema says: a manifest that does not publish what its kind promises is refused all the same."""
    if word not in MANIFESTS:
        return False
    refused = read_manifest(json.dumps(document).encode())
    return isinstance(refused, ErrorEnvelope) and "must publish" in refused.message
