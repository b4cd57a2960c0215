"""Taps: every format, framing and coding, cut anywhere, on streams made up here (the recorded ones: tests/conformance/test_recorded_usage.py)."""

import gzip
import json
import zlib
from random import Random

import brotli
import pytest
import zstandard
from chunking import chunked
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core.sse import EVENT_CAP
from tokenpak.core.usage import EchoWatch, Observation, Usage, tap_for

MARKER = "[lines 12-66: same as in Read cli/clean.go #482913]"


def sse(*events, done=b"") -> bytes:
    lines = (
        b"event: %s\ndata: %s\n\n" % (event.get("type", "message").encode(), json.dumps(event).encode())
        for event in events
    )
    return b"".join(lines) + done


ANTHROPIC = sse(
    {
        "type": "message_start",
        "message": {
            "model": "claude-x",
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f'"usage": {{}}, {MARKER}'}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}},
    {"type": "message_stop"},
)
CHAT = (
    b"".join(
        b"data: %s\n\n" % json.dumps(chunk).encode()
        for chunk in (
            {
                "model": "gpt-x",
                "choices": [{"index": 0, "delta": {"content": MARKER}, "finish_reason": None}],
                "usage": None,
            },
            {"model": "gpt-x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
            {
                "model": "gpt-x",
                "choices": [],
                "usage": {"prompt_tokens": 14, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 9}},
            },
        )
    )
    + b"data: [DONE]\n\n"
)
RESPONSE = {
    "object": "response",
    "status": "completed",
    "model": "gpt-y",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": MARKER}]}],
    "usage": {"input_tokens": 14, "output_tokens": 40, "input_tokens_details": {"cached_tokens": 9}},
}
RESPONSES = sse(
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": MARKER},
    {"type": "response.completed", "response": RESPONSE},
)
PARTS = [
    {
        "modelVersion": "gemini-x",
        "usageMetadata": {"promptTokenCount": 14, "cachedContentTokenCount": 9},
        "candidates": [{"content": {"parts": [{"text": ']}\\"'}]}}],
    },
    {"usageMetadata": {"candidatesTokenCount": 40}, "candidates": [{"finishReason": "STOP"}]},
]
LINES = [
    {"model": "m", "message": {"content": "a\n"}, "done": False},
    {
        "model": "m",
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 5,
        "eval_count": 40,
    },
]
NDJSON = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)
MESSAGE = {
    "type": "message",
    "model": "claude-x",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": MARKER}],
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 9, "output_tokens": 40},
}
COMPLETION = {
    "model": "gpt-x",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": MARKER}}],
    "usage": {"prompt_tokens": 14, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 9}},
}

FULL = Usage(uncached=5, cache_read=9, output=40)
CASES = {
    "messages sse": (
        "anthropic",
        "messages",
        b"text/event-stream; charset=utf-8",
        ANTHROPIC,
        "claude-x",
        "end_turn",
        FULL,
    ),
    "messages crlf": (
        "anthropic",
        "messages",
        b"text/event-stream",
        ANTHROPIC.replace(b"\n", b"\r\n"),
        "claude-x",
        "end_turn",
        FULL,
    ),
    "messages json": (
        "anthropic",
        "messages",
        b"application/json",
        json.dumps(MESSAGE).encode(),
        "claude-x",
        "end_turn",
        FULL,
    ),
    "messages untyped": ("anthropic", "messages", b"", ANTHROPIC, "claude-x", "end_turn", FULL),
    "messages mistyped": (
        "anthropic",
        "messages",
        b"text/event-stream",
        json.dumps(MESSAGE, indent=1).encode(),
        "claude-x",
        "end_turn",
        FULL,
    ),
    "messages of ollama": ("ollama", "messages", b"text/event-stream", ANTHROPIC, "claude-x", "end_turn", FULL),
    "chat sse": ("openai", "chat", b"text/event-stream", CHAT, "gpt-x", "stop", FULL),
    "chat json": (
        "deepseek",
        "chat",
        b"application/json",
        b"\n" + json.dumps(COMPLETION).encode(),
        "gpt-x",
        "stop",
        FULL,
    ),
    "chat untyped": ("openai", "chat", b"", CHAT, "gpt-x", "stop", FULL),
    "responses sse": ("openai", "responses", b"text/event-stream", RESPONSES, "gpt-y", "completed", FULL),
    "responses json": (
        "openai",
        "responses",
        b"application/json",
        json.dumps(RESPONSE).encode(),
        "gpt-y",
        "completed",
        FULL,
    ),
    "gemini sse": (
        "google",
        "other",
        b"text/event-stream",
        b"".join(b"data: %s\r\n\r\n" % json.dumps(p).encode() for p in PARTS),
        "gemini-x",
        "STOP",
        FULL,
    ),
    "gemini array": (
        "google",
        "other",
        b"application/json; charset=UTF-8",
        json.dumps(PARTS, indent=2).encode(),
        "gemini-x",
        "STOP",
        FULL,
    ),
    "gemini json": (
        "google",
        "other",
        b"application/json",
        json.dumps(
            {
                **PARTS[0],
                "usageMetadata": PARTS[0]["usageMetadata"] | PARTS[1]["usageMetadata"],
                "candidates": PARTS[1]["candidates"],
            }
        ).encode(),
        "gemini-x",
        "STOP",
        FULL,
    ),
    "ollama ndjson": ("ollama", "other", b"application/x-ndjson", NDJSON, "m", "stop", Usage(uncached=5, output=40)),
    "ollama untyped": ("ollama", "other", b"", NDJSON, "m", "stop", Usage(uncached=5, output=40)),
    "ollama json": (
        "ollama",
        "other",
        b"application/json",
        json.dumps(LINES[1], indent=1).encode(),
        "m",
        "stop",
        Usage(uncached=5, output=40),
    ),
    "embeddings": (
        "openai",
        "other",
        b"application/json",
        b'{"model":"e","data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}',
        "e",
        None,
        Usage(uncached=5),
    ),
}
WATCHED = [name for name in CASES if name.startswith(("messages", "chat", "responses"))]
STREAMS = [name for name in CASES if name.split()[-1] in {"sse", "crlf", "array", "ndjson", "untyped"}]
PACK = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"": bytes,
}


