import json
import typing

import pytest

from tokenpak.core.patch import Format
from tokenpak.core.refusal import Fault, Refuse
from tokenpak.proxy.refuse import last_event, malformed, refusal

FAULTS = typing.get_args(Fault)
PROVIDERS = ("anthropic", "openai", "google", "ollama", "work", None)


def message_of(provider, answer):
    match provider:
        case "anthropic":
            assert answer["type"] == "error"
            assert set(answer["error"]) == {"type", "message"}
            return answer["error"]["message"]
        case "google":
            assert set(answer["error"]) == {"code", "message", "status"}
            return answer["error"]["message"]
        case "ollama":
            return answer["error"]
        case _:
            assert set(answer["error"]) == {"message", "type", "param", "code"}
            return answer["error"]["message"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_refusal_has_the_shape_of_its_provider_and_says_who_speaks(fault, provider):
    status, headers, body = refusal(Refuse(fault, "the-detail", provider))
    message = message_of(provider, json.loads(body))
    assert message.startswith("TokenPak: ")
    assert message.endswith((".", "…"))
    assert dict(headers)[b"content-length"] == b"%d" % len(body)
    assert 400 <= status < 600


def test_what_was_wrong_is_named_and_clipped():
    assert "'evil.example'" in refusal(Refuse("foreign_host", "evil.example")).body.decode()
    assert len(refusal(Refuse("unknown_path", "/" + "x" * 90000)).body) < 1000
    assert "{0}" in refusal(Refuse("unknown_path", "{0}")).body.decode()


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("foreign_host", 403, "permission_error"),
        ("no_token", 403, "permission_error"),
        ("too_many", 429, "rate_limit_error"),
        ("unknown_path", 404, "not_found_error"),
        ("websocket", 426, "invalid_request_error"),
        ("over_budget", 402, "billing_error"),
        ("secret_found", 400, "invalid_request_error"),
        ("unsearched", 400, "invalid_request_error"),
        ("busy", 503, "overloaded_error"),
        ("stopping", 503, "api_error"),
        ("upstream_unreachable", 502, "api_error"),
        ("upstream_silent", 504, "api_error"),
        ("upstream_broken", 502, "api_error"),
        ("internal", 500, "api_error"),
    ],
)
def test_statuses(fault, status, kind):
    made = refusal(Refuse(fault, "x", "anthropic"))
    assert (made.status, json.loads(made.body)["error"]["type"]) == (status, kind)


def test_an_upgrade_is_told_what_to_speak_and_a_wait_how_long():
    assert (b"upgrade", b"HTTP/1.1") in refusal(Refuse("websocket")).headers
    assert (b"retry-after", b"1") in refusal(Refuse("busy")).headers
    assert (b"retry-after", b"1") in refusal(Refuse("too_many")).headers
    assert (b"retry-after", b"1") not in refusal(Refuse("internal")).headers


@pytest.mark.parametrize(
    ("provider", "form", "kind", "begins", "ends"),
    [
        ("anthropic", Format.ANTHROPIC, b"text/event-stream", b"event: error\ndata: {", b"}\n\n"),
        ("openai", Format.OPENAI_CHAT, b"text/event-stream; charset=utf-8", b'data: {"error":', b"}\n\n"),
        ("openai", Format.OPENAI_RESPONSES, b"TEXT/event-stream", b'event: error\ndata: {"type":"error"', b"}\n\n"),
        ("google", None, b"text/event-stream", b'data: {"error":', b"}\n\n"),
        ("ollama", None, b"application/x-ndjson", b'{"error":"', b"}\n"),
    ],
)
def test_last_event(provider, form, kind, begins, ends):
    event = last_event(Refuse("stopping", provider=provider), form, kind)
    assert event.startswith(begins)
    assert event.endswith(ends)
    assert json.loads(event.rpartition(b"data: ")[2])["error"]


def test_no_last_event_in_a_document():
    assert last_event(Refuse("stopping", provider="openai"), None, b"application/json") is None


@pytest.mark.parametrize("status", [400, 408, 431, 501, 505])
def test_malformed(status):
    assert json.loads(malformed(status))["error"]["message"].startswith("TokenPak: ")
