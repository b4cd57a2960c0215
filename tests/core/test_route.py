from pathlib import Path

import pytest

from tokenpak.core.patch import Format
from tokenpak.core.refusal import Refuse
from tokenpak.core.route import BUILT_IN, Route, resolve, table

NAMES = {*BUILT_IN, "acme"}
ANTHROPIC_HEADER = {b"anthropic-version": b"2023-06-01"}


def go(method, path, headers=None):
    return resolve(method, path, headers or {}, NAMES)


@pytest.mark.parametrize(
    ("method", "path", "headers", "provider", "upstream_path"),
    [
        ("POST", b"/anthropic/v1/messages", {}, "anthropic", b"/v1/messages"),
        ("GET", b"/openai/v1/models", ANTHROPIC_HEADER, "openai", b"/v1/models"),
        ("POST", b"/google/v1beta/models/m:generateContent", {}, "google", b"/v1beta/models/m:generateContent"),
        ("POST", b"/ollama/api/chat", {}, "ollama", b"/api/chat"),
        ("POST", b"/acme/chat/completions", {}, "acme", b"/chat/completions"),
        ("HEAD", b"/anthropic", {}, "anthropic", b"/"),
        ("GET", b"/openai/", {}, "openai", b"/"),
        ("HEAD", b"/", {}, "anthropic", b"/"),
        ("POST", b"/v1/messages", {}, "anthropic", b"/v1/messages"),
        ("POST", b"/v1/messages/batches", {}, "anthropic", b"/v1/messages/batches"),
        ("GET", b"/v1/models", ANTHROPIC_HEADER, "anthropic", b"/v1/models"),
        ("GET", b"/anything/at/all", ANTHROPIC_HEADER, "anthropic", b"/anything/at/all"),
        ("POST", b"/v1beta/models/m:countTokens", {}, "google", b"/v1beta/models/m:countTokens"),
        ("POST", b"/v1/models/m:generateContent", {b"x-goog-api-key": b"k"}, "google", b"/v1/models/m:generateContent"),
        ("GET", b"/api/tags", {}, "ollama", b"/api/tags"),
        ("POST", b"/v1/chat/completions", {}, "openai", b"/v1/chat/completions"),
        ("POST", b"/v1/embeddings", {}, "openai", b"/v1/embeddings"),
        ("GET", b"/v1/models", {}, "openai", b"/v1/models"),
    ],
)
def test_owner(method, path, headers, provider, upstream_path):
    route = go(method, path, headers)
    assert (route.provider, route.upstream_path) == (provider, upstream_path)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (b"/v1beta/models/gemini-2.5-pro:streamGenerateContent", "gemini-2.5-pro"),
        (b"/acme/v1beta/models/gemini%2D2.5-\xff:generateContent", "gemini-2.5-\ufffd"),
        (b"/v1/models/gpt-5", None),
        (b"/v1/messages", None),
    ],
)
def test_the_model_in_a_path(path, model):
    assert go("POST", path).model == model


def test_a_key_does_not_tell_anthropic():
    assert go("POST", b"/v1/other", {b"x-api-key": b"sk-ant"}).provider == "openai"


@pytest.mark.parametrize(
    ("path", "form", "kind"),
    [
        (b"/v1/messages", Format.ANTHROPIC, "messages"),
        (b"/anthropic/v1/messages", Format.ANTHROPIC, "messages"),
        (b"/v1/messages/count_tokens", Format.ANTHROPIC, "count_tokens"),
        (b"/v1/chat/completions", Format.OPENAI_CHAT, "chat"),
        (b"/acme/chat/completions", Format.OPENAI_CHAT, "chat"),
        (b"/acme/v1/messages", Format.ANTHROPIC, "messages"),
        (b"/v1/responses", Format.OPENAI_RESPONSES, "responses"),
    ],
)
def test_read(path, form, kind):
    route = go("POST", path)
    assert (route.format, route.kind) == (form, kind)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", b"/v1/messages"),
        ("GET", b"/v1/responses"),
        ("POST", b"/v1/responses/compact"),
        ("POST", b"/v1/messages/batches"),
        ("POST", b"/v1/messages/"),
        ("POST", b"/ollama/v1/chat/completions"),
        ("POST", b"/google/v1/chat/completions"),
        ("POST", b"/v1/embeddings"),
        ("DELETE", b"/v1/responses"),
    ],
)
def test_unread(method, path):
    route = go(method, path)
    assert (route.format, route.kind) == (None, "other")


@pytest.mark.parametrize(
    "tail",
    [
        b"/v1//messages",
        b"//v1/messages",
        b"/v1/./messages",
        b"/v1/../x",
        b"/v1/%6dessages",
        b"/v1/a%2Fb;c=d",
        b"/v1/messages%3F",
    ],
)
def test_odd_paths_pass_as_they_are_and_unread(tail):
    assert go("POST", b"/anthropic" + tail) == Route("anthropic", tail, None, "other")


@pytest.mark.parametrize(
    "path", [b"/", b"/nothing/here", b"/%61nthropic/v1/messages", b"/Anthropic/v1/messages", b"//v1/messages", b"*"]
)
def test_nobody_owns_it(path):
    assert go("GET", path) == Refuse("unknown_path", path.decode())


@pytest.mark.parametrize("target", [b"http://api.openai.com/v1/models", b"api.openai.com:443"])
def test_a_target_of_a_forward_proxy_names_no_host(target):
    assert go("GET", target) == Refuse("forward_proxy", target.decode())


def test_a_name_that_is_not_configured_is_no_mount():
    assert isinstance(resolve("POST", b"/acme/v1/messages", {}), Refuse)


def test_rules_of_a_provider_that_is_not_configured_do_not_hold():
    assert isinstance(resolve("GET", b"/api/tags", {}, {"anthropic"}), Refuse)


def test_the_page_prints_the_table():
    page = (Path(__file__).parents[2] / "docs" / "routes.md").read_text()
    rows = "\n".join(f"| {condition} | {provider} | {example} |" for condition, provider, example in table())
    assert rows in page