def observe(name: str, chunks, coding: bytes = b"", watch=None) -> Observation:
    provider, kind, content_type, *_ = CASES[name]
    return fed(tap_for(provider, kind, content_type, coding, watch), chunks)


def fed(tap, chunks) -> Observation:
    for chunk in chunks:
        tap.feed(chunk)
    seen = tap.close()
    assert tap.close() == seen
    return seen


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("name", CASES)
def test_every_format_in_every_coding_however_it_is_cut(name, coding):
    *_, body, model, stop, classes = CASES[name]
    expected = Observation(usage=classes, model=model, basis="provider", stop_reason=stop)
    packed = PACK[coding](body)
    for seed in range(3):
        assert observe(name, chunked(packed, Random(seed)), coding) == expected
    assert observe(name, [packed], coding) == expected
    assert observe(name, (bytes([byte]) for byte in packed), coding) == expected


@pytest.mark.parametrize("name", CASES)
def test_a_byte_order_mark_at_the_start_changes_nothing(name):
    body = CASES[name][3]
    for chunks in ([b"\xef\xbb\xbf" + body], [b"\xef", b"\xbb", b"\xbf", body]):
        assert observe(name, chunks) == observe(name, [body])


@pytest.mark.parametrize("name", WATCHED)
def test_an_echo_is_seen_where_it_is_watched_for_and_changes_nothing_else(name):
    body = CASES[name][3]
    quiet = observe(name, [body])
    for seed in range(3):
        loud = observe(name, chunked(body, Random(seed)), watch=EchoWatch())
        assert loud.echo
        assert not quiet.echo
        assert (loud.usage, loud.model, loud.stop_reason, loud.lost) == (
            quiet.usage,
            quiet.model,
            quiet.stop_reason,
            quiet.lost,
        )


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_before_its_end_is_known_as_cut(name):
    body = CASES[name][3]
    cuts = [observe(name, [body[:at]]) for at in range(len(body))]
    assert not cuts[0].truncated, "nothing came, so nothing was cut"
    assert all(seen.lost == 0 for seen in cuts)
    assert cuts[len(body) // 2].truncated
    whole = [at for at, seen in enumerate(cuts) if at and not seen.truncated]
    assert not whole or min(whole) > len(body) * 0.6


def test_the_output_of_a_stream_that_was_cut_is_not_what_had_been_told_of_it():
    """`message_start` tells of the first token or two; the cumulative count comes with the reason to stop."""
    delta = ANTHROPIC.index(b"event: message_delta")
    cut, over = (observe("messages sse", [ANTHROPIC[:at]]) for at in (delta, ANTHROPIC.index(b"event: message_stop")))
    assert (cut.usage, cut.basis, cut.truncated) == (Usage(uncached=5, cache_read=9), "provider", True)
    assert (over.usage, over.truncated) == (FULL, True)


def test_a_stream_whose_end_nobody_knows_is_taken_at_its_word():
    """As of pictures and transcripts: there is no reason to stop, and no last event that all have."""
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    done = sse({"type": "transcript.text.delta", "delta": "hi"}, {"type": "transcript.text.done", "usage": usage})
    seen = fed(tap_for("openai", "other", b"text/event-stream", b""), [done])
    assert (seen.usage, seen.basis, seen.truncated) == (Usage(uncached=14, output=101), "provider", False)


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith("json") and not name.endswith("ndjson")])
def test_a_document_cut_anywhere_is_known_as_cut(name):
    body = CASES[name][3]
    start = len(body) - len(body.lstrip()) + 1
    assert all(observe(name, [body[:at]]).truncated for at in range(start, len(body.rstrip())))


