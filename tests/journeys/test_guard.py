"""Budgets and redaction from the configuration file to what official SDKs make of a refusal and what a provider receives."""

import base64
import contextlib
import json
import sqlite3
import threading
import urllib.request

import anthropic
import openai
import pytest

from tests.core import planted
from tests.journeys.service import configured, eventually, provider

CONFIG = """
[[budgets]]
name = "a drop"
model = "claude-sonnet-5"
block = 0.000001
[[budgets]]
name = "another drop"
model = "gpt-5"
block = 0.000001
[[budgets]]
name = "one at a time"
model = "claude-opus-5"
ceiling = 0.02
[redaction]
secrets = "redact"
[upstreams]
anthropic = "{url}"
openai = "{url}"
"""
TOKEN = planted.secrets()["github-token"]
THINKS_S = 1.0


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    with provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="module")
def started(upstream, tmp_path_factory):
    """Starts the service in the one state directory, as often as is asked."""
    folder = tmp_path_factory.mktemp("guard")
    config = folder / "config.toml"
    config.write_text(CONFIG.format(url=upstream.url))
    with configured(folder / "state", config) as start:
        yield start


@pytest.fixture(scope="module")
def running(started):
    return started()


def asked(service, text, *, model="claude-sonnet-5", messages=None, max_tokens=500):
    with anthropic.Anthropic(api_key="k", base_url=service.url) as client:
        return client.messages.create(
            model=model, max_tokens=max_tokens, messages=messages or [{"role": "user", "content": text}]
        )


def refusals(service, model):
    return len(service.rows("id", f"error_code = 'over_budget' and model_asked = '{model}'"))


def answered(service, model):
    return service.rows("cost_nanos", f"state = 'done' and model_asked = '{model}'")


def test_a_spent_budget_is_a_clear_error_of_the_anthropic_sdk_that_it_does_not_send_again(running):
    asked(running, "hello")
    eventually("a cost in the row", lambda: answered(running, "claude-sonnet-5"))
    with pytest.raises(anthropic.APIStatusError) as refused:
        asked(running, "hello again")
    assert refused.value.status_code == 402
    assert refused.value.body["error"]["type"] == "billing_error"
    assert "budget 'a drop'" in str(refused.value)
    assert "Raise `block`" in str(refused.value)
    assert eventually("its row", lambda: refusals(running, "claude-sonnet-5")) == 1


def test_and_of_the_openai_sdk(running):
    say = [{"role": "user", "content": "hello"}]
    with openai.OpenAI(api_key="k", base_url=running.url + "/v1") as client:
        client.chat.completions.create(model="gpt-5", messages=say)
        eventually("a cost in the row", lambda: answered(running, "gpt-5"))
        with pytest.raises(openai.APIStatusError) as refused:
            client.chat.completions.create(model="gpt-5", messages=say)
    assert (refused.value.status_code, refused.value.code) == (402, "tokenpak_over_budget")
    assert "budget 'another drop'" in str(refused.value)
    assert eventually("its row", lambda: refusals(running, "gpt-5")) == 1


def test_two_at_once_cannot_both_take_the_last_cent(running, upstream):
    manner(upstream, think_s=THINKS_S)
    outcomes = []

    def ask(number):
        try:
            asked(running, f"number {number}", model="claude-opus-5")
            outcomes.append(200)
        except anthropic.APIStatusError as error:
            outcomes.append(error.status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manner(upstream, think_s=0)
    assert sorted(outcomes) == [200, 402]
    asked(running, "and one more, now that the worst did not come", model="claude-opus-5")


def test_a_redacted_secret_leaves_as_the_same_bytes_after_a_restart_and_its_prefix_holds(running, upstream):
    """The provider says so: it reads from its cache what the turn before had written."""
    text = f"this is in my environment: GITHUB_TOKEN={TOKEN}\n" + "\n".join(f"line {n} of a log" for n in range(600))
    marked = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    first = [{"role": "user", "content": marked}]
    one = asked(running, "", model="claude-sonnet-4-6", messages=first)
    assert one.usage.cache_creation_input_tokens > 1000
    assert running.ctl("restart", "front").returncode == 0
    words = one.content[0].text
    more = [*first, {"role": "assistant", "content": words}, {"role": "user", "content": f"again: {TOKEN}"}]
    two = asked(running, "", model="claude-sonnet-4-6", messages=more)
    assert two.usage.cache_read_input_tokens == one.usage.cache_creation_input_tokens
    bodies = [body for body in received(upstream) if b"claude-sonnet-4-6" in body]
    assert len(bodies) == 2
    assert [body for body in bodies if TOKEN.encode() in body] == []
    said = [json.loads(body)["messages"] for body in bodies]
    assert said[1][0] == said[0][0]
    placeholder = said[1][2]["content"].removeprefix("again: ")
    assert placeholder.startswith("[redacted:github-token:")
    assert f"GITHUB_TOKEN={placeholder}\n" in said[0][0]["content"][0]["text"]
    lines = eventually("both rows", lambda: redactions(running))
    assert lines == [1, 2]
    for file in running.state.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_a_restart_keeps_what_was_spent(running, started):
    with pytest.raises(anthropic.APIStatusError, match="budget 'a drop'"):
        asked(running, "behind a new front")
    running.stop()
    again = started()
    with pytest.raises(anthropic.APIStatusError, match="budget 'a drop'"):
        asked(again, "behind a new service")


def redactions(service):
    with contextlib.closing(sqlite3.connect(f"file:{service.state}/tokenpak.db?mode=ro", uri=True)) as connection:
        found = connection.execute(
            "select pass_tally.edits from pass_tally join request on request.id = request_id where name = 'redact' order by opened_ns"
        ).fetchall()
    return [edits for (edits,) in found] if len(found) == 2 else None


def manner(upstream, **how):
    request = urllib.request.Request(upstream.url + "/__mock/manner", json.dumps(how).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def received(upstream):
    with urllib.request.urlopen(upstream.url + "/__mock/log?after=0", timeout=10) as answer:
        told = json.load(answer)
    entries = told["requests"] if isinstance(told, dict) else told
    return [base64.b64decode(entry["body"]) for entry in entries]
