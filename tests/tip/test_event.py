import msgspec
import pytest

from tokenpak.tip.event import TelemetryEvent

LEAST = {
    "request_id": "r",
    "timestamp": "2026-04-20T17:30:00Z",
    "cache_origin": "unknown",
    "tip_version": "TIP-1.0",
}


def test_what_is_not_known_is_not_written():
    event = msgspec.convert(LEAST, TelemetryEvent)
    assert msgspec.to_builtins(event) == LEAST
    assert msgspec.json.decode(msgspec.json.encode(event)) == LEAST


def test_null_is_kept_apart_from_absent():
    event = msgspec.convert({**LEAST, "provider": None, "reasoning_tokens": None}, TelemetryEvent)
    assert event.provider is None
    assert event.model is msgspec.UNSET
    assert msgspec.to_builtins(event) == {**LEAST, "provider": None, "reasoning_tokens": None}


@pytest.mark.parametrize("name", LEAST)
def test_what_an_event_must_have(name):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value for key, value in LEAST.items() if key != name}, TelemetryEvent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache_origin": None},
        {"cache_origin": "both"},
        {"tip_version": "1.0"},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-04-20 17:30:00"},
        {"timestamp": "2026-04-20T17:30:00"},
        {"savings_tokens": -1},
        {"savings_tokens": None},
        {"savings_cost": -0.1},
        {"tokens_in": 1.5},
        {"reasoning_tokens": -1},
        {"reasoning_effort": "huge"},
        {"acme_field": 1},
        {"ext": None},
    ],
)
def test_what_an_event_must_not_have(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**LEAST, **wrong}, TelemetryEvent)


@pytest.mark.parametrize("moment", ["2026-04-20t17:30:00.123456z", "2026-04-20T17:30:00-05:00"])
def test_moments(moment):
    assert msgspec.convert({**LEAST, "timestamp": moment}, TelemetryEvent).timestamp == moment
