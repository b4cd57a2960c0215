"""The command as a user runs it, and as a user interrupts it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tokenpak.cli.commands.demo import demo
from tokenpak.mock_provider.session import session

COMMAND = [sys.executable, "-m", "tokenpak.cli.main", "demo"]


@pytest.fixture
def sessions(tmp_path):
    """A recorded session, made from a made-up one."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    body = session(4, "claude-code-padded").requests()[30]
    ends = [nth for nth, message in enumerate(body["messages"]) if message["role"] == "user"]
    told = {"id": "one", "agent": "Claude Code", "format": "anthropic", "messages": body["messages"], "turn_ends": ends}
    (folder / "one.json").write_text(json.dumps({**told, "system": body["system"], "tools": body["tools"]}))
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the command makes its throw-away directory."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_recorded_sessions_are_replayed_and_nothing_is_left(sessions, place):
    done = subprocess.run(
        [*COMMAND, "--sessions", str(sessions)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one" in done.stdout
    assert "line-runs" in done.stdout
    assert "nothing is left running" in done.stdout
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_demonstration_leaves_nothing_running(place, told):
    if told is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells children that their parent was killed")
    with subprocess.Popen(COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        tree = started(process.pid, place)
        process.send_signal(told)
        code = process.wait(60)
    assert code == (130 if told is not signal.SIGKILL else -signal.SIGKILL)
    _, left = psutil.wait_procs(tree, timeout=20)
    for each in left:
        each.kill()
    assert not left
    assert told is signal.SIGKILL or list(place.iterdir()) == []


def started(pid, place):
    """Every process of a demonstration whose service accepts traffic."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        tree = psutil.Process(pid).children(recursive=True)
        if len(tree) >= 8 and list(place.glob("*/state/run/front_*.ready")):
            return tree
        time.sleep(0.02)
    raise AssertionError(f"the service did not start: {tree}")


def test_a_directory_without_sessions_is_told(tmp_path, capsys):
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert demo(sessions=Path(tmp_path)) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "no recorded sessions" in capsys.readouterr().err
