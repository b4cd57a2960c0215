import msgspec
import pytest

from tokenpak.tip.foreign import CompanionEntry, IntentContract, ReasoningUsage

ENTRY = {"session_id": "s", "timestamp": "2026-04-22T18:45:00Z", "entry_type": "auto", "tip_version": "TIP-1.0"}
CONTRACT = {
    "tip_version": "TIP-1.0",
    "emitted_at": "2026-05-03T22:30:00Z",
    "emitted_by": "a@1",
    "contract_id": "c",
    "intent_class": "query",
    "confidence": 0.5,
    "risk": "low",
    "slots_present": ["a"],
    "slots_missing": ["b"],
    "intent_source": "rules",
    "raw_prompt_hash": "0" * 64,
}


@pytest.mark.parametrize(
    ("word", "document"),
    [(CompanionEntry, ENTRY), (IntentContract, CONTRACT), (ReasoningUsage, {"usage_source": "unavailable"})],
)
def test_the_least_there_can_be_is_all_that_comes_back(word, document):
    assert msgspec.json.decode(msgspec.json.encode(msgspec.convert(document, word))) == document
    for name in document:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({key: value for key, value in document.items() if key != name}, word)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**document, "more": 1}, word)


@pytest.mark.parametrize(
    "wrong",
    [
        {"intent_class": "deploy"},
        {"confidence": 1.4},
        {"confidence": -0.1},
        {"raw_prompt_hash": "A" * 64},
        {"raw_prompt_hash": "the prompt"},
        {"slots_present": ["a", "a"]},
        {"slots_missing": [""]},
        {"contract_id": ""},
        {"catch_all_reason": "boredom"},
    ],
)
def test_what_a_contract_must_not_say(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**CONTRACT, **wrong}, IntentContract)


@pytest.mark.parametrize("wrong", [{"entry_type": "ext.x"}, {"tokens_avoided": -1}, {"tokens_avoided": None}])
def test_what_an_entry_must_not_say(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**ENTRY, **wrong}, CompanionEntry)
