"""`tokenpak verify-savings` against the embedded provider's own count, which knows nothing of our counter."""

import json
import re
import time

import pytest
from estimate_lab import FILE, MODEL, Codex, recording, text_of, working

from tests.core.contract import Words
from tests.core.readings import responses
from tests.provider_thread import serving
from tokenpak.cli.commands import verify_savings as command
from tokenpak.cli.commands.verify_savings import NOT_SENT, verify_savings
from tokenpak.cli.estimate.pairs import COUNTED
from tokenpak.config.settings import ConfigError
from tokenpak.core.patch import Format
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.faults import Refuse
from tokenpak.services import tokens

KEY, OPENAI_KEY = "sk-planted-key", "sk-planted-openai-key"


@pytest.fixture(autouse=True)
def _setting(monkeypatch):
    monkeypatch.setattr(tokens, "load_counter", lambda search: Words())
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OPENAI_KEY)


@pytest.fixture
def mock():
    with serving(Provider(time.monotonic)) as running:
        yield running


@pytest.fixture
def logs(tmp_path):
    for nth in range(4):
        working(f"s{nth}", turns=8 + nth).write(tmp_path / f"s{nth}.jsonl")
    working("short", turns=1).write(tmp_path / "short.jsonl")
    return tmp_path


def asked(mock):
    return list(mock.provider.record.since(0))


def test_nothing_is_sent_without_a_yes(logs, mock, capsys):
    assert verify_savings(logs, upstream=mock.url) == NOT_SENT
    out = capsys.readouterr().out
    assert f"4 requests, each as it was and as it would be sent: 8 counts by {mock.url}" in out
    assert "Nothing was sent. Say --yes to send them." in out
    assert asked(mock) == []


@pytest.mark.parametrize(("word", "code", "sent"), [("y\n", 0, 8), ("n\n", NOT_SENT, 0), ("", NOT_SENT, 0)])
def test_a_person_is_asked(logs, mock, monkeypatch, *, word, code, sent):
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(command.sys.stdin, "readline", lambda: word, raising=False)
    assert verify_savings(logs, upstream=mock.url) == code
    assert len(asked(mock)) == sent


