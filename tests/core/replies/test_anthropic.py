"""Streams and documents made up after the public shapes: cases no recording was found for stand here as well, such as
writes of the one-hour lifetime, an error inside a stream, and a refusal."""

import msgspec
import pytest

from tokenpak.core.echo import EchoWatch, NoEcho
from tokenpak.core.replies.anthropic import Anthropic
from tokenpak.core.replies.reading import MOST_BESIDE, Beside, Usage

MARKER = "[lines 12-66: same as in Read cli/clean.go #482913]"
SPLIT = {"cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 12}}


def start(**usage):
    return {"type": "message_start", "message": {"model": "claude-x", "content": [], "usage": usage}}


def end(stop="end_turn", **usage):
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


def delta(kind, text, index=0):
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": f"{kind}_delta", "text" if kind == "text" else "partial_json": text},
    }


STOP = {"type": "message_stop"}


def read(*events, watch=None, named=True) -> Anthropic:
    reading = Anthropic(watch or NoEcho())
    for event in events:
        reading.event(event["type"].encode() if named else b"", msgspec.json.encode(event))
    return reading


def whole(document, watch=None) -> Anthropic:
    reading = Anthropic(watch or NoEcho())
    reading.document(msgspec.json.encode(document))
    return reading


@pytest.mark.parametrize("named", [True, False])
def test_last_value_wins_and_the_split_is_kept(named):
    first = start(
        input_tokens=100, cache_read_input_tokens=5000, cache_creation_input_tokens=42, output_tokens=1, **SPLIT
    )
    last = end(
        input_tokens=110,
        cache_read_input_tokens=5000,
        cache_creation_input_tokens=42,
        output_tokens=77,
        output_tokens_details={"thinking_tokens": 9},
    )
    reading = read(first, {"type": "ping"}, delta("text", "hello"), last, STOP, named=named)
    assert reading.usage() == Usage(110, 5000, 30, 12, None, 77, 9)
    assert (reading.model, reading.stop_reason, reading.finished, reading.basis()) == (
        "claude-x",
        "end_turn",
        True,
        "provider",
    )


def test_a_delta_with_output_alone_leaves_the_input_as_it_was():
    assert read(
        start(input_tokens=4, cache_read_input_tokens=9, output_tokens=1), end(output_tokens=50)
    ).usage() == Usage(4, 9, output=50)


@pytest.mark.parametrize(
    ("usage", "short", "long", "other"),
    [
        ({"cache_creation_input_tokens": 40}, None, None, 40),
        ({"cache_creation_input_tokens": 0}, None, None, 0),
        ({"cache_creation_input_tokens": 40, "cache_creation": None}, None, None, 40),
        ({"cache_creation_input_tokens": 42, **SPLIT}, 30, 12, None),
        (SPLIT, 30, 12, None),
        ({"cache_creation_input_tokens": 50, **SPLIT}, 30, 12, 8),
        ({"cache_creation_input_tokens": 10, **SPLIT}, None, None, 10),
        ({"cache_creation_input_tokens": 0, **SPLIT}, 0, 0, None),
        (
            {
                "cache_creation_input_tokens": 10,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 12},
            },
            0,
            10,
            None,
        ),
        (
            {
                "cache_creation_input_tokens": 10,
                "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
            },
            10,
            0,
            None,
        ),
        ({}, None, None, None),
    ],
)
def test_cache_writes_by_lifetime(usage, short, long, other):
    for reading in (whole({"type": "message", "usage": usage}), read(start(**usage))):
        found = reading.usage()
        assert (found.cache_write_5m, found.cache_write_1h, found.cache_write_other) == (short, long, other)


def test_searches_are_cumulative_and_no_tokens():
    reading = read(start(input_tokens=5), end(server_tool_use={"web_search_requests": 1}), end(output_tokens=2))
    assert (reading.searches, reading.usage()) == (1, Usage(5, output=2))
    assert read(start(input_tokens=5), end(output_tokens=2)).searches is None


