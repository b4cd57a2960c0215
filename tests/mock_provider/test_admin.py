import base64
import json

import pytest

from tokenpak.mock_provider import admin
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Manner
from tokenpak.mock_provider.faults import Drop
from tokenpak.mock_provider.reply import Request


@pytest.fixture
def provider():
    provider = Provider(lambda: 0.0)
    for body in (b"one", b"two"):
        provider.receive(Request("POST", "/v1/messages", [], body))
    return provider


def ask(provider, method, path, body=b""):
    reply = admin.answer(provider, Request(method, f"/__mock/{path}", [], body), 3)
    return reply.status, b"".join(action.data for action in reply.script)


def test_the_log(provider):
    entries = json.loads(ask(provider, "GET", "log")[1])
    assert [base64.b64decode(entry["body"]) for entry in entries] == [b"one", b"two"]
    later = json.loads(ask(provider, "GET", "log?after=1&fields=head")[1])
    assert [entry["seq"] for entry in later] == [2]
    assert "body" not in later[0]
    assert ask(provider, "GET", "log?after=x")[0] == 400
    assert ask(provider, "DELETE", "log")[0] == 200
    assert json.loads(ask(provider, "GET", "log")[1]) == []


def test_raw_bodies(provider):
    assert ask(provider, "GET", "bodies/2") == (200, b"two")
    assert ask(provider, "GET", "bodies/9")[0] == 404


def test_faults(provider):
    assert ask(provider, "POST", "faults", b'[{"fault":"drop"}]')[0] == 200
    assert provider.faults.armed() == [Drop()]
    assert json.loads(ask(provider, "GET", "faults")[1])[0]["fault"] == "drop"
    status, body = ask(provider, "POST", "faults", b'{"fault":"none"}')
    assert status == 400
    assert "error" in json.loads(body)
    assert ask(provider, "DELETE", "faults")[0] == 200
    assert provider.faults.armed() == []


def test_answers_and_manner(provider):
    assert ask(provider, "POST", "answers", b'[{"text":"x","calls":[{"name":"Read","arguments":{}}]}]')[0] == 200
    assert provider.answers[0].calls[0].name == "Read"
    assert ask(provider, "POST", "manner", b'{"pieces":3}')[0] == 200
    assert provider.manner == Manner(3)
    for what in ("answers", "manner"):
        assert ask(provider, "POST", what, b'{"a":1}')[0] == 400


def test_statistics_and_reset(provider):
    counts = json.loads(ask(provider, "GET", "statistics")[1])
    assert counts["connections"] == 3
    assert counts["record"]["received"] == 2
    assert counts["provider"]["faults"] == 0
    assert ask(provider, "POST", "reset")[0] == 200
    assert provider.record.since(0) == []


def test_other_paths(provider):
    assert ask(provider, "GET", "none")[0] == 404
    assert ask(provider, "PUT", "log")[0] == 404