def test_pairs_are_counted_and_the_error_is_told(logs, mock, capsys):
    assert verify_savings(logs, upstream=mock.url, yes=True, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    received = asked(mock)
    assert {each.target for each in received} == {"/v1/messages/count_tokens"}
    for each, original, sent in zip(told["requests"], received[::2], received[1::2], strict=True):
        sizes = [len(json.dumps(json.loads(one.body)["messages"])) for one in (original, sent)]
        assert b"same as" in sent.body
        assert b"same as" not in original.body
        assert each["original"] > each["sent"] > 0
        assert each["original"] - each["sent"] == pytest.approx((sizes[0] - sizes[1]) / 4, rel=0.1)
    total = told["total"]
    assert total["removed"] == sum(each["original"] - each["sent"] for each in told["requests"])
    assert total["ratio"]["low"] <= total["ratio"]["value"] <= total["ratio"]["high"]
    assert total["error"]["value"] == pytest.approx(total["claimed"] / total["removed"] - 1, abs=0.001)


def test_what_is_printed(logs, mock, capsys):
    assert verify_savings(logs, upstream=mock.url, yes=True) == 0
    out = capsys.readouterr().out
    assert re.search(r"4 requests: [\d,]+ tokens removed by our counter, [\d,]+ by the provider's", out)
    assert re.search(r"ratio: +0\.\d{3} \(95 % interval 0\.\d{3} to 0\.\d{3}\)", out)
    assert "What this does not prove" in out
    assert KEY not in out


def test_never_more_than_was_allowed(logs, mock):
    assert verify_savings(logs, upstream=mock.url, most=5, yes=True) == 0
    assert len(asked(mock)) == 4


def test_the_same_seed_draws_the_same_sessions(logs):
    drawn = []
    for seed in (1, 1, 2, 3):
        with serving(Provider(time.monotonic)) as mock:
            verify_savings(logs, upstream=mock.url, most=2, seed=seed, yes=True)
            drawn.append([each.body for each in asked(mock)])
    assert drawn[0] == drawn[1]
    assert len({tuple(each) for each in drawn}) > 1


def test_bodies_and_recordings_in_files(tmp_path, mock, logs):
    path = tmp_path / "x" / "rec.json"
    path.parent.mkdir()
    path.write_bytes(recording())
    with pytest.raises(SystemExit, match="names no model; say --model"):
        verify_savings(body=(path,), upstream=mock.url, yes=True)
    assert verify_savings(body=(path,), upstream=mock.url, model="claude-sonnet-4-5", yes=True) == 0
    assert {json.loads(each.body)["model"] for each in asked(mock)} == {"claude-sonnet-4-5"}
    body = tmp_path / "x" / "body.json"
    body.write_bytes(asked(mock)[0].body)
    assert verify_savings(body=(body,), upstream=mock.url, yes=True) == 0
    assert len(asked(mock)) == 4
    assert asked(mock)[2].body == asked(mock)[0].body
    assert verify_savings(body=(body,), upstream=mock.url, model=MODEL, yes=True) == 0
    assert {json.loads(each.body)["model"] for each in asked(mock)[4:]} == {MODEL}


def test_what_cannot_be_counted(tmp_path, mock):
    other, chat = tmp_path / "other.json", tmp_path / "chat.json"
    other.write_bytes(responses("a", "b"))
    with pytest.raises(SystemExit, match="no request of Anthropic's; one run asks one provider"):
        verify_savings(body=(other,), provider="anthropic", upstream=mock.url, yes=True)
    with pytest.raises(SystemExit, match="nothing to count: in none of these requests of OpenAI's"):
        verify_savings(body=(other,), upstream=mock.url, yes=True)
    chat.write_text('{"model":"gpt-5","messages":[{"role":"system","content":"x"},{"role":"user","content":"go"}]}')
    with pytest.raises(SystemExit, match="OpenAI counts requests of its responses, and none of these"):
        verify_savings(body=(chat,), upstream=mock.url, yes=True)
    small = tmp_path / "small.json"
    small.write_text('{"model":"m","system":"x","messages":[{"role":"user","content":"go"}]}')
    with pytest.raises(SystemExit, match="nothing to count"):
        verify_savings(body=(small,), upstream=mock.url, yes=True)
    with pytest.raises(SystemExit, match="nothing to count"):
        verify_savings(tmp_path, upstream=mock.url, yes=True)
    with pytest.raises(SystemExit, match="is not there"):
        verify_savings(tmp_path / "gone", upstream=mock.url, yes=True)
    assert asked(mock) == []


def rollout(session, turns):
    """A rollout of Codex's that prints one file again and again."""
    log = Codex(session)
    log.user("go")
    for nth in range(turns):
        log.call(f"c{nth}", nth)
        log.output(f"c{nth}", text_of(FILE), nth)
        log.count(1000, 0, second=nth)
    return log


def test_codex_sessions_are_counted_by_openai(logs, mock, capsys):
    for nth in range(4):
        rollout(f"r{nth}", 9 + nth).write(logs / f"rollout-{nth}.jsonl")
    assert verify_savings(logs, provider="openai", upstream=mock.url, most=6, yes=True, json=True) == 0
    said = capsys.readouterr()
    assert "OpenAI states no price for a count, but the text leaves this machine" in said.err
    told, received = json.loads(said.out), asked(mock)
    assert [each.target for each in received] == ["/v1/responses/input_tokens"] * 6
    for each, original, sent in zip(told["requests"], received[::2], received[1::2], strict=True):
        assert len(sent.body) < len(original.body)
        assert each["original"] > each["sent"] > 0
        assert json.loads(sent.body).keys() == json.loads(original.body).keys() <= set(COUNTED[Format.OPENAI_RESPONSES])
    for each in received:
        headers = {name.lower(): value for name, value in each.headers}
        assert headers["authorization"] == f"Bearer {OPENAI_KEY}"
        assert KEY not in str(each)
    assert told["total"]["removed"] == sum(each["original"] - each["sent"] for each in told["requests"])


def test_a_body_of_openais_is_asked_of_openai(tmp_path, mock, capsys):
    body = tmp_path / "body.json"
    body.write_bytes(responses(*[text_of(FILE)] * 9).replace(b'"m"', b'"gpt-5.4"'))
    assert verify_savings(body=(body,)) == NOT_SENT
    assert "2 counts by https://api.openai.com" in capsys.readouterr().out
    assert verify_savings(body=(body,), upstream=mock.url, yes=True) == 0
    assert {each.target for each in asked(mock)} == {"/v1/responses/input_tokens"}
    assert OPENAI_KEY not in capsys.readouterr().out


def test_a_key_is_needed_and_never_told(logs, mock, monkeypatch):
    mock.provider.faults.arm([Refuse(status=401)])
    with pytest.raises(SystemExit) as refused:
        verify_savings(logs, upstream=mock.url, yes=True)
    assert "401" in str(refused.value)
    assert KEY not in str(refused.value)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(SystemExit, match="no key: the environment variable ANTHROPIC_API_KEY is empty"):
        verify_savings(logs, upstream=mock.url, yes=True)


def test_without_a_vocabulary_there_is_nothing_to_hold_against(logs, monkeypatch):
    monkeypatch.setattr(Words, "name", "estimate")
    with pytest.raises(ConfigError, match="tokenpak vocabulary fetch"):
        verify_savings(logs, yes=True)
