import msgspec
import pytest

from tokenpak.core.echo import NoEcho
from tokenpak.core.replies.ollama import Ollama
from tokenpak.core.replies.reading import Usage

LAST = {"model": "m:1", "done": True, "done_reason": "stop", "prompt_eval_count": 21, "eval_count": 9}


def word(text):
    return {"model": "m:1", "message": {"content": text}, "done": False}


def read(*lines, write=msgspec.json.encode) -> Ollama:
    reading = Ollama(NoEcho())
    for line in lines:
        reading.event(b"", write(line))
    return reading


@pytest.mark.parametrize(
    "write", [msgspec.json.encode, lambda line: msgspec.json.format(msgspec.json.encode(line), indent=0)]
)
def test_the_last_line_counts(write):
    reading = read(word("a"), word('"done":false'), LAST, write=write)
    assert (reading.usage(), reading.model, reading.stop_reason, reading.finished) == (
        Usage(uncached=21, output=9),
        "m:1",
        "stop",
        True,
    )
    assert reading.basis() == "provider"


def test_a_prompt_that_was_not_counted_is_none():
    reading = Ollama(NoEcho())
    reading.document(msgspec.json.encode({"model": "m", "done": True, "eval_count": 3}))
    assert reading.usage() == Usage(output=3)


def test_an_error_as_a_line_never_gives_away_its_text():
    reading = read(word("a"), {"error": "secret"})
    assert (reading.error, reading.finished, reading.basis()) == ("error", True, None)


def test_words_in_mid_reply_are_not_decoded():
    reading = read(word("a"))
    reading.event(b"", b'{"done":false,not json')
    assert not reading.finished
