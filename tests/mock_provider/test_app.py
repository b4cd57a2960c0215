import gzip
import json

import pytest

from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Answer, Manner
from tokenpak.mock_provider.faults import CutAt, ErrorEvent, Refuse, Send
from tokenpak.mock_provider.reply import Request

EPHEMERAL = {"type": "ephemeral"}
LONG = "word " * 2000


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider(clock):
    return Provider(clock)


def ask(provider, path, body, method="POST", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method, path, [(key.replace("_", "-"), value) for key, value in headers.items()], raw)
    reply, received = provider.receive(request)
    assert received.body == raw
    assert received.status == reply.status
    reply.begun()
    return (
        reply.status,
        b"".join(action.data for action in reply.script if isinstance(action, Send)),
        dict(reply.headers),
    )


def told(provider, path, body, **headers):
    return json.loads(ask(provider, path, body, **headers)[1])


def message(*texts, **more):
    blocks = [{"type": "text", "text": text} for text in texts]
    blocks[-1]["cache_control"] = EPHEMERAL
    return {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": blocks}], **more}


def test_anthropic_usage_follows_the_cache(provider, clock):
    first = told(provider, "/v1/messages?beta=true", message(LONG))["usage"]
    assert first["cache_creation_input_tokens"] == 2504
    assert first["cache_read_input_tokens"] == first["input_tokens"] == 0
    second = told(provider, "/v1/messages", message(LONG, "more"))["usage"]
    assert second["cache_read_input_tokens"] == 2504
    clock.now = 301.0
    assert told(provider, "/v1/messages", message(LONG, "more"))["usage"]["cache_read_input_tokens"] == 0


def test_models_and_accounts_share_nothing(provider):
    told(provider, "/v1/messages", message(LONG), x_api_key="one")
    for other in ({"x_api_key": "two"}, {"authorization": "Bearer one"}):
        assert told(provider, "/v1/messages", message(LONG), **other)["usage"]["cache_read_input_tokens"] == 0
    elsewhere = told(provider, "/v1/messages", message(LONG, model="claude-opus-4-8"), x_api_key="one")
    assert elsewhere["usage"]["cache_read_input_tokens"] == 0
    assert told(provider, "/v1/messages", message(LONG), x_api_key="one")["usage"]["cache_read_input_tokens"] == 2504


@pytest.mark.parametrize(
    ("path", "history", "prefix"), [("/v1/chat/completions", "messages", "prompt"), ("/v1/responses", "input", "input")]
)
def test_openai_usage_follows_the_cache(provider, clock, path, history, prefix):
    def used(*messages):
        usage = told(provider, path, {"model": "gpt-4.1", history: list(messages)})["usage"]
        return usage[f"{prefix}_tokens"], usage[f"{prefix}_tokens_details"]["cached_tokens"]

    start, more = {"role": "user", "content": LONG}, {"role": "user", "content": "more"}
    assert used(start) == (2504, 0)
    assert used(start, more) == (2509, 2432)
    clock.now = 601.0
    assert used(start, more) == (2509, 0)


def test_counting_reads_and_writes_no_cache(provider):
    assert told(provider, "/v1/messages/count_tokens", message(LONG)) == {"input_tokens": 2504}
    assert told(provider, "/v1/messages", message(LONG))["usage"]["cache_read_input_tokens"] == 0


def test_a_refused_request_writes_no_cache(provider):
    provider.faults.arm([Refuse(status=529, retry_after=2, times=1)])
    status, body, headers = ask(provider, "/v1/messages", message(LONG))
    assert status == 529
    assert headers["retry-after"] == "2"
    assert json.loads(body)["error"]["type"] == "overloaded_error"
    assert told(provider, "/v1/messages", message(LONG))["usage"]["cache_read_input_tokens"] == 0


def test_streams(provider):
    for path, body, end in [
        ("/v1/messages", message("hi"), b"message_stop"),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, b"[DONE]"),
        ("/v1/responses", {"model": "m", "input": "x"}, b"response.completed"),
        ("/api/chat", {"model": "m", "messages": []}, b'"done":true'),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", {"contents": []}, b"STOP"),
        ("/v1beta/models/g:streamGenerateContent", {"contents": []}, b"STOP"),
    ]:
        status, told_bytes, headers = ask(provider, path, {**body, "stream": True})
        assert status == 200
        assert end in told_bytes
        assert "content-length" not in headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", message("hi")),
        ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "x"}]}),
        ("/v1/responses", {"model": "m", "input": "x"}),
        ("/api/chat", {"model": "m", "messages": []}),
        ("/v1beta/models/g:streamGenerateContent", {"contents": []}),
    ],
)
def test_faults_reach_every_format(provider, path, body):
    provider.faults.arm([Refuse(status=429, times=1), CutAt(at_byte=5, times=1), ErrorEvent(after=1, times=1)])
    assert ask(provider, path, {**body, "stream": True})[0] == 429
    reply, _ = provider.receive(Request("POST", path, [], json.dumps({**body, "stream": True}).encode()))
    assert len(next(reply.script).data) == 5
    if "gemini" not in path and "v1beta" not in path:
        assert b"error" in ask(provider, path, {**body, "stream": True})[1]


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/v1/models", "data"),
        ("GET", "/v1beta/models", "models"),
        ("GET", "/api/tags", "models"),
        ("POST", "/api/show", "details"),
        ("POST", "/api/embed", "embeddings"),
        ("POST", "/api/generate", "response"),
        ("POST", "/v1/embeddings", "data"),
        ("POST", "/v1beta/models/g:generateContent", "candidates"),
        ("POST", "/v1beta/models/g:countTokens", "totalTokens"),
        ("GET", "/", "provider"),
    ],
)
def test_small_paths(provider, method, path, key):
    body = {"model": "m", "input": "x", "prompt": "p", "stream": False}
    assert key in json.loads(ask(provider, path, body, method)[1])


