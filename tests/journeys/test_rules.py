"""A configuration file with rules, from `tokenpak serve --config` to what the provider is sent."""

import contextlib
import json
import urllib.request
from pathlib import Path

import pytest

from tests.core.readings import REPEATED, anthropic
from tests.journeys.service import Program, Service, eventually, provider

CONFIG = """
floor_tokens = 40
[[rules]]
model = "quiet-*"
level = "off"
[[rules]]
model = "quiet-but*"
level = "lossless"
[[rules]]
model = "late"
floor_tokens = 8192
[[rules]]
client = "cline"
level = "off"
[upstreams]
anthropic = "{url}"
"""


class Configured(Service):
    """`tokenpak serve --config`."""

    def __init__(self, state: Path, config: Path) -> None:
        self.state = state
        state.mkdir()
        words = ("serve", "--port", "0", "--state-dir", str(state), "--config", str(config))
        Program.__init__(self, *words, log=state / "serve.err")


@pytest.fixture
def running(tmp_path):
    with provider(tmp_path) as upstream, contextlib.ExitStack() as ending:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=upstream.url))
        service = Configured(tmp_path / "state", config)
        ending.callback(service.stop)
        eventually("both workers up", lambda: _workers_up(service) == 2)
        yield service


def _workers_up(service):
    return service.ctl("status", "--json").stdout.replace(" ", "").count('"up":true')


SENT = {
    ("curl/8", "loud"): True,
    ("curl/8", "quiet-1"): False,
    ("curl/8", "quiet-but-not-now"): True,
    ("curl/8", "late"): False,
    ("Cline/3.1", "loud-too"): False,
}
"""User agent and model of a request, and whether it leaves shorter."""


def test_each_request_leaves_on_its_own_terms(running):
    for agent, model in SENT:
        body = anthropic(REPEATED, REPEATED, max_tokens=64).replace(b'"model":"m"', f'"model":"{model}"'.encode())
        body = body.replace(b'"go"', f'"go {model}"'.encode())  # or it is one conversation, and as sent wins
        assert json.loads(body)["model"] == model
        headers = {"content-type": "application/json", "user-agent": agent}
        request = urllib.request.Request(running.url + "/v1/messages", body, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()  # who leaves before the end has a row that says so
    rows = eventually("closed rows", lambda: _closed(running, len(SENT)))
    assert {model: edits for model, edits, *_ in rows} == {model: int(shorter) for (_, model), shorter in SENT.items()}
    for model, edits, before, after in rows:
        assert (after < before) is (edits > 0), model


def _closed(running, count):
    rows = running.rows("model_asked, coalesce(edits, 0), bytes_before, bytes_after", "state = 'done'")
    return rows if len(rows) == count else None
