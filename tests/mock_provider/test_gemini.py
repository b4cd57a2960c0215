import json

from tokenpak.mock_provider import gemini
from tokenpak.mock_provider.call import Answer, Call, Used

CALL = Call(1, "gemini-x", Used(50), Answer("Hello there"), 3, {})


def test_text_parts_are_read():
    body = {"contents": [{"parts": [{"text": "a"}, {"inlineData": {}}]}, {"parts": [{"text": "b"}]}]}
    assert gemini.prompt_text(body) == "a\nb"


def test_whole_stream_and_array_say_the_same():
    whole = json.loads(gemini.whole(CALL))
    events = [json.loads(e.decode().removeprefix("data: ")) for e in gemini.events(CALL)]
    array = json.loads(b"".join(gemini.array(CALL)))
    assert array == events
    told = "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in array)
    assert told == whole["candidates"][0]["content"]["parts"][0]["text"] == "Hello there"
    assert array[-1]["candidates"][0]["finishReason"] == "STOP"
    assert all(chunk["usageMetadata"] == whole["usageMetadata"] for chunk in array)


def test_small_replies():
    assert json.loads(gemini.counted(3)) == {"totalTokens": 3}
    assert json.loads(gemini.refusal(429, "x"))["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert json.loads(gemini.models())["models"]
