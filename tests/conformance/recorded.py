"""The recorded exchanges of the shared place, and a reading of them that takes a body at once and knows nothing of taps."""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import brotli
import zstandard
from shared_place import shared

from tokenpak.core.usage import EchoWatch, Observation, tap_for

PACK = {
    b"gzip": gzip.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"deflate": zlib.compress,
}
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


@dataclass(frozen=True)
class Exchange:
    """One exchange. body: as it came; plain: without its coding. reads: sizes of the reads its recorder made."""

    name: str
    format: str
    method: str
    path: str
    status: int
    content_type: str
    coding: bytes
    body: bytes
    framing: str
    reads: tuple[int, ...]

    @property
    def streams(self) -> bool:
        return self.framing != "json"

    @property
    def plain(self) -> bytes:
        return gzip.decompress(self.body) if self.coding else self.body

    def uncoded(self) -> "Exchange":
        return replace(self, body=self.plain, coding=b"")

    def packed(self, coding: bytes) -> "Exchange":
        return replace(self, body=PACK[coding](self.plain), coding=coding)

    def observed(self, chunks: Iterable[bytes], watch: EchoWatch | None = None) -> Observation:
        """What a tap makes of the body in these chunks."""
        provider, kind = KINDS[self.format]
        kind = "count_tokens" if "count_tokens" in self.path else kind
        tap = tap_for(provider, kind, self.content_type.encode(), self.coding, watch)
        for chunk in chunks:
            tap.feed(chunk)
        return tap.close()


@cache
def exchange(path: Path) -> Exchange:
    recorded = json.loads(path.read_bytes())
    request, response = recorded["request"], recorded["response"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return Exchange(
        name=path.name,
        format=recorded["provider"],
        method=request["method"],
        path=request["path"],
        status=response["status"],
        content_type=headers.get("content-type", ""),
        coding=headers["content-encoding"].encode() if response.get("still_encoded") else b"",
        body=response["body"].encode() if "body" in response else base64.b64decode(response["body_b64"]),
        framing=response["framing"],
        reads=tuple(response.get("chunk_lengths") or ()),
    )


def told(body: bytes, framing: str) -> list[dict]:
    """All JSON objects of a body; of one that was cut, those that are whole."""
    if framing == "sse":
        lines = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    elif framing == "ndjson":
        lines = body.splitlines()
    else:
        value = json.loads(body)
        return value if isinstance(value, list) else [value]
    return [value for line in lines if isinstance(value := _whole(line), dict)]


def _whole(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


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
        begins = [at for at, usage in enumerate(usages) if "promptTokenCount" in usage]
        usages = usages[begins[-1] :] if begins else usages
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


def classes(seen: Observation) -> tuple:
    """What a tap was told, in the form of `expected`: an estimate is nothing told."""
    usage = seen.usage
    if seen.basis == "estimate":
        assert usage == type(usage)(output=usage.output)
        return (None,) * 5
    writes = [usage.cache_write_5m, usage.cache_write_1h, usage.cache_write_other]
    written = sum(w or 0 for w in writes) if any(w is not None for w in writes) else None
    return usage.uncached, usage.cache_read, written, usage.output, usage.reasoning
