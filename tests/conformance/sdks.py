"""The providers' own SDKs, fed with the bytes of a response instead of a connection: what usage do they make of it?

Each SDK gets its own HTTP library's response, with status, content type and coding of the exchange, in chunks. What it
then holds is turned into disjoint classes here, by the rules of `facts/providers.md`, a second time and on the SDK's
own objects. The paths and bodies of the requests do not matter to it: the answer is always the same.
Two things the SDKs cannot read, as they never ask for them: Gemini's array of chunks, whose elements are handed to it as
events, and its enums as numbers.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import ollama
import openai
from google import genai

from tests.conformance.recorded import Exchange
from tokenpak.core.usage import Usage

Made = tuple[Usage, int | None]
"""Classes, and searches of the web."""


class HandedOutError(Exception):
    """An error that the SDK hands out as an event and does not raise."""


FAILED = (anthropic.APIError, openai.APIError, genai.errors.APIError, ollama.ResponseError, HandedOutError)
"""How the SDKs say that a provider reported an error."""


def replay(library: Any, ours: Exchange, chunks: Iterable[bytes]) -> Any:
    """A client of `library` (httpx or its fork httpx2) to which every request is answered by these bytes."""
    headers = {"content-type": ours.content_type or ("text/event-stream" if ours.streams else "application/json")}
    if ours.coding:
        headers["content-encoding"] = ours.coding.decode()

    def answer(_request: object) -> Any:
        return library.Response(ours.status, headers=headers, content=iter(list(chunks)))

    return library.Client(transport=library.MockTransport(answer))


def anthropic_makes(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The stream's final message, as the SDK puts it together."""
    client = anthropic.Anthropic(api_key="x", max_retries=0, http_client=replay(httpx2, ours, chunks))
    asked: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    if "count_tokens" in ours.path:
        del asked["max_tokens"]
        return Usage(uncached=client.beta.messages.count_tokens(**asked).input_tokens), None
    if ours.streams:
        with client.beta.messages.stream(**asked) as stream:
            usage = stream.get_final_message().usage
    else:
        usage = client.beta.messages.create(**asked).usage
    total, split = usage.cache_creation_input_tokens, usage.cache_creation
    short, long = (split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens) if split else (None, None)
    told = Usage(
        uncached=usage.input_tokens,
        cache_read=usage.cache_read_input_tokens,
        cache_write_5m=short,
        cache_write_1h=long,
        cache_write_other=None if split and total == short + long else total,
        output=usage.output_tokens,
        reasoning=usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None,
    )
    return told, usage.server_tool_use.web_search_requests if usage.server_tool_use else None


