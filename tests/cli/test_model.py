"""The model behind an address: who gets the key, what is tried again, and how a refusal is told."""

import time

import pytest

from tests.provider_thread import serving
from tokenpak.cli.model import LONGEST_PAUSE_S, PAUSE_S, TRIES, Model, ModelError
from tokenpak.core.patch import Format
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Answer
from tokenpak.mock_provider.faults import CutAt, Refuse

KEY = "sk-planted-key"
BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"go"}]}'
INPUT = b'{"model":"m","input":"go"}'


@pytest.fixture
def mock():
    with serving(Provider(time.monotonic)) as running:
        yield running


@pytest.mark.parametrize(
    ("fmt", "body", "header", "value"),
    [
        (Format.ANTHROPIC, BODY, "x-api-key", KEY),
        (Format.OPENAI_CHAT, BODY, "authorization", f"Bearer {KEY}"),
        (Format.OPENAI_RESPONSES, INPUT, "authorization", f"Bearer {KEY}"),
    ],
)
def test_an_answer_in_each_format(mock, fmt, body, header, value):
    mock.provider.answers.append(Answer("forty-two"))
    with Model(fmt, mock.url, KEY) as model:
        assert model.answer(body) == "forty-two"
    (received,) = mock.provider.record.since(0)
    headers = {name.lower(): each for name, each in received.headers}
    assert received.body == body
    assert headers[header] == value
    assert ("anthropic-version" in headers) == (fmt is Format.ANTHROPIC)


@pytest.mark.parametrize(
    ("status", "retry_after", "pause"), [(429, 2, 2.0), (529, None, PAUSE_S), (503, 9000, LONGEST_PAUSE_S)]
)
def test_a_busy_provider_is_asked_again_after_a_pause(mock, status, retry_after, pause):
    mock.provider.faults.arm([Refuse(status=status, times=2, retry_after=retry_after)])
    mock.provider.answers.append(Answer("at last"))
    pauses = []
    with Model(Format.ANTHROPIC, mock.url, KEY, pauses.append) as model:
        assert model.answer(BODY) == "at last"
    assert pauses == [pause, pause]


def test_a_count_in_each_format_that_has_one(mock):
    for fmt, body, path in (
        (Format.ANTHROPIC, BODY, "/v1/messages/count_tokens"),
        (Format.OPENAI_RESPONSES, INPUT, "/v1/responses/input_tokens"),
    ):
        with Model(fmt, mock.url, KEY) as model:
            assert model.counted(body) > 0
        assert mock.provider.record.since(0)[-1].target == path


def test_a_chat_completion_is_counted_by_nobody(mock):
    with Model(Format.OPENAI_CHAT, mock.url, KEY) as model, pytest.raises(ModelError, match="no provider counts"):
        model.counted(BODY)
    assert not mock.provider.record.since(0)


def test_but_not_for_ever(mock):
    mock.provider.faults.arm([Refuse(status=529)])
    with Model(Format.ANTHROPIC, mock.url, KEY, lambda _: None) as model, pytest.raises(ModelError, match="529"):
        model.answer(BODY)
    assert len(mock.provider.record.since(0)) == TRIES


def test_another_refusal_is_told_at_once(mock):
    with (
        Model(Format.ANTHROPIC, mock.url, KEY) as model,
        pytest.raises(ModelError, match="400: messages: at least one"),
    ):
        model.answer(b'{"model":"m","messages":[]}')
    assert len(mock.provider.record.since(0)) == 1


def test_a_key_that_is_repeated_is_cut_out(mock):
    with Model(Format.ANTHROPIC, f"{mock.url}/{KEY}", KEY) as model, pytest.raises(ModelError, match="404") as told:
        model.answer(BODY)
    assert "no such path: /(key)/v1/messages" in str(told.value)


def test_a_reply_that_breaks_off_is_told(mock):
    mock.provider.faults.arm([CutAt(at_byte=10, times=1)])
    with Model(Format.ANTHROPIC, mock.url, KEY) as model, pytest.raises(ModelError, match="cannot be reached"):
        model.answer(BODY)


def test_a_provider_that_is_not_there_is_told():
    with (
        Model(Format.ANTHROPIC, "http://127.0.0.1:9", KEY) as model,
        pytest.raises(ModelError, match="cannot be reached"),
    ):
        model.answer(BODY)


@pytest.mark.parametrize("address", ["http://api.example.com", "api.example.com", "ftp://127.0.0.1", "https://", ""])
def test_no_key_goes_to_an_unsafe_address(address):
    with pytest.raises(ModelError):
        Model(Format.ANTHROPIC, address, KEY)


def test_a_count_is_asked_for_where_it_is_free(mock):
    with Model(Format.ANTHROPIC, mock.url, KEY) as model:
        assert model.counted(BODY) > 0
    (received,) = mock.provider.record.since(0)
    assert received.target == "/v1/messages/count_tokens"
    assert received.body == BODY


def test_an_answer_that_is_no_count(mock):
    mock.provider.faults.arm([CutAt(at_byte=5)])
    with Model(Format.ANTHROPIC, mock.url, KEY) as model, pytest.raises(ModelError):
        model.counted(BODY)
