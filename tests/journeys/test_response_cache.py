"""The response cache from the configuration file to what official SDKs read, with real processes that are stopped and killed."""

import contextlib
import http.client
import json
import signal
import sqlite3
import threading
import urllib.request

import anthropic
import openai
import pytest

from tests.journeys.service import configured, eventually, provider

MIB = 2**20
CONFIG = """
[response_cache]
max_bytes = {bytes}
[[rules]]
model = "claude-*"
response_cache = true
[[rules]]
model = "gpt-5*"
response_cache = true
[[rules]]
model = "claude-opus-5"
single_flight = true
[[rules]]
model = "claude-haiku-*"
response_cache = false
[upstreams]
anthropic = "{url}"
openai = "{url}"
"""


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def started(upstream, tmp_path_factory):
    """Starts the service in the one state directory, as often as is asked."""
    folder = tmp_path_factory.mktemp("cache")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=upstream.url, bytes=MIB))
    with configured(folder / "state", config) as start:
        yield start


@pytest.fixture(scope="module")
def running(started):
    return started()


def received(upstream):
    """How many requests for an answer the provider has seen."""
    with urllib.request.urlopen(upstream.url + "/__mock/log?after=0&fields=head", timeout=10) as answer:
        told = json.load(answer)
    return len(told)


