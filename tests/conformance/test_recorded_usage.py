"""The recorded exchanges through the taps: as they were, in any chunks, in any coding, and cut off anywhere."""

import json
import time
from pathlib import Path
from random import Random

import pytest
from chunking import chunked

from tests.conformance.recorded import PACK, RECORDED, Exchange, classes, exchange, expected, told
from tokenpak.core.replies.reading import WORD_BYTES_PER_TOKEN
from tokenpak.core.usage import EchoWatch, Observation

CHUNKINGS = 10_000
"""In all, over the recorded exchanges."""

CUTS = 60
"""Of each kind, for one stream: at the ends of events, and anywhere."""

STREAMS = [path for path in RECORDED if exchange(path).streams]


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"[:70]


@pytest.mark.parametrize("path", RECORDED, ids=name)
def test_a_recorded_exchange(path: Path):
    ours = exchange(path)
    seen = ours.observed([ours.body])
    assert classes(seen) == expected(ours.format, told(ours.plain, ours.framing))
    assert (seen.truncated, seen.lost, seen.echo) == (False, 0, False)
    assert ours.status == 200 or seen.basis is None

    recorded, at = [], 0
    for length in ours.reads:
        recorded.append(ours.body[at : at + length])
        at += length
    for chunks in (
        recorded or [ours.body],
        chunked(ours.body, Random(1), 7) if len(ours.body) < 20_000 else [ours.body],
    ):
        assert ours.observed(chunks, EchoWatch()) == seen


