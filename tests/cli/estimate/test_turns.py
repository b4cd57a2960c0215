import json

import msgspec
import pytest

from tokenpak.cli.estimate.turns import Turn, blocks_of, decoded, message, seconds
from tokenpak.core.patch import Format


def test_a_string_is_one_text_block_and_an_empty_one_none():
    assert [json.loads(each) for each in blocks_of('say "so"')] == [{"type": "text", "text": 'say "so"'}]
    assert blocks_of("") == []
    assert blocks_of(None) == []


def test_a_message_holds_its_blocks_as_they_came():
    raw = b'{"type":"text",  "text":"a"}'
    assert message("user", [raw, raw]) == b'{"role":"user","content":[%s,%s]}' % (raw, raw)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01T10:00:00.000Z", 1772359200.0),
        ("2026-03-01T11:00:00+01:00", 1772359200.0),
        ("soon", None),
        (None, None),
    ],
)
def test_times_of_logs(text, moment):
    assert seconds(text) == moment


def test_whose_format_it_is():
    common = {"session": "s", "conversation": "main", "agent": "a", "client": None, "model": "m", "items": ()}
    assert Turn(format=Format.ANTHROPIC, **common).provider == "anthropic"
    assert Turn(format=Format.OPENAI_RESPONSES, **common).provider == "openai"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'"a\udc00b"', "a\ufffdb"),
        (rb'"a\ud83d\ude00b\uD83D"', "a\U0001f600b\ufffd"),
        (rb'"a\ud83d\ude00b"', "a\U0001f600b"),
    ],
)
def test_half_a_surrogate_pair_is_no_broken_line(raw, text):
    assert decoded(raw, str) == text


def test_what_is_broken_stays_broken():
    with pytest.raises(msgspec.DecodeError):
        decoded(b'"a', str)
