"""Taps and the providers' own SDKs on the same bytes: the same usage, and an error where the other sees one."""

from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest
from chunking import chunked

from tests.conformance.recorded import RECORDED, Exchange, exchange
from tests.conformance.sdks import FAILED, MAKES
from tokenpak.core.usage import Usage


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"[:70]


def compare(ours: Exchange, longest: int) -> None:
    """Both get the same bytes, cut each in its own way."""
    seen = ours.observed(chunked(ours.body, Random(1), longest))
    try:
        usage, searches = MAKES[ours.format](ours, chunked(ours.body, Random(2), longest))
    except FAILED:
        assert seen.error or ours.status >= 400
        return
    assert seen.error is None
    if seen.truncated and seen.usage.output is None:  # the SDK holds what had been made so far
        usage = msgspec.structs.replace(usage, output=None, reasoning=None)
    assert (Usage() if seen.basis == "estimate" else seen.usage) == usage
    assert seen.web_searches == searches


READABLE = [path for path in RECORDED if "enum-encoding" not in exchange(path).path]
STREAMS = [path for path in READABLE if exchange(path).framing not in {"json", "json-array"}]


@pytest.mark.parametrize("path", READABLE, ids=name)
def test_the_sdk_reads_the_same_usage(path: Path):
    ours = exchange(path)
    compare(ours, max(300, len(ours.body) // 200))


@pytest.mark.parametrize("coding", [b"gzip", b"br"])  # for zstd the SDKs' library wants a package of its own
@pytest.mark.parametrize("path", STREAMS[::6], ids=name)
def test_the_sdk_reads_the_same_usage_in_any_coding(path: Path, coding: bytes):
    ours = exchange(path).packed(coding)
    compare(ours, max(100, len(ours.body) // 100))


@pytest.mark.parametrize(
    "path", [path for path in STREAMS if path.parent.name in {"openai-chat", "gemini", "ollama"}], ids=name
)
def test_the_sdk_has_read_the_same_usage_where_a_stream_was_cut(path: Path):
    """Of the formats whose SDK gives out a stream's parts as they are; the others hold on to the whole."""
    ours, rng = exchange(path).uncoded(), Random(path.name)
    gap = b"\n" if ours.framing == "ndjson" else b"\r\n\r\n" if b"\r\n\r\n" in ours.body else b"\n\n"
    parts = ours.body.split(gap)
    for _ in range(5):
        compare(replace(ours, body=gap.join(parts[: rng.randrange(2, len(parts) + 1)]) + gap), 300)


ERRORED = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'
)
ERRORS = {
    "anthropic": (ERRORED, "overloaded_error"),
    "openai-chat": (b'data: {"error":{"message":"text","type":"server_error","code":null}}\n\n', "server_error"),
    "openai-responses": (
        b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"text","param":null}\n\n',
        "rate_limit_exceeded",
    ),
    "gemini": (b'data: {"error":{"code":503,"message":"text","status":"UNAVAILABLE"}}\r\n\r\n', "UNAVAILABLE"),
    "ollama": (b'{"error":"text"}\n', "error"),
}
"""Streams under status 200, made up after the providers' shapes."""


@pytest.mark.parametrize("made", ERRORS)
def test_where_the_sdk_raises_the_tap_tells_of_an_error(made):
    body, kind = ERRORS[made]
    framing, content_type = ("ndjson", "application/x-ndjson") if made == "ollama" else ("sse", "text/event-stream")
    ours = Exchange("made up", made, "POST", "/", 200, content_type, b"", body, framing, ())
    with pytest.raises(FAILED):
        MAKES[made](ours, chunked(body, Random(1)))
    seen = ours.observed(chunked(body, Random(1)))
    assert (seen.error, seen.truncated) == (kind, False)


ONE_HOUR = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    b'"model":"claude-x","content":[],"stop_reason":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":42,'
    b'"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":30,"ephemeral_1h_input_tokens":12},'
    b'"output_tokens":1}}}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":'
    b'{"input_tokens":5,"cache_creation_input_tokens":42,"cache_read_input_tokens":7,"output_tokens":9,'
    b'"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


def test_writes_of_both_lifetimes_and_searches_read_as_the_sdk_reads_them():
    """Made up: no recording has writes for an hour."""
    ours = Exchange("made up", "anthropic", "POST", "/", 200, "text/event-stream", b"", ONE_HOUR, "sse", ())
    compare(ours, 20)
    seen = ours.observed([ONE_HOUR])
    assert (seen.usage, seen.web_searches) == (Usage(5, 7, 30, 12, None, 9), 2)
