"""`tokenpak compress`: the edits a body would get, and clear words where there are none to tell."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.thirds import Thirds
from tests.core.readings import REPEATED, anthropic, responses
from tests.core.sessions import agent_session, body_of
from tests.core.writing import written
from tokenpak.cli.commands.compress import compress, guessed
from tokenpak.cli.explanation import COLUMNS
from tokenpak.config.settings import ConfigError
from tokenpak.control import serve_command
from tokenpak.core.passes import PASSES
from tokenpak.core.patch import Format
from tokenpak.services import tokens

BODY = anthropic(REPEATED, REPEATED)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No vocabulary and no configuration of whoever runs the test."""
    monkeypatch.setattr(tokens, "load_counter", lambda search: Thirds())
    monkeypatch.setattr(serve_command, "default_config_file", lambda: tmp_path / "none.toml")
    for name in [name for name in os.environ if name.startswith("TOKENPAK_") and name != "TOKENPAK_SHARED"]:
        monkeypatch.delenv(name)


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body.json"
    path.write_bytes(BODY)
    return path


def test_it_prints_the_edits_as_json(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, json=True, floor=40, only=("line-runs",)) == 0
    told = json.loads(capsys.readouterr().out)
    (edit,) = told["edits"]
    raw = BODY[: edit["start"]] + edit["new"].encode() + BODY[edit["end"] :]
    assert BODY[edit["start"] : edit["end"]].decode() == edit["old"]
    assert (told["format"], told["bytes_before"], told["bytes_after"]) == ("anthropic", len(BODY), len(raw))
    assert told["tokens_saved"] == told["passes"]["line-runs"]["tokens_saved"] > 0
    assert (told["passes"]["line-runs"]["edits"], edit["pass"], told["tokenizer"]) == (1, "line-runs", Thirds.name)
    assert told["left_literal"] == {"below_floor": 1}
    assert json.loads(raw)


def test_it_tells_them_in_words(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, floor=40, only=("line-runs",)) == 0
    out = capsys.readouterr().out
    assert f"{len(BODY):,} bytes in" in out
    assert "line-runs: 1 edit, " in out
    assert "same as Read r/a.py" in out
    assert "left literal, below_floor: 1 text\n" in out


def test_the_default_floor_is_the_products(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, json=True) == 0
    assert json.loads(capsys.readouterr().out)["edits"] == []


# ---------------------------------------------------------------- on which terms


RULES = """
floor_tokens = 40
[[rules]]
client = "codex"
level = "off"
[[rules]]
model = "m"
passes = []
[[rules]]
client = "cline"
passes = ["line-runs"]
"""


def edits_of(capsys: pytest.CaptureFixture[str], body: Path, **given: Any) -> int:
    assert compress(body, json=True, **given) == 0
    return len(json.loads(capsys.readouterr().out)["edits"])


def test_the_options_say_what_is_allowed(body: Path, capsys: pytest.CaptureFixture[str]):
    assert edits_of(capsys, body, floor=40) >= 1
    assert edits_of(capsys, body, floor=40, level="lossless", only=("line-runs",)) == 1
    assert edits_of(capsys, body, floor=40, level="off") == 0
    assert edits_of(capsys, body, floor=40, without=PASSES) == 0
    assert edits_of(capsys, body, floor=40, only=("line-runs",), without=("line-runs",)) == 0


