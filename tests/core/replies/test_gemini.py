import msgspec
import pytest

from tokenpak.core.echo import NoEcho
from tokenpak.core.replies.gemini import Gemini
from tokenpak.core.replies.reading import Usage

USAGE = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 700,
    "toolUsePromptTokenCount": 50,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 1100,
}


def read(*chunks) -> Gemini:
    reading = Gemini(NoEcho())
    for chunk in chunks:
        reading.event(b"", msgspec.json.encode(chunk))
    return reading


def whole(document) -> Gemini:
    reading = Gemini(NoEcho())
    reading.document(msgspec.json.encode(document))
    return reading


def test_the_classes_add_up_to_the_total():
    usage = whole({"usageMetadata": USAGE}).usage()
    assert usage == Usage(uncached=350, cache_read=700, output=50, reasoning=30)
    assert sum((usage.uncached or 0, usage.cache_read or 0, usage.output or 0)) == USAGE["totalTokenCount"]


def test_chunks_that_tell_no_prompt_add_to_the_last_one_that_does():
    reading = read(
        {"usageMetadata": {"promptTokenCount": 11, "thoughtsTokenCount": 5}, "modelVersion": "gemini-x"},
        {"usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 3, "thoughtsTokenCount": 9}},
        {"usageMetadata": {"candidatesTokenCount": 7}, "candidates": [{"finishReason": "STOP"}]},
    )
    assert reading.usage() == Usage(uncached=11, output=16, reasoning=9)
    assert (reading.model, reading.stop_reason, reading.finished, reading.basis()) == (
        "gemini-x",
        "STOP",
        True,
        "provider",
    )


def test_the_last_chunk_that_tells_a_prompt_wins_as_a_whole():
    reading = read(
        {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35}},
        {"usageMetadata": {"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": 165}},
        {"usageMetadata": {"trafficType": "ON_DEMAND"}, "candidates": [{"finishReason": "STOP"}]},
    )
    assert reading.usage() == Usage(uncached=87, output=78, reasoning=78)


def test_what_was_never_given_is_none():
    assert whole({"usageMetadata": {"promptTokenCount": 14}}).usage() == Usage(uncached=14)
    assert whole({"usageMetadata": {"thoughtsTokenCount": 2}}).usage() == Usage(output=2, reasoning=2)
    assert whole({"candidates": []}).basis() is None


@pytest.mark.parametrize(("reason", "word"), [("SAFETY", "SAFETY"), (1, "STOP"), (2, "MAX_TOKENS"), (9, "9")])
def test_reasons_as_words_and_as_numbers(reason, word):
    reading = read({"candidates": [{"finishReason": reason}]})
    assert (reading.stop_reason, reading.finished) == (word, True)


def test_a_blocked_prompt_ends_the_reply():
    reading = read({"promptFeedback": {"blockReason": "SAFETY"}})
    assert (reading.stop_reason, reading.finished) == ("SAFETY", True)


def test_a_stream_in_its_middle_is_not_finished():
    assert not read({"candidates": [{"content": {"parts": []}}]}).finished


def test_an_error():
    error = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "text"}}
    assert (read(error).error, whole(error).error) == ("RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED")


def test_the_answer_of_count_tokens_used_nothing():
    reading = whole({"totalTokens": 7})
    assert (reading.usage(), reading.basis()) == (Usage(uncached=7), "count")
