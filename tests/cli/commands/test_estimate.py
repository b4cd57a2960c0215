"""`tokenpak estimate` as a person calls it: on homes with logs, on folders, on nothing."""

import csv
import io
import json
import os
import pty
import subprocess
import sys

import pytest
from estimate_lab import FILE, MODEL, Codex, recording, text_of, working

from tests.shared_place import shared
from tokenpak.cli.commands import estimate as command
from tokenpak.cli.commands.estimate import estimate
from tokenpak.cli.commands.events import BadMoment
from tokenpak.cli.estimate import run
from tokenpak.config.settings import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    place = tmp_path / "home"
    place.mkdir()
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "TOKENPAK_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(place))
    return place


@pytest.fixture
def logs(home):
    working("claude").write(home / ".claude/projects/-p/claude.jsonl")
    log = Codex("codex")
    log.user("go")
    log.call("c1", 5)
    log.count(5000, 0, second=6)
    log.output("c1", text_of(FILE), 8)
    log.call("c2", 9)
    log.count(200, 5800, second=10)
    log.write(home / ".codex/sessions/2026/03/01/rollout-codex.jsonl")
    return home


def told(capsys, path=None, **options):
    assert estimate(path, json=True, **options) == 0
    return json.loads(capsys.readouterr().out)


def test_the_logs_of_both_clients_in_the_users_home(logs, capsys):
    found = told(capsys)
    assert {each["session"]: (each["agent"], each["requests"]) for each in found["sessions"]} == {
        "claude": ("Claude Code", 12),
        "codex": ("Codex", 2),
    }
    assert found["summary"]["requests"] == 14
    assert "total" not in found["summary"]
    assert any("ORIGINAL" in sentence for sentence in found["unknown"])


def test_reading_changes_nothing(logs, capsys):
    def state():
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in logs.rglob("*") if path.is_file()}

    before = state()
    told(capsys)
    assert state() == before


def test_what_is_printed(logs, capsys):
    assert estimate() == 0
    out = capsys.readouterr()
    for words in ("What would have been saved", "claude", "codex", "By cause and mechanism", "What this cannot know"):
        assert words in out.out
    assert out.err == ""  # no bar where nobody looks


def test_a_line_a_session_as_csv(logs, capsys):
    assert estimate(csv=True) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["session"] for line in lines] == ["claude", "codex"]
    assert int(lines[0]["requests"]) == 12


def test_a_page_of_it(logs, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert estimate(html=page) == 0
    assert "<h1>What TokenPak would have saved</h1>" in page.read_text()
    assert str(page) in capsys.readouterr().err
    with pytest.raises(SystemExit, match="cannot write"):
        estimate(html=tmp_path / "gone" / "report.html")


def test_a_folder_of_recordings_and_one_file(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_bytes(recording(id=name))
    assert len(told(capsys, path=tmp_path)["sessions"]) == 2
    (only,) = told(capsys, path=tmp_path / "a.json", model=MODEL, head=9000)["sessions"]
    assert (only["session"], only["models"], only["missing"]) == ("a", [MODEL], 9000)
    assert only["bill_nanos"] > 0
    (blind,) = told(capsys, path=tmp_path / "a.json")["sessions"]
    assert blind["bill_nanos"] is None


def test_only_the_newest_and_only_since(logs, capsys):
    os.utime(logs / ".claude/projects/-p/claude.jsonl", (1, 1))
    assert [each["session"] for each in told(capsys, limit=1)["sessions"]] == ["codex"]
    assert told(capsys, since="2026-03-01T10:00:08+00:00", path=logs / ".codex")["summary"]["requests"] == 1
    with pytest.raises(SystemExit, match="no logs"):
        estimate(logs / ".claude", since="2026-02-01")


def test_the_users_rules_and_prices_count(logs, tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text(f'level = "off"\n[prices."{MODEL}"]\ninput = 1000\ncache_read = 1000\ncache_write_5m = 1000\n')
    plain, own = told(capsys)["sessions"][0], told(capsys, config=config)["sessions"][0]
    assert own["removed"] == 0 < plain["removed"]
    assert own["bill_nanos"] > 100 * plain["bill_nanos"]


def test_nothing_to_read(home, tmp_path):
    with pytest.raises(SystemExit, match=r"no logs of Claude Code or Codex.*\.claude/projects"):
        estimate()
    with pytest.raises(SystemExit, match="is not there"):
        estimate(tmp_path / "gone")


def test_an_interruption_is_one_line(logs, monkeypatch, capsys, tmp_path):
    def interrupted(plan, advance):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run", interrupted)
    assert estimate(html=tmp_path / "x.html") == command.INTERRUPTED
    assert capsys.readouterr().err == "tokenpak: interrupted; nothing was written\n"
    assert not (tmp_path / "x.html").exists()


def test_options_that_cannot_be_meant():
    with pytest.raises(ConfigError, match="not both"):
        estimate(json=True, csv=True)
    with pytest.raises(BadMoment):
        estimate(since="soon")


def test_a_terminal_gets_a_bar(logs):
    lead, follow = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "tokenpak.cli.main", "estimate"], stdout=subprocess.DEVNULL, stderr=follow
    )
    os.close(follow)
    seen = b""
    try:
        while chunk := os.read(lead, 4096):
            seen += chunk
    except OSError:  # how Linux says that nobody is there any more
        pass
    os.close(lead)
    assert run.wait(60) == 0
    assert b"replaying" in seen


def test_a_file_has_room_for_every_figure(logs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert estimate() == 0
    assert command.PIPED_WIDTH >= max(map(len, capsys.readouterr().out.splitlines())) > 80


@pytest.mark.skipif(shared() is None, reason="the recorded sessions are not at hand")
def test_recorded_sessions(capsys):
    found = told(capsys, path=shared() / "corpus" / "dev" / "cc-entire-09.json")
    (only,) = found["sessions"]
    assert only["requests"] == only["with_total"] == 36
    assert 0.05 < only["bill_share"] < 0.3
    assert found["summary"]["dearer"] == 0
