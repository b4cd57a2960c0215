"""`tokenpak verify-meaning` against the embedded provider, with a model in it that reads bodies and looks answers up.

One reads as a model that follows markers would: it sees what they stand for. One reads only what stands there. The
command must tell the two apart, and must not send a byte before it is told to.
"""

import json
import re
import time

import pytest

from tests.core.contract import Words
from tests.core.readings import anthropic, responses
from tests.provider_thread import serving
from tokenpak.cli.commands.verify_meaning import NOT_SENT, verify_meaning
from tokenpak.core.body import Kind, blocks_of, read
from tokenpak.core.expand import expand_body
from tokenpak.core.lines import taken_apart
from tokenpak.core.patch import Format
from tokenpak.mock_provider.app import Provider
from tokenpak.mock_provider.call import Answer
from tokenpak.services import tokens

FORMATS = {
    "/v1/messages": Format.ANTHROPIC,
    "/v1/chat/completions": Format.OPENAI_CHAT,
    "/v1/responses": Format.OPENAI_RESPONSES,
}
KEY = "sk-planted-key"
FILE = [f"line {n} of a file that is read again and again" for n in range(1, 31)]
AFTER = ["a first line that was put in by an edit", *FILE[:12], "a line that changed in the middle", *FILE[13:]]


def numbered(lines):
    return "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1))


BODY = anthropic(numbered(FILE), numbered(AFTER), max_tokens=4096)


class Reader(Provider):
    """A provider whose model answers questions by looking lines up, markers followed or not."""

    follows = True

    def receive(self, request):
        fmt = FORMATS[request.path]
        read_body = expand_body(fmt, request.body) if self.follows else request.body
        self.answers.append(Answer(looked_up(fmt, read_body)))
        return super().receive(request)


class Skimmer(Reader):
    """Its model takes markers for noise."""

    follows = False


def looked_up(fmt, body):
    blocks = list(blocks_of(read(fmt, body)))
    texts = [text.text for block in blocks if block.kind is Kind.RESULT for text in block.texts]
    words = next(t.text for b in reversed(blocks) if b.kind is Kind.USER for t in b.texts)
    number = re.match(r"What is line (\d+) ", words)
    for text in reversed(texts):
        lines = taken_apart(text)
        for at, body_line in enumerate(lines.bodies):
            if number and lines.numbers[at] == int(number[1]):
                return body_line
            if not number and at and lines.bodies[at - 1] == words.split("\n\n")[1]:
                return body_line
    return "I cannot find it."


@pytest.fixture(autouse=True)
def _setting(monkeypatch):
    monkeypatch.setattr(tokens, "load_counter", lambda search: Words())
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def body(tmp_path):
    path = tmp_path / "body.json"
    path.write_bytes(BODY)
    return path


def scores(out):
    """Questions right of those asked, by version."""
    return {
        name: (int(right), int(of))
        for name, right, of in re.findall(r"^(original|compressed) +(\d+) of (\d+)", out, re.MULTILINE)
    }


def test_nothing_is_sent_without_a_yes(body, capsys):
    with serving(Reader(time.monotonic)) as mock:
        assert verify_meaning(body, upstream=mock.url, floor=40) == NOT_SENT
        assert mock.provider.record.since(0) == []
    out = capsys.readouterr().out
    assert f"40 requests to {mock.url}" in out
    assert "Nothing was sent. Say --yes to send them." in out
    assert "input tokens" in out


def test_a_model_that_follows_markers_answers_both_alike(body, capsys):
    with serving(Reader(time.monotonic)) as mock:
        assert verify_meaning(body, upstream=mock.url, questions=12, floor=40, yes=True) == 0
        received = [each.body for each in mock.provider.record.since(0)]
    out = capsys.readouterr().out
    assert scores(out) == {"original": (12, 12), "compressed": (12, 12)}
    assert "compressed minus original: +0 points" in out
    assert "What this does not prove" in out
    assert len(received) == 24
    assert not any(b"same as" in each for each in received[:12])
    assert all(b"same as" in each for each in received[12:])
    assert KEY not in out


def test_one_that_does_not_is_found_out(body, capsys):
    with serving(Skimmer(time.monotonic)) as mock:
        assert verify_meaning(body, upstream=mock.url, questions=30, floor=40, yes=True) == 0
    out = capsys.readouterr().out
    found = scores(out)
    assert found["original"] == (30, 30)
    assert found["compressed"][0] < 15
    low, high = re.search(r"95 % interval ([-+]\d+) to ([-+]\d+); right on the original alone: (\d+)", out).groups()[:2]
    assert int(low) < int(high) < 0