def test_passes_outside_the_totals_stand_beside_them():
    ours = {"type": "message", "input_tokens": 5, "output_tokens": 2}
    compaction = {
        "type": "compaction",
        "input_tokens": 100,
        "output_tokens": 83,
        "cache_read_input_tokens": 55096,
        **SPLIT,
    }
    adviser = {"type": "advisor_message", "model": "claude-y", "input_tokens": 7, "output_tokens": 18}
    odd = [None, 3, {"type": ["compaction"]}, {"type": "unheard_of", "input_tokens": 1}]
    usage = {"input_tokens": 5, "output_tokens": 2, "iterations": [compaction, ours, adviser, *odd]}
    for reading in (read(start(input_tokens=5), end(**usage)), whole({"type": "message", "usage": usage})):
        assert reading.usage() == Usage(5, output=2)
        assert reading.beside == (
            Beside("compaction", None, Usage(100, 55096, 30, 12, output=83)),
            Beside("advisor_message", "claude-y", Usage(7, output=18)),
        )
    assert len(whole({"usage": {"iterations": [compaction] * 1000}}).beside) == MOST_BESIDE


def test_what_was_never_given_is_none_and_nonsense_is_never_given():
    assert (
        whole({"type": "message", "usage": {"input_tokens": "7", "output_tokens": None, "cache_creation": 3}}).usage()
        == Usage()
    )
    assert whole({"type": "message"}).basis() is None


def test_an_error_inside_a_stream():
    reading = read(
        start(input_tokens=5), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )
    assert (reading.error, reading.finished, reading.usage()) == ("overloaded_error", True, Usage(5))


def test_an_error_alone():
    reading = whole({"type": "error", "error": {"type": "invalid_request_error", "message": "text"}, "request_id": "r"})
    assert (reading.error, reading.basis()) == ("invalid_request_error", None)


def test_a_refusal():
    assert read(start(input_tokens=5), end("refusal", output_tokens=0), STOP).stop_reason == "refusal"


def test_the_answer_of_count_tokens_used_nothing():
    reading = whole({"input_tokens": 671, "context_management": {"original_input_tokens": 700}})
    assert (reading.usage(), reading.basis()) == (Usage(uncached=671), "count")


def test_content_is_not_decoded_while_nobody_listens():
    reading = Anthropic(NoEcho())
    reading.event(b"content_block_delta", b"{not json")
    reading.event(b"", b'{"type":"content_block_delta",not json')
    with pytest.raises(ValueError, match="malformed"):
        reading.event(b"message_delta", b"{not json")


@pytest.mark.parametrize("kind", ["text", "input_json"])
@pytest.mark.parametrize("named", [True, False])
def test_an_echo_in_deltas(kind, named):
    watch = EchoWatch()
    text = f'{{"content":"a\\n{MARKER}\\n"}}' if kind == "input_json" else f"a\n{MARKER}"
    read(*(delta(kind, text[at : at + 5], 3) for at in range(0, len(text), 5)), watch=watch, named=named)
    assert watch.heard


def test_thinking_is_not_watched():
    watch = EchoWatch()
    read(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": MARKER}},
        watch=watch,
    )
    whole({"type": "message", "content": [{"type": "thinking", "thinking": MARKER}]}, watch)
    assert not watch.heard


@pytest.mark.parametrize(
    "block", [{"type": "text", "text": MARKER}, {"type": "tool_use", "input": {"edits": [{"new": f"x\n{MARKER}\n"}]}}]
)
def test_an_echo_in_whole_blocks(block):
    watch = EchoWatch()
    whole({"type": "message", "content": [{"type": "text", "text": "hi"}, block]}, watch)
    assert watch.heard
    watch = EchoWatch()
    read({"type": "content_block_start", "index": 1, "content_block": block}, watch=watch)
    assert watch.heard


@pytest.mark.parametrize(
    "odd", [{"index": [1]}, {"delta": "text"}, {"delta": {"text": 3}}, {"content_block": 7}, {"index": None}]
)
def test_odd_deltas_are_borne(odd):
    watch = EchoWatch()
    read({**delta("text", MARKER), **odd}, watch=watch)