def manner(upstream, **how):
    request = urllib.request.Request(upstream.url + "/__mock/manner", json.dumps(how).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()


class Asked:
    """How many requests reached the provider within a `with`."""

    def __init__(self, upstream):
        self.upstream = upstream

    def __enter__(self):
        self._before = received(self.upstream)
        return self

    def __exit__(self, *_):
        self.count = received(self.upstream) - self._before


def raw(service, text, *, model="claude-sonnet-5", stream=False, key="one", **headers):
    """Status, header lines and the bytes of the body as they come over the wire."""
    body = {"model": model, "max_tokens": 50, "stream": stream, "messages": [{"role": "user", "content": text}]}
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    lines = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": key, **headers}
    connection.request("POST", "/v1/messages", json.dumps(body).encode(), lines)
    with contextlib.closing(connection):
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def origin(reply):
    return reply[1]["x-tokenpak-cache-origin"]


def stored(service):
    """How many answers stand in the file."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{service.state}/responses.db?mode=ro", uri=True)) as connection,
    ):
        return connection.execute("select count(*) from answer").fetchone()[0]
    return 0


def is_kept(service, text, **more):
    """Once it is in the file, so that a process that knows nothing of it can give it."""
    before = stored(service)
    reply = raw(service, text, **more)
    eventually("the answer in the file", lambda: stored(service) > before or origin(reply) == "proxy")
    return reply


def test_a_stream_is_given_again_to_the_byte_and_its_row_says_whose_doing_that_is(running, upstream):
    manner(upstream, pieces=40)
    with Asked(upstream) as asked:
        first = raw(running, "a stream, please", stream=True)
        second = raw(running, "a stream, please", stream=True)
    manner(upstream)
    assert asked.count == 1
    assert first[2].count(b"\n\n") > 40
    assert (second[0], second[2]) == (200, first[2])
    assert (origin(first), origin(second)) == ("unknown", "proxy")
    assert "request-id" in first[1]
    assert "request-id" not in second[1]
    assert second[1]["content-type"] == first[1]["content-type"]
    (row,) = eventually("its row", lambda: running.rows("cost_nanos, usage_basis, tokens_output, attempts", HIT))
    assert row == (0, None, None, 0)
    with contextlib.closing(sqlite3.connect(f"file:{running.state}/tokenpak.db?mode=ro", uri=True)) as connection:
        lines = connection.execute(
            "select cause, mechanism, basis, nanos, (select cost_nanos from request where cost_nanos > 0) from saving "
            "where mechanism in ('response_cache', 'provider_cache')"
        ).fetchall()
    assert [line[:3] for line in lines] == [("proxy", "response_cache", "provider")]
    assert lines[0][3] == lines[0][4]


HIT = "cache_origin = 'proxy' and state = 'done'"


def test_the_anthropic_sdk_reads_the_same_from_a_stream_given_again(running, upstream):
    client = anthropic.Anthropic(api_key="sdk", base_url=running.url, max_retries=0)

    def ask():
        said = [{"role": "user", "content": "tell the SDK something"}]
        with client.messages.stream(model="claude-sonnet-5", max_tokens=50, messages=said) as stream:
            return stream.get_final_message()

    with Asked(upstream) as asked:
        first, second = ask(), ask()
    assert asked.count == 1
    assert second.to_dict() == first.to_dict()
    assert second.content[0].text


def test_and_the_openai_sdk_from_chat_and_responses(running, upstream):
    client = openai.OpenAI(api_key="sdk", base_url=running.url + "/v1", max_retries=0)
    say = [{"role": "user", "content": "hello"}]

    def chat():
        return [chunk.to_dict() for chunk in client.chat.completions.create(model="gpt-5", messages=say, stream=True)]

    def respond(**more):
        return [event.to_dict() for event in client.responses.create(model="gpt-5", input="hi", stream=True, **more)]

    with Asked(upstream) as asked:
        assert chat() == chat()
        assert respond(store=False) == respond(store=False)
    assert asked.count == 2
    with Asked(upstream) as asked:
        respond(), respond()
    assert asked.count == 2, "what the provider stores under an id is not given twice"


def test_another_credential_gets_its_own_answer(running, upstream):
    with Asked(upstream) as asked:
        replies = [raw(running, "who am I", key=key) for key in ("one", "two", "one", "two")]
    assert asked.count == 2
    assert [origin(reply) for reply in replies] == ["unknown", "unknown", "proxy", "proxy"]


def test_where_no_rule_says_so_every_request_goes_on(running, upstream):
    with Asked(upstream) as asked:
        assert {origin(raw(running, "hi", model="claude-haiku-5")) for _ in range(2)} == {"unknown"}
    assert asked.count == 2


def test_the_same_at_the_same_time_is_asked_once_where_the_rule_says_so(running, upstream):
    manner(upstream, think_s=1.0)
    replies = {}
    with Asked(upstream) as asked:
        for model in ("claude-opus-5", "claude-sonnet-5"):
            threads = [
                threading.Thread(target=lambda m=model: replies.setdefault(m, []).append(raw(running, "race", model=m)))
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    manner(upstream)
    assert asked.count == 1 + 4
    assert {reply[2] for reply in replies["claude-opus-5"]} == {replies["claude-opus-5"][0][2]}
    assert sorted(map(origin, replies["claude-opus-5"])) == ["proxy"] * 3 + ["unknown"]


def test_a_writer_that_is_killed_costs_nothing_but_what_it_had_not_stored(running, upstream):
    is_kept(running, "before the kill")
    (writer,) = running.named("writer")
    writer.send_signal(signal.SIGKILL)
    with Asked(upstream) as asked:
        assert origin(raw(running, "before the kill")) == "proxy"
        assert origin(raw(running, "while it is away")) == "unknown"
        assert origin(raw(running, "while it is away")) == "proxy"
    assert asked.count == 1
    eventually("another writer", lambda: [w for w in running.named("writer") if w.pid != writer.pid])

    def anew():
        raw(running, f"after the kill {stored(running)} {anew.tries}")
        anew.tries += 1
        return stored(running) > before

    anew.tries, before = 0, stored(running)
    eventually("it stores again", anew)
    texts = "cache_origin = 'proxy' and bytes_before > 0"
    eventually("no row is lost", lambda: not running.rows("id", "state = 'open'") and running.rows("id", texts))


def test_a_restart_keeps_answers_and_neither_file_nor_logs_hold_the_credential(running, started, upstream):
    first = is_kept(running, "keep this", key="sk-very-secret-credential")
    running.stop()
    again = started()
    with Asked(upstream) as asked:
        second = raw(again, "keep this", key="sk-very-secret-credential")
    assert asked.count == 0
    assert (second[2], origin(second)) == (first[2], "proxy")
    for file in again.state.rglob("*"):
        assert not file.is_file() or b"sk-very-secret-credential" not in file.read_bytes(), file
    assert {file.stat().st_mode & 0o777 for file in again.state.glob("responses.*")} == {0o600}
    bounded(again, upstream)


def bounded(service, upstream):
    """More answers than the file may hold: it holds the newest, and stays within its bound."""
    file = service.state / "responses.db"
    said = [{"text": "x" * 90_000}] * 30
    request = urllib.request.Request(upstream.url + "/__mock/answers", json.dumps(said).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()
    for number in range(30):
        is_kept_or_evicting(service, f"large {number}")
        assert file.stat().st_size <= MIB
    assert 5 <= stored(service) <= 12
    assert origin(raw(service, "large 29")) == "proxy"


def is_kept_or_evicting(service, text):
    """Ask, and wait until the newest answer in the file is this one's."""

    def newest():
        with contextlib.closing(sqlite3.connect(f"file:{service.state}/responses.db?mode=ro", uri=True)) as connection:
            return connection.execute("select max(at_ns) from answer").fetchone()[0]

    before = newest()
    assert origin(raw(service, text)) == "unknown"
    eventually("a newer answer", lambda: newest() != before)
