"""The client against a real mock, without TokenPak between: what is received is what was sent."""

import json
import time

import pytest

from tests.provider_thread import serving
from tokenpak.cli.demonstration.client import Client, ProviderGone, encoded
from tokenpak.core.patch import Format
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.faults import CutAt, ErrorEvent, Refuse
from tokenpak.mock_provider.session import session


@pytest.fixture
def mock():
    """A mock in a thread of its own: the client is synchronous."""
    with serving(Provider(time.monotonic)) as running:
        yield running


@pytest.mark.parametrize("style", ["claude-code", "chat", "responses"])
def test_a_turn_in_each_format(mock, style):
    made = session(1, style)
    with Client(mock.url, mock.url) as client:
        for request in made.requests()[:3]:
            turn = client.turn(Format(made.format), encoded(request))
            assert turn.failure is None
            assert turn.received == (turn.sent,)


@pytest.mark.parametrize(
    "fault", [Refuse(status=529, times=1), CutAt(at_byte=300, times=1), ErrorEvent(after=2, times=1)]
)
def test_an_incomplete_answer_is_a_failure(mock, fault):
    body = encoded(session(1).requests()[0])
    mock.provider.faults.arm([fault])
    with Client(mock.url, mock.url) as client:
        assert client.turn(Format.ANTHROPIC, body).failure
        assert client.turn(Format.ANTHROPIC, body).failure is None


def test_a_service_that_is_not_there_is_a_failure(mock):
    with Client("http://127.0.0.1:9", mock.url) as client:
        turn = client.turn(Format.ANTHROPIC, b"{}")
    assert "Connect" in turn.failure
    assert turn.received == ()


def test_without_the_provider_nothing_can_be_proved(mock):
    with Client(mock.url, "http://127.0.0.1:9") as client, pytest.raises(ProviderGone):
        client.turn(Format.ANTHROPIC, b"{}")


def test_bodies_are_encoded_as_clients_do():
    assert encoded({"a": ["é", 1]}) == '{"a":["é",1]}'.encode()
    half = encoded({"a": "\ud83d"})
    assert half == b'{"a":"\\ud83d"}'
    assert json.loads(half) == {"a": "\ud83d"}
