"""The recorded exchanges, against a reading that takes the whole body at once and knows nothing of taps."""

import base64
import gzip
import json
import zlib
from pathlib import Path
from random import Random

import brotli
import pytest
import zstandard
from chunking import chunked
from shared_place import shared

from tokenpak.core.usage import EchoWatch, Observation, tap_for

PACK = {
    b"gzip": gzip.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"deflate": zlib.compress,
}


def fed(tap, chunks) -> Observation:
    for chunk in chunks:
        tap.feed(chunk)
    return tap.close()


KINDS = {
    "anthropic": ("anthropic", "messages"),
    "openai-chat": ("openai", "chat"),
    "openai-responses": ("openai", "responses"),
    "openai-embeddings": ("openai", "other"),
    "gemini": ("google", "other"),
    "ollama": ("ollama", "other"),
}
PLACE = shared()
RECORDED = sorted((PLACE / "transcripts").glob("*/*.json")) if PLACE else []


def told(body: bytes, framing: str) -> list[dict]:
    """All JSON objects of a body."""
    if framing == "sse":
        datas = (line[5:].strip() for line in body.splitlines() if line.startswith(b"data:"))
        return [json.loads(data) for data in datas if data.startswith(b"{")]
    if framing == "ndjson":
        return [json.loads(line) for line in body.splitlines() if line.strip()]
    value = json.loads(body)
    return value if isinstance(value, list) else [value]


def last(usages: list[dict], *keys: str):
    """The last value under one of the paths "a.b"."""
    found = None
    for usage in usages:
        for key in keys:
            value = usage
            for part in key.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            found = value if value is not None else found
    return found


def expected(provider: str, objects: list[dict]) -> tuple:
    """uncached, read, written in all, output, reasoning."""
    key = "usageMetadata" if provider == "gemini" else "usage"
    nested = [
        inner for one in objects for inner in (one, one.get("message"), one.get("response")) if isinstance(inner, dict)
    ]
    usages = nested if provider == "ollama" else [inner[key] for inner in nested if isinstance(inner.get(key), dict)]
    if provider == "anthropic":
        count = last(objects, "input_tokens") if not usages else None
        return (
            last(usages, "input_tokens") if usages else count,
            last(usages, "cache_read_input_tokens"),
            last(usages, "cache_creation_input_tokens"),
            last(usages, "output_tokens"),
            last(usages, "output_tokens_details.thinking_tokens"),
        )
    if provider == "gemini":
        prompt, cached, tools = (
            last(usages, "promptTokenCount"),
            last(usages, "cachedContentTokenCount"),
            last(usages, "toolUsePromptTokenCount"),
        )
        parts = [last(usages, "candidatesTokenCount"), last(usages, "thoughtsTokenCount")]
        prompt = last(objects, "totalTokens") if prompt is None and not usages else prompt
        uncached = None if prompt is None else prompt - (cached or 0) + (tools or 0)
        return (
            uncached,
            cached,
            None,
            sum(p or 0 for p in parts) if any(p is not None for p in parts) else None,
            parts[1],
        )
    if provider == "ollama":
        return last(usages, "prompt_eval_count"), None, None, last(usages, "eval_count"), None
    prompt = last(usages, "prompt_tokens", "input_tokens")
    cached = last(usages, "cached_tokens", "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens")
    written = last(usages, "prompt_tokens_details.cache_write_tokens", "input_tokens_details.cache_write_tokens")
    output = last(usages, "completion_tokens", "output_tokens")
    reasoning = last(usages, "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens")
    if reasoning and last(usages, "total_tokens") == prompt + output + reasoning:
        output += reasoning
    return None if prompt is None else prompt - (cached or 0) - (written or 0), cached, written, output, reasoning


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}"[:70])
def test_a_recorded_exchange(path: Path):
    exchange = json.loads(path.read_bytes())
    response, (provider, kind) = exchange["response"], KINDS[exchange["provider"]]
    kind = "count_tokens" if "count_tokens" in exchange["request"]["path"] else kind
    headers = {name.lower(): value.encode() for name, value in response["headers"].items()}
    body = response["body"].encode() if "body" in response else base64.b64decode(response["body_b64"])
    coded = bool(response.get("still_encoded"))
    coding = headers["content-encoding"] if coded else b""
    content_type = headers.get("content-type", b"")
    plain = gzip.decompress(body) if coded else body
    objects = told(plain, response["framing"])

    seen = fed(tap_for(provider, kind, content_type, coding), [body])
    usage = seen.usage
    writes = [usage.cache_write_5m, usage.cache_write_1h, usage.cache_write_other]
    written = sum(w or 0 for w in writes) if any(w is not None for w in writes) else None
    assert (usage.uncached, usage.cache_read, written, usage.output, usage.reasoning) == expected(
        exchange["provider"], objects
    )
    assert (seen.truncated, seen.lost, seen.echo) == (False, 0, False)
    assert response["status"] == 200 or seen.basis is None

    lengths, at = response.get("chunk_lengths") or [], 0
    recorded = []
    for length in lengths:
        recorded.append(body[at : at + length])
        at += length
    for chunks in (
        chunked(body, Random(path.name), 300),
        chunked(body, Random(1), 7) if len(body) < 20_000 else [],
        recorded,
    ):
        pieces = list(chunks)
        if pieces:
            assert fed(tap_for(provider, kind, content_type, coding, EchoWatch()), pieces) == seen
    for other, pack in PACK.items():
        packed = pack(plain)
        assert fed(tap_for(provider, kind, content_type, other), chunked(packed, Random(2), 500)) == seen