@pytest.mark.parametrize("coding", [coding for coding in PACK if coding])
def test_a_coding_cut_at_its_end_is_known_as_cut(coding):
    assert observe("messages sse", [PACK[coding](ANTHROPIC)[:-1]], coding).truncated


def test_an_error_in_a_stream_ends_it():
    error = sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    seen = observe("messages sse", [ANTHROPIC[: ANTHROPIC.index(b"event: message_delta")] + error])
    assert (seen.error, seen.truncated, seen.usage) == (
        "overloaded_error",
        False,
        Usage(uncached=5, cache_read=9),
    )


def test_a_count_is_told_apart_from_usage():
    seen = fed(tap_for("anthropic", "count_tokens", b"application/json", b""), [b'{"input_tokens": 671}'])
    assert seen == Observation(usage=Usage(uncached=671), basis="count")


def test_a_bomb_blinds_the_tap_and_what_was_read_stays():
    padding = b": " + bytes(60 * 2**20).replace(b"\0", b"x") + b"\n\n"
    seen = observe("messages sse", [gzip.compress(ANTHROPIC + padding + ANTHROPIC)], b"gzip")
    assert (seen.lost, seen.usage, seen.truncated) == (1, FULL, False)


@pytest.mark.parametrize(("coding", "body"), [(b"gzip", ANTHROPIC), (b"compress", ANTHROPIC), (b"br", b"\xff" * 50)])
def test_a_coding_that_cannot_be_undone_blinds_the_tap(coding, body):
    assert observe("messages sse", [body, body], coding) == Observation(lost=1)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("messages sse", b"event: message_delta\ndata: {broken\n\n"),
        ("chat sse", b'data: {"usage":{"\xff"}}\n\n'),
        ("ollama ndjson", b'{"done":true\n'),
    ],
)
def test_one_bad_event_is_counted_and_does_no_more_harm(name, bad):
    body = CASES[name][3]
    middle = body.index(b"\n", len(body) // 3) + 1
    if name != "ollama ndjson":
        middle = body.index(b"\n\n") + 2
    seen = observe(name, [body[:middle] + bad + body[middle:]])
    assert (seen.lost, seen.usage, seen.truncated) == (1, CASES[name][6], False)


def test_an_event_beyond_the_cap_is_counted_and_passed_over():
    huge = b"data: " + b"x" * 2**20
    body = [
        ANTHROPIC[: ANTHROPIC.index(b"event: message_delta")],
        huge,
        *[b"x" * 2**20] * (EVENT_CAP >> 20),
        b"\n\n",
        ANTHROPIC[ANTHROPIC.index(b"event: message_delta") :],
    ]
    seen = observe("messages sse", body)
    assert (seen.lost, seen.usage) == (1, FULL)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"text/html", b"<html>data: {}"),
        (b"audio/mpeg", b"\xff\xfb\x90"),
        (b"", b"date: x"),
        (b"", b" " * 9000 + b"{}"),
        (b"", b""),
    ],
)
def test_what_is_no_format_read_here_is_left_alone(content_type, body):
    for chunks in ([body], (bytes([byte]) for byte in body)):
        assert fed(tap_for("openai", "other", content_type, b""), chunks) == Observation()


@given(
    st.sampled_from(sorted(CASES)),
    st.sampled_from(sorted(PACK)),
    st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=4)), max_size=4),
    st.integers(0, 2**32),
)
def test_nothing_makes_a_tap_raise(name, coding, damage, seed):
    body = bytearray(PACK[coding](CASES[name][3]))
    for at, patch in damage:
        body[at % len(body) : at % len(body) + len(patch)] = patch
    observe(name, chunked(bytes(body), Random(seed)), coding, EchoWatch())


@given(st.sampled_from(sorted(CASES)), st.binary(max_size=200), st.integers(0, 2**32))
def test_no_bytes_make_a_tap_raise(name, body, seed):
    observe(name, chunked(body, Random(seed), 9), watch=EchoWatch())
    observe(name, chunked(b'data: {"choices":' + body + b"\n\n", Random(seed), 9), watch=EchoWatch())


@pytest.mark.parametrize("nest", [b"[", b'{"a":'])
def test_no_depth_makes_a_tap_raise(nest):
    for kind in ("messages", "chat", "responses"):
        for content_type in (b"application/json", b"text/event-stream"):
            deep = b'data: {"error":1,"usage":' + nest * 100_000 + b"\n\n"
            tap = tap_for("anthropic", kind, content_type, b"", EchoWatch())
            tap.feed(deep if content_type == b"text/event-stream" else deep[6:])
            tap.close()
