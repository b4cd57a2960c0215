import json
import os
import time

import pytest

from tokenpak.control import background
from tokenpak.control.background import DidNotStart, Serving, start_detached

READY = {"ready": True, "url": "http://127.0.0.1:9", "pid": 7}


@pytest.fixture
def started(tmp_path):
    """Run a script in the place of `serve`; patience in seconds."""

    def run(script, patience_s=20.0):
        file = tmp_path / "program"
        file.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{script}\n")
        file.chmod(0o755)
        return start_detached([str(file)], tmp_path / "log", patience_s)

    return run


def test_it_gives_the_ready_line_and_leaves_serve_running(started, tmp_path):
    assert started(f"echo '{json.dumps(READY)}'; exec sleep 1") == Serving("http://127.0.0.1:9", 7)
    os.kill(int((tmp_path / "pid").read_text()), 0)
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_the_words_of_one_that_ends_are_told_and_no_older_ones(started, tmp_path):
    (tmp_path / "log").write_text("older words\n")
    with pytest.raises(DidNotStart) as told:
        started("echo 'port 9 is taken by pid 1' >&2; exit 1")
    assert str(told.value) == "port 9 is taken by pid 1\n"


@pytest.mark.parametrize(
    "script", ["exec sleep 30", "trap '' TERM; while :; do sleep 0.1; done", "printf half; sleep 30"]
)
def test_one_that_is_not_ready_in_time_is_ended(started, tmp_path, monkeypatch, script):
    monkeypatch.setattr(background, "END_S", 0.3)
    with pytest.raises(DidNotStart):
        started(script, 0.5)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