def test_the_same_seed_asks_the_same(body):
    asked = []
    for seed in (1, 1, 2):
        with serving(Reader(time.monotonic)) as mock:
            verify_meaning(body, upstream=mock.url, questions=3, seed=seed, floor=40, yes=True)
            asked.append([each.body for each in mock.provider.record.since(0)])
    assert asked[0] == asked[1] != asked[2]


def test_responses_are_asked_with_the_model_of_choice(tmp_path, capsys):
    path = tmp_path / "body.json"
    path.write_bytes(responses(numbered(FILE), numbered(AFTER)))
    with serving(Reader(time.monotonic)) as mock:
        assert verify_meaning(path, upstream=mock.url, model="other", questions=4, floor=40, yes=True) == 0
        (request, *_) = mock.provider.record.since(0)
    assert json.loads(request.body)["model"] == "other"
    assert json.loads(request.body)["max_output_tokens"] == 256
    assert scores(capsys.readouterr().out)["compressed"] == (4, 4)


@pytest.mark.parametrize("shape", ["anthropic", "openai"])
def test_a_recorded_session_gives_its_last_request(tmp_path, capsys, shape):
    messages = json.loads(BODY)["messages"]
    if shape == "openai":
        messages = [each for message in messages for each in as_chat(message)]
    later = [{"role": "assistant", "content": "done"}]
    recording = {"id": "x", "format": shape, "messages": messages + later, "turn_ends": [0, len(messages) - 1]}
    path = tmp_path / "session.json"
    path.write_text(json.dumps(recording))
    with serving(Reader(time.monotonic)) as mock:
        assert verify_meaning(path, upstream=mock.url, questions=5, floor=40, yes=True) == 0
    assert scores(capsys.readouterr().out) == {"original": (5, 5), "compressed": (5, 5)}


def as_chat(message):
    """The messages of OpenAI chat that say what one of Anthropic's says."""
    for block in message["content"] if isinstance(message["content"], list) else []:
        if block["type"] == "tool_use":
            function = {"name": block["name"], "arguments": json.dumps(block["input"])}
            yield {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": block["id"], "type": "function", "function": function}],
            }
        else:
            yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": block["content"]}
    if isinstance(message["content"], str):
        yield message


def test_questions_and_answers_are_shown_when_asked_for(body, capsys):
    with serving(Skimmer(time.monotonic)) as mock:
        verify_meaning(body, upstream=mock.url, questions=6, floor=40, yes=True, show=True)
    out = capsys.readouterr().out
    assert out.count("expected:") == 6
    assert re.search(r"^  original: +'line \d+ .*' right$", out, re.MULTILINE)
    assert re.search(r"^  compressed: '.*' wrong$", out, re.MULTILINE)


def test_a_missing_key_is_named_and_nothing_sent(body, monkeypatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with serving(Reader(time.monotonic)) as mock:
        with pytest.raises(SystemExit, match="ANTHROPIC_API_KEY is empty"):
            verify_meaning(body, upstream=mock.url, floor=40, yes=True)
        with pytest.raises(SystemExit, match="MY_KEY is empty"):
            verify_meaning(body, upstream=mock.url, key_variable="MY_KEY", floor=40, yes=True)
        assert mock.provider.record.since(0) == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (anthropic(numbered(FILE)), "nothing to ask"),
        (b"{", "not JSON"),
        (b'{"messages": 3}', "cannot be read exactly|can be read exactly"),
    ],
)
def test_a_body_that_gives_no_question_is_told(tmp_path, raw, why):
    path = tmp_path / "body.json"
    path.write_bytes(raw)
    with pytest.raises(SystemExit, match=why):
        verify_meaning(path, upstream="http://127.0.0.1:9", floor=40, yes=True)


def test_a_provider_that_refuses_is_told(body):
    with pytest.raises(SystemExit, match="cannot be reached"):
        verify_meaning(body, upstream="http://127.0.0.1:9", floor=40, yes=True)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SystemExit, match="cannot read"):
        verify_meaning(tmp_path / "none.json", upstream="http://127.0.0.1:9")