def chat_makes(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The last usage among the chunks, as the SDK parsed them."""
    client = openai.OpenAI(api_key="x", max_retries=0, http_client=replay(httpx2, ours, chunks))
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    found: list[Any] = []
    if ours.streams:
        for chunk in client.chat.completions.create(stream=True, **asked):
            beside = (chunk.model_extra or {}).get("x_groq") or {}
            found += [usage for usage in (_grown(beside.get("usage")), chunk.usage) if usage]
    else:
        found = [client.chat.completions.create(**asked).usage]
    return (_inclusive(found[-1], "prompt", "completion") if found and found[-1] else Usage()), None


def _grown(usage: object) -> Any:
    """Usage in an imitator's place, parsed by the SDK's own type."""
    return openai.types.CompletionUsage.model_validate(usage) if usage else None


def responses_make(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The usage of the response that the last event holding one tells of."""
    client = openai.OpenAI(api_key="x", max_retries=0, http_client=replay(httpx2, ours, chunks))
    if ours.streams:
        stream = client.responses.create(model="m", input="x", stream=True)
        events = list(stream)
        if any(event.type == "error" for event in events):
            raise HandedOutError
        response = [event.response for event in events if hasattr(event, "response")][-1]
    elif ours.method == "GET":
        response = client.responses.retrieve("resp_x")
    else:
        response = client.responses.create(model="m", input="x")
    tools = (response.model_extra or {}).get("tool_usage") or getattr(response, "tool_usage", None)
    searched = _member(_member(tools, "web_search"), "num_requests")
    return (_inclusive(response.usage, "input", "output") if response.usage else Usage()), searched


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def embeddings_make(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The usage of an embedding. The SDK takes the vectors themselves apart; that is asked for as floats."""
    client = openai.OpenAI(api_key="x", max_retries=0, http_client=replay(httpx2, ours, chunks))
    reply = client.embeddings.create(model="m", input="x", encoding_format="float")
    beside = reply.usage.model_extra or {}
    return Usage(uncached=reply.usage.prompt_tokens, output=beside.get("completion_tokens")), None


def _inclusive(usage: Any, prompt: str, output: str) -> Usage:
    """OpenAI's usage: parts lie inside totals, but for reasoning whose host counts it beside the output."""
    inside, spent = getattr(usage, f"{prompt}_tokens_details"), getattr(usage, f"{output}_tokens_details")
    total_in, total_out = getattr(usage, f"{prompt}_tokens"), getattr(usage, f"{output}_tokens")
    extra = usage.model_extra or {}
    read = _member(inside, "cached_tokens")
    read = extra.get("cached_tokens", extra.get("prompt_cache_hit_tokens")) if read is None else read
    written, reasoning = _member(inside, "cache_write_tokens"), _member(spent, "reasoning_tokens")
    beside = reasoning and usage.total_tokens == total_in + total_out + reasoning
    return Usage(
        uncached=total_in - (read or 0) - (written or 0),
        cache_read=read,
        cache_write_other=written,
        output=total_out + reasoning if beside else total_out,
        reasoning=reasoning,
    )


def gemini_makes(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The last usage metadata among the chunks."""
    if ours.framing == "json-array":
        elements = (json.dumps(element).encode() for element in json.loads(ours.plain))
        ours, chunks = ours.uncoded(), [b"data: %s\r\n\r\n" % element for element in elements]
    options = genai.types.HttpOptions(httpx_client=replay(httpx, ours, chunks))
    client = genai.Client(api_key="x", vertexai=False, http_options=options)
    if "countTokens" in ours.path:
        return Usage(uncached=client.models.count_tokens(model="m", contents="x").total_tokens), None
    if ours.streams:
        stream = client.models.generate_content_stream(model="m", contents="x")
        found = [chunk.usage_metadata for chunk in stream if chunk.usage_metadata]
    else:
        found = [client.models.generate_content(model="m", contents="x").usage_metadata]
    if not found or found[-1] is None:
        return Usage(), None
    last = found[-1]
    tools = last.tool_use_prompt_token_count
    prompt = (
        None if last.prompt_token_count is None else last.prompt_token_count - (last.cached_content_token_count or 0)
    )
    spent = [last.candidates_token_count, last.thoughts_token_count]
    told = Usage(
        uncached=prompt if tools is None else (prompt or 0) + tools,
        cache_read=last.cached_content_token_count,
        output=None if spent == [None, None] else sum(part or 0 for part in spent),
        reasoning=last.thoughts_token_count,
    )
    return told, None


def ollama_makes(ours: Exchange, chunks: Iterable[bytes]) -> Made:
    """The counts of the last line."""
    client = ollama.Client(host="http://127.0.0.1:1")
    client._client = replay(httpx, ours, chunks)
    client._client.base_url = "http://127.0.0.1:1"
    if ours.path.endswith("/embed"):
        replies: Iterator[Any] = iter([client.embed(model="m", input="x")])
    elif ours.path.endswith("/embeddings"):
        client.embeddings(model="m", prompt="x")
        return Usage(), None
    elif ours.path.endswith("/generate"):
        replies = _all(client.generate(model="m", prompt="x", stream=ours.streams))
    else:
        replies = _all(client.chat(model="m", messages=[], stream=ours.streams))
    *_, last = replies
    return Usage(uncached=last.prompt_eval_count, output=getattr(last, "eval_count", None)), None


def _all(reply: Any) -> Iterator[Any]:
    return iter([reply]) if hasattr(reply, "model") else reply


MAKES: dict[str, Callable[[Exchange, Iterable[bytes]], Made]] = {
    "anthropic": anthropic_makes,
    "openai-chat": chat_makes,
    "openai-responses": responses_make,
    "openai-embeddings": embeddings_make,
    "gemini": gemini_makes,
    "ollama": ollama_makes,
}