@pytest.mark.skipif(not RECORDED, reason="no recorded exchanges in the shared place")
def test_ten_thousand_chunkings():
    """A third of them coded; the pieces of each are as long as its dice say, from single bytes to a socket's read."""
    began, fed, done = time.perf_counter(), 0, 0
    rounds = -(-CHUNKINGS // len(RECORDED))
    for path in RECORDED:
        ours = exchange(path)
        whole, plain, rng = ours.observed([ours.body]), ours.uncoded(), Random(path.name)
        packed = [ours.packed(coding) for coding in PACK]
        for turn in range(rounds):
            wire = packed[turn // 3 % len(packed)] if turn % 3 == 0 else plain
            longest = max(rng.choice((3, 40, 300, 3000, 65_536)), len(wire.body) // 400)
            watch = EchoWatch() if turn % 5 == 0 else None
            assert wire.observed(chunked(wire.body, rng, longest), watch) == whole, (path.name, turn)
            done, fed = done + 1, fed + len(wire.body)
    print(f"\n{done} chunkings, {fed / 2**20:.0f} MiB, {time.perf_counter() - began:.1f} s")
    assert done >= CHUNKINGS


def ends(ours: Exchange) -> list[int]:
    """Where events end within a plain body."""
    blank = b"\r\n\r\n" if b"\r\n\r\n" in ours.body else b"\n\n"
    gap = blank if ours.framing == "sse" else b"\n"
    found, at = [], 0
    while (at := ours.body.find(gap, at)) >= 0:
        at += len(gap)
        found.append(at)
    return [at for at in found if at < len(ours.body)]


def has_ended(ours: Exchange, objects: list[dict], part: bytes) -> bool:
    """Whether a stream's own end, or an error, is among what came. A chat's is the reason it stopped for, unless it has
    promised usage; a response's, the event of its end."""
    if any(one.get("error") for one in objects):
        return True
    choices = [choice for one in objects for choice in one.get("choices") or one.get("candidates") or []]
    match ours.format:
        case "anthropic":
            return any(one["type"] == "message_stop" for one in objects)
        case "openai-chat":
            promised = any(one.get("choices") and one.get("usage", 0) is None for one in objects)
            stopped = any(choice.get("finish_reason") for choice in choices)
            kept = any(isinstance(one.get("usage"), dict) or one.get("x_groq", {}).get("usage") for one in objects)
            return b"[DONE]" in part or (stopped and (kept or not promised))
        case "openai-responses":
            ending = {"response.completed", "response.incomplete", "response.failed"}
            return any(one.get("type") in ending for one in objects)
        case "gemini":
            blocked = any((one.get("promptFeedback") or {}).get("blockReason") for one in objects)
            return blocked or any(choice.get("finishReason") for choice in choices)
        case _:
            return any(one.get("done") for one in objects)


def elements(part: bytes) -> list[dict]:
    """The whole elements of a JSON array that was cut."""
    text, found, decoder = part.decode(errors="ignore").lstrip("[ \r\n"), [], json.JSONDecoder()
    while text:
        try:
            one, at = decoder.raw_decode(text)
        except ValueError:
            break
        found.append(one)
        text = text[at:].lstrip(", \r\n]")
    return found


def so_far(ours: Exchange, objects: list[dict], part: bytes) -> tuple:
    """What is expected of a stream that was cut: the output is told only once the model has come to its end."""
    told_by = expected(ours.format, objects)
    places = [one.get("delta") for one in objects]
    places += [choice for one in objects for choice in one.get("choices") or one.get("candidates") or []]
    words = ("stop_reason", "finish_reason", "finishReason")
    stopped = any(isinstance(place, dict) and place.get(word) for place in places for word in words)
    fine = [one for one in objects if not one.get("error")]
    return told_by if stopped or has_ended(ours, fine, part) else (*told_by[:3], None, None)


@pytest.mark.parametrize("path", STREAMS, ids=name)
def test_a_stream_cut_anywhere_tells_what_had_come(path: Path):
    ours, rng = exchange(path).uncoded(), Random(path.name)
    boundaries = ends(ours)
    between = {*boundaries[: CUTS // 2], *boundaries[-CUTS // 2 :]}
    for at in sorted(between | {rng.randrange(1, len(ours.body)) for _ in range(CUTS)}):
        part = ours.body[:at]
        seen = ours.observed(chunked(part, rng, 3000))
        objects = elements(part) if ours.framing == "json-array" else told(part, ours.framing)
        assert classes(seen) == so_far(ours, objects, part), at
        assert seen.lost == 0
        ended = has_ended(ours, objects, part)
        assert seen.truncated or ended, at
        if at in between and ours.framing != "json-array":
            assert seen.truncated != ended, at


@pytest.mark.parametrize("coding", PACK)
@pytest.mark.parametrize("path", STREAMS[::9], ids=name)
def test_a_coded_stream_cut_anywhere_never_raises(path: Path, coding: bytes):
    ours, rng = exchange(path).packed(coding), Random(path.name)
    plain = exchange(path).uncoded()
    whole = plain.observed([plain.body])
    for _ in range(20):
        seen = ours.observed([ours.body[: rng.randrange(1, len(ours.body))]])
        assert seen.lost == 0
        assert seen.truncated
        assert seen.basis in {None, "estimate"} or seen.basis == whole.basis


ERRORS = {
    "anthropic": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"text"}}\n\n',
    "openai-chat": b'data: {"error":{"message":"text","type":"overloaded_error","code":null}}\n\n',
    "openai-responses": b'event: error\ndata: {"type":"error","code":"overloaded_error","message":"text"}\n\n',
    "gemini": b'data: {"error":{"code":503,"message":"text","status":"overloaded_error"}}\r\n\r\n',
    "ollama": b'{"error":"overloaded_error"}\n',
}
"""Made up after the providers' shapes; but for one chat, none was recorded."""


@pytest.mark.parametrize("path", [path for path in STREAMS if exchange(path).framing != "json-array"], ids=name)
def test_an_error_event_at_any_boundary_ends_the_stream(path: Path):
    ours, rng = exchange(path).uncoded(), Random(path.name)
    boundaries = ends(ours)
    for at in rng.sample(boundaries, min(len(boundaries), 12)):
        part = ours.body[:at]
        objects = told(part, ours.framing)
        if any(one.get("error") for one in objects):
            continue
        seen = ours.observed(chunked(part + ERRORS[ours.format], rng, 300))
        assert seen.error == ("error" if ours.format == "ollama" else "overloaded_error")
        assert (seen.truncated, seen.lost) == (False, 0)
        assert classes(seen) == so_far(ours, objects, part)


def without_usage(body: bytes) -> bytes:
    """A chat stream as it is for a client that did not ask for usage."""
    events = body.replace(b"\r\n", b"\n").split(b"\n\n")
    return b"\n\n".join(event for event in events if b'"usage":{' not in event.replace(b" ", b""))


@pytest.mark.skipif(not RECORDED, reason="no recorded exchanges in the shared place")
def test_estimates_against_what_providers_counted():
    """Prints the ratio. Hidden reasoning passes unseen, so only replies without it are compared."""
    sizes, counted, seen = 0, 0, Observation()
    for path in STREAMS:
        ours = exchange(path).uncoded()
        whole = ours.observed([ours.body])
        if ours.format != "openai-chat" or whole.usage.output is None or whole.usage.reasoning:
            continue
        if whole.basis == "provider" and (seen := ours.observed([without_usage(ours.body)])).basis == "estimate":
            print(f"\n{path.stem[:60]}: counted {whole.usage.output}, estimated {seen.usage.output}")
            sizes, counted = sizes + seen.usage.output * WORD_BYTES_PER_TOKEN, counted + whole.usage.output
    print(f"\n{sizes} bytes of words, {counted} tokens: {sizes / counted:.2f} bytes a token")
    assert 0.5 < sizes / counted / WORD_BYTES_PER_TOKEN < 2