def test_the_configuration_holds_unless_an_option_says_otherwise(
    body: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    config = tmp_path / "config.toml"
    config.write_text(RULES)
    assert edits_of(capsys, body, config=config) == 0
    assert edits_of(capsys, body, config=config, client="cline") == 1
    assert edits_of(capsys, body, config=config, client="codex") == 0
    assert edits_of(capsys, body, config=config, client="codex", level="lossless", only=("line-runs",)) == 1
    assert edits_of(capsys, body, config=config, client="cline", floor=8192) == 0
    monkeypatch.setattr(serve_command, "default_config_file", lambda: config)
    assert edits_of(capsys, body, client="cline") == 1


@pytest.mark.parametrize("option", ["only", "without"])
def test_an_unknown_pass_is_refused(body: Path, option: str):
    with pytest.raises(ConfigError, match=r"unknown pass 'line-rums'\. Did you mean 'line-runs'\?"):
        compress(body, **{option: ("line-rums",)})


# ---------------------------------------------------------------- --explain


def test_each_text_is_explained_in_words(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, explain=True, floor=40, only=("line-runs",)) == 0
    out = capsys.readouterr().out
    terms, table, left, never, total = out.split("\n\n")
    assert terms == "anthropic request for m; level lossless, floor 40 tokens, passes: line-runs"
    head, first, second, edit = table.splitlines()
    assert head.split() == ["WHERE", "TEXT", "TOKENS", "SENT", "WHY", "NOT"]
    assert first.split() == ["messages[2]", "Read", "r/a.py", *[f"{len(REPEATED) // 3:,}"] * 2, "below_floor"]
    assert second.split()[:3] == ["messages[4]", "Read", "r/a.py"]
    assert edit.startswith("    line-runs, ")
    assert "saved: [" in edit
    assert left.startswith("Left alone\n  below_floor: 1 text, ")
    assert never == "Never edited: 1 x first user text (~0 tokens), 2 x tool call (~37 tokens)"
    assert total.startswith("2 texts that may be edited: ")
    assert f"{len(BODY):,} bytes in" in total
    assert "1 edit, " in total
    assert all(len(line) <= COLUMNS for line in out.splitlines())


def test_each_text_is_explained_as_json(body: Path, capsys: pytest.CaptureFixture[str]):
    assert compress(body, explain=True, json=True, floor=40, only=("line-runs",)) == 0
    told = json.loads(capsys.readouterr().out)
    first, second = told["texts"]
    whole = len(REPEATED) // 3
    assert (first["where"], first["why"], first["tokens"], first["edits"]) == ("messages[2]", "below_floor", whole, [])
    assert first["meaning"].startswith("Fewer tokens")
    assert (second["why"], second["meaning"]) == (None, None)
    assert (second["kind"], second["name"]) == ("tool result", "Read r/a.py")
    assert second["tokens_sent"] < second["tokens"]
    (edit,) = second["edits"]
    assert (edit["pass"], edit["tokens_saved"]) == ("line-runs", told["tokens_saved"])
    assert "same as" in edit["new"]
    assert told["policy"] == {"level": "lossless", "passes": ["line-runs"], "floor_tokens": 40}
    assert told["left_literal"] == {"below_floor": 1}
    assert told["never_edited"]["tool call"]["blocks"] == 2


@pytest.mark.parametrize("fmt", Format)
def test_long_sessions_fit_the_columns(fmt: Format, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "body.json"
    session = agent_session(3, 30)
    path.write_bytes(written(body_of(fmt, session, max(session.turns()))))
    assert compress(path, explain=True, floor=40, format=fmt.value) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= COLUMNS
    assert "line-runs, " in out


def test_a_request_without_a_text_to_edit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "body.json"
    path.write_bytes(b'{"messages":[]}')
    assert compress(path, explain=True) == 0
    out = capsys.readouterr().out
    assert "request for no model" in out
    assert "0 texts that may be edited: 0 tokens, 0 as sent\n" in out


def test_it_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BODY)))
    assert compress(Path("-"), json=True, floor=40, only=("line-runs",)) == 0
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
    environ = {**os.environ, "TOKENPAK_CONFIG": os.devnull}
    return subprocess.run(command, input=given, capture_output=True, timeout=60, check=False, env=environ)


def test_the_command(body: Path):
    done = run("compress", "--only", "line-runs", str(body), "--json", "--floor", "40")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)["edits"]) == 1
    failed = run("compress", "-", given=b"nonsense")
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(b"tokenpak: the body is not JSON")
    assert b"Traceback" not in failed.stderr


@pytest.mark.parametrize("name", ["-", "body.json"])
@pytest.mark.parametrize("raw", [b"", b" \n"])
def test_an_empty_body_is_said_to_be_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, raw: bytes):
    (tmp_path / "body.json").write_bytes(raw)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    with pytest.raises(SystemExit, match="is empty"):
        compress(Path(name), format="anthropic")
