"""`tokenpak expand`: bytes in, bytes out, and nothing else known."""

import io
import subprocess
import sys

import pytest

from tests.core.contract import REFERENCES as LOW
from tests.core.readings import REPEATED, anthropic, responses, worked
from tokenpak.cli.commands.expand import expand
from tokenpak.core.body import canonical, read
from tokenpak.core.patch import Format
from tokenpak.core.splice import apply_edits


def given(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


@pytest.mark.parametrize(
    ("fmt", "body"),
    [(Format.ANTHROPIC, anthropic(REPEATED, REPEATED)), (Format.OPENAI_RESPONSES, responses(REPEATED, REPEATED))],
)
def test_it_gives_the_original_back(
    fmt: Format, body: bytes, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
):
    sent = apply_edits(body, worked(body, LOW, fmt=fmt).edits)
    assert sent != body
    given(monkeypatch, sent)
    assert expand(format=fmt.value) == 0
    sys.stdout.flush()
    assert canonical(read(fmt, capfdbinary.readouterr().out)) == canonical(read(fmt, body))


def test_what_has_no_markers_comes_out_as_it_went_in(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
):
    body = b' {"messages" : [ ] }\n'
    given(monkeypatch, body)
    assert expand(format="openai") == 0
    assert capsysbinary.readouterr().out == body


def test_what_is_no_request_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    given(monkeypatch, b"nonsense")
    assert expand(format="anthropic") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "no anthropic request that can be read exactly (not_an_object)" in told.err


def test_the_command():
    body = anthropic(REPEATED, REPEATED)
    sent = apply_edits(body, worked(body).edits)
    command = [sys.executable, "-m", "tokenpak.cli.main", "expand", "--format"]
    done = subprocess.run([*command, "anthropic"], input=sent, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == body
    failed = subprocess.run([*command, "anthropic"], input=b"[]", capture_output=True, timeout=60, check=False)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr.startswith(b"tokenpak: ")
    assert subprocess.run([*command, "gemini"], input=b"", capture_output=True, timeout=60, check=False).returncode


def test_an_empty_body_is_said_to_be_empty(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    given(monkeypatch, b"\n")
    assert expand(format="anthropic") == 1
    assert capsys.readouterr().err == "tokenpak: the body on standard input is empty\n"
