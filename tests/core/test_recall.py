"""What makes two requests one, what is never kept, and what of an answer is as true the next time."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenpak.core import recall
from tokenpak.core.patch import Format
from tokenpak.core.recall import Asked, Bounds, Stored, Wish
from tokenpak.core.route import Route
from tokenpak.core.usage import Observation, Usage

LINES = (
    (b"Host", b"api.anthropic.com"),
    (b"Content-Type", b"application/json"),
    (b"anthropic-version", b"2023-06-01"),
    (b"x-api-key", b"sk-secret"),
)
ASKED = Asked("POST", "anthropic", b"https://api.anthropic.com/v1/messages", LINES, b'{"model":"m"}')
SECRET = b"s" * 32
SEEN = Observation(Usage(3, output=5), "m", "provider")
ONE_WORD = st.binary(min_size=1, max_size=8)
NAMES = st.sampled_from([b"accept", b"openai-beta", b"x-odd", b"Accept", b"x"])


def key(asked, secret=SECRET):
    return recall.key_of(asked, recall.scope_of(asked.lines, secret))


KEY = key(ASKED)


@pytest.mark.parametrize(
    "other",
    [
        ASKED._replace(method="PUT"),
        ASKED._replace(provider="acme"),
        ASKED._replace(target=ASKED.target + b"?beta=true"),
        ASKED._replace(target=b"http://api.anthropic.com/v1/messages"),
        ASKED._replace(body=b'{"model": "m"}'),
        ASKED._replace(lines=LINES[:3]),
        ASKED._replace(lines=(*LINES[:3], (b"x-api-key", b"sk-other"))),
        ASKED._replace(lines=(*LINES[:3], (b"Authorization", b"sk-secret"))),
        *(
            ASKED._replace(lines=(*LINES, (name, b"v")))
            for name in (
                b"accept",
                b"accept-encoding",
                b"anthropic-beta",
                b"OpenAI-Organization",
                b"openai-project",
                b"openai-beta",
                b"user-agent",
                b"x-anybodys",
                b"cookie",
            )
        ),
    ],
)
def test_whatever_can_change_the_answer_changes_the_key(other):
    assert key(other) != KEY


@pytest.mark.parametrize(
    "name",
    [
        b"X-Request-Id",
        b"traceparent",
        b"X-Stainless-Retry-Count",
        b"x-claude-code-session-id",
        b"Cache-Control",
        b"date",
    ],
)
def test_what_only_names_a_request_does_not(name):
    assert key(ASKED._replace(lines=(*LINES, (name, b"v")))) == KEY


def test_neither_case_nor_order_of_names_counts_but_the_order_of_one_names_lines_does():
    assert key(ASKED._replace(lines=tuple((name.upper(), value) for name, value in LINES[::-1]))) == KEY
    twice = [ASKED._replace(lines=(*LINES, (b"x", a), (b"x", b))) for a, b in ((b"1", b"2"), (b"2", b"1"))]
    assert key(twice[0]) != key(twice[1])


def test_the_same_request_of_another_installation_has_another_key():
    assert key(ASKED, b"t" * 32) != KEY
    assert b"sk-secret" not in recall.scope_of(LINES, SECRET)


@given(st.lists(st.tuples(NAMES, ONE_WORD), max_size=4), st.lists(st.tuples(NAMES, ONE_WORD), max_size=4))
def test_two_lists_of_lines_have_one_key_only_if_they_say_the_same(one, other):
    def said(lines):
        return sorted(((name.lower(), value) for name, value in lines), key=lambda line: line[0])

    same = key(ASKED._replace(lines=one)) == key(ASKED._replace(lines=other))
    assert same == (said(one) == said(other))


@given(st.binary(max_size=30), st.binary(max_size=30), st.integers(0, 30))
def test_the_border_between_address_and_body_counts(target, body, at):
    joined = target + body
    moved = ASKED._replace(target=joined[:at], body=joined[at:])
    assert (key(moved) == key(ASKED._replace(target=target, body=body))) == (moved.target == target)


def route(kind, path=b"/v1/x", provider="openai"):
    return Route(provider, path, Format.ANTHROPIC if kind != "other" else None, kind)


@pytest.mark.parametrize(
    ("method", "found", "kind"),
    [
        ("POST", route("messages"), "messages"),
        ("POST", route("chat"), "chat"),
        ("POST", route("responses"), "responses"),
        ("POST", route("other", b"/v1/embeddings"), "embeddings"),
        ("POST", route("other", b"/embeddings", "acme"), "embeddings"),
        ("GET", route("other", b"/v1/embeddings"), None),
        ("POST", route("other", b"/v1/embeddings", "ollama"), None),
        ("POST", route("count_tokens"), None),
        ("POST", route("other", b"/v1/completions"), None),
        ("POST", route("other", b"/v1/messages/batches"), None),
        ("GET", route("other", b"/v1/models"), None),
    ],
)
def test_only_what_a_model_answers_is_kept(method, found, kind):
    assert recall.kind_of(method, found) == kind


@pytest.mark.parametrize(
    ("kind", "body", "bar"),
    [
        ("messages", {"model": "m", "messages": [1]}, None),
        ("chat", {"model": "m", "store": False}, None),
        ("chat", {"model": "m", "store": True}, "stored_by_provider"),
        ("responses", {"model": "m"}, "stored_by_provider"),
        ("responses", {"model": "m", "store": None}, "stored_by_provider"),
        ("responses", {"model": "m", "store": False}, None),
        ("responses", {"store": False, "previous_response_id": "resp_1"}, "server_state"),
        ("responses", {"store": False, "conversation": {"id": "c"}}, "server_state"),
        ("responses", {"store": False, "background": True}, "background"),
        ("messages", {"container": "c"}, "server_state"),
        ("messages", {"max_tokens": 0}, "pre_warm"),
        ("messages", {"store": "yes"}, "unreadable"),
        ("messages", [], "unreadable"),
    ],
)
def test_what_has_nothing_to_do_with_stored_answers(kind, body, bar):
    assert recall.bar(kind, recall.read(json.dumps(body).encode())) == bar


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_barred(body):
    told = recall.read(body)
    assert told is not None or recall.bar("chat", told) == "unreadable"


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ([], Wish()),
        ([b"no-cache"], Wish(read=False)),
        ([b"No-Store"], Wish(read=False, store=False)),
        ([b"max-age=60, max-age=5"], Wish(max_age_s=5)),
        ([b"max-age=x"], Wish()),
        ([b"private", b"max-age=0, no-cache"], Wish(read=False, max_age_s=0)),
    ],
)
def test_a_clients_word_to_caches(said, wish):
    assert recall.wish_of([(b"Cache-Control", value) for value in said]) == wish


def test_the_old_word_too():
    assert recall.wish_of([(b"pragma", b"no-cache")]) == Wish(read=False)


def changed(**changes):
    return msgspec.structs.replace(SEEN, **changes)


@pytest.mark.parametrize(
    ("status", "seen", "lines", "may"),
    [
        (200, SEEN, (), True),
        (200, changed(basis="estimate"), ((b"cache-control", b"no-cache"),), True),
        (200, changed(basis=None), (), True),
        (200, Observation(), (), False),
        (201, SEEN, (), False),
        (500, SEEN, (), False),
        (200, changed(truncated=True), (), False),
        (200, changed(lost=1), (), False),
        (200, changed(error="overloaded_error"), (), False),
        (200, changed(echo=True), (), False),
        (200, changed(basis="count"), (), False),
        (200, SEEN, ((b"Cache-Control", b"private, no-store"),), False),
    ],
)
def test_only_a_whole_answer_may_be_given_again(status, seen, lines, may):
    assert recall.may_keep(status, seen, lines) is may


def test_what_was_true_of_one_answer_is_left_out():
    kept = ((b"Content-Type", b"text/event-stream"), (b"content-encoding", b"gzip"), (b"openai-version", b"2020-10-01"))
    left = (
        b"Date",
        b"set-cookie",
        b"request-id",
        b"X-Request-ID",
        b"anthropic-ratelimit-tokens-remaining",
        b"x-ratelimit-limit-requests",
        b"retry-after",
        b"openai-processing-ms",
        b"cf-ray",
        b"x-tokenpak-request-id",
    )
    assert recall.kept_lines([*kept, *((name, b"v") for name in left)]) == kept


def test_freshness_has_two_ends():
    stored = Stored(KEY, 10 * 10**9, b"OK", (), (b"a", b"bc"), SEEN)
    assert stored.size == 3
    assert recall.is_fresh(stored, 5, 15 * 10**9)
    assert not recall.is_fresh(stored, 5, 15 * 10**9 + 1)
    assert not recall.is_fresh(stored, 5, 10**9)


def test_bounds_are_checked_where_they_are_written():
    for wrong in ({"max_bytes": 1}, {"max_entry_bytes": 2**30}, {"max_age_s": 0}, {"max_byte": 2**21}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Bounds)
