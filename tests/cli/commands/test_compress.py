"""`tokenpak compress`: the edits a body would get, and clear words where there are none to tell."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.core.contract import Words
from tests.core.readings import REPEATED, anthropic, responses
from tests.core.sessions import agent_session, body_of
from tests.core.writing import written
from tokenpak.cli.commands.compress import compress, guessed
from tokenpak.core.patch import Format
from tokenpak.services import tokens

BODY = anthropic(REPEATED, REPEATED)


@pytest.fixture(autouse=True)
def _counter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "load_counter", lambda search: Words())


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body.json"
    path.write_bytes(BODY)
    return path


def test_it_prints_the_edits_as_json(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, json=True, floor=40) == 0
    told = json.loads(capsys.readouterr().out)
    (edit,) = told["edits"]
    raw = BODY[: edit["start"]] + edit["new"].encode() + BODY[edit["end"] :]
    assert BODY[edit["start"] : edit["end"]].decode() == edit["old"]
    assert (told["format"], told["bytes_before"], told["bytes_after"]) == ("anthropic", len(BODY), len(raw))
    assert told["tokens_saved"] == told["passes"]["line-runs"]["tokens_saved"] > 0
    assert (told["passes"]["line-runs"]["edits"], edit["pass"], told["tokenizer"]) == (1, "line-runs", Words.name)
    assert told["left_literal"] == {"below_floor": 1}
    assert json.loads(raw)


def test_it_tells_them_in_words(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, floor=40) == 0
    out = capsys.readouterr().out
    assert f"{len(BODY):,} bytes in" in out
    assert "line-runs: 1 edits" in out
    assert "same as Read r/a.py" in out
    assert "left literal, below_floor: 1 texts" in out


def test_the_default_floor_is_the_products(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, json=True) == 0
    assert json.loads(capsys.readouterr().out)["edits"] == []


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BODY)))
    assert compress(Path("-"), json=True, floor=40) == 0
    assert len(json.loads(capsys.readouterr().out)["edits"]) == 1


@pytest.mark.parametrize(
    ("raw", "fmt"),
    [
        (BODY, Format.ANTHROPIC),
        (anthropic("x", system="s"), Format.ANTHROPIC),
        (responses("x"), Format.OPENAI_RESPONSES),
        (written(body_of(Format.OPENAI_CHAT, agent_session(1, 3), 5)), Format.OPENAI_CHAT),
        (b'{"messages":[{"role":"developer","content":"x"}]}', Format.OPENAI_CHAT),
        (b'{"messages":[{"role":["x"]},7,{"role":"tool","content":"x"}]}', Format.OPENAI_CHAT),
        (b'{"messages":{}}', Format.ANTHROPIC),
    ],
)
def test_the_format_is_told_from_the_body(raw: bytes, fmt: Format):
    assert guessed(raw) is fmt


@pytest.mark.parametrize(
    ("raw", "options", "words"),
    [
        (b"nonsense", {}, "not JSON"),
        (b"\xff", {}, "not JSON"),
        (b"[" * 100_000, {}, "not JSON"),
        (b"[]", {}, "neither `messages` nor `input`"),
        (b'{"prompt":"x"}', {}, "neither `messages` nor `input`"),
        (b'{"messages":1}', {}, "no anthropic request that can be read exactly (not_an_array)"),
        (b"nonsense", {"format": "openai"}, "no openai request that can be read exactly (not_an_object)"),
        (b'{"messages":[],"messages":[]}', {}, "(duplicate_key)"),
        (BODY, {"format": "responses"}, "(no_history)"),
    ],
)
def test_what_is_no_request_is_said_to_be_none(tmp_path: Path, raw: bytes, options: dict[str, Any], words: str):
    path = tmp_path / "body.json"
    path.write_bytes(raw)
    with pytest.raises(SystemExit) as stopped:
        compress(path, **options)
    assert str(stopped.value).startswith("tokenpak: ")
    assert words in str(stopped.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str):
    with pytest.raises(SystemExit, match="cannot read") as stopped:
        compress(tmp_path / name)
    assert str(tmp_path) in str(stopped.value)


def run(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tokenpak.cli.main", *words]
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)


def test_the_command(body: Path):
    done = run("compress", str(body), "--json", "--floor", "40")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)["edits"]) == 1
    failed = run("compress", "-", given=b"nonsense")
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(b"tokenpak: the body is not JSON")
    assert b"Traceback" not in failed.stderr