def test_models_in_the_shape_of_whoever_asks(provider):
    assert "object" in json.loads(ask(provider, "/v1/models", b"", "GET")[1])
    assert "has_more" in json.loads(ask(provider, "/v1/models", b"", "GET", anthropic_version="2023-06-01")[1])


def test_answers_are_said_in_order(provider):
    provider.answers.extend([Answer("one"), Answer("two")])
    said = [told(provider, "/v1/messages", message("hi"))["content"][0]["text"] for _ in range(3)]
    assert said[:2] == ["one", "two"]
    assert said[2] not in {"one", "two"}


def test_coded_bodies_are_read(provider):
    raw = gzip.compress(json.dumps(message(LONG)).encode())
    assert told(provider, "/v1/messages", raw, content_encoding="gzip")["usage"]["cache_creation_input_tokens"] == 2504
    assert ask(provider, "/v1/messages", raw)[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"model":"m"}'])
def test_what_is_no_request_is_told_so(provider, body):
    for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions", "/v1/responses"):
        status, told_bytes, _ = ask(provider, path, body)
        assert status == 400
        assert "error" in json.loads(told_bytes)


def test_unknown_paths_in_the_shape_of_their_owner(provider):
    assert json.loads(ask(provider, "/api/none", b"")[1])["error"].startswith("no such path")
    assert "status" in json.loads(ask(provider, "/v1beta/none", b"")[1])["error"]
    assert json.loads(ask(provider, "/v1/none", b"", anthropic_version="1")[1])["type"] == "error"
    assert ask(provider, "/v1/none", b"")[0] == 404


def test_manner_and_reset(provider):
    provider.manner = Manner(pieces=1)
    events = ask(provider, "/v1/messages", message(LONG, stream=True))[1]
    assert events.count(b"content_block_delta") == 2
    provider.reset()
    assert provider.record.since(0) == []
    assert provider.statistics().cache.entries == 0
    assert told(provider, "/v1/messages", message(LONG))["usage"]["cache_read_input_tokens"] == 0
