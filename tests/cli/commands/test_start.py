import json
import os
import sys

import pytest

from tokenpak.cli.commands.start import start
from tokenpak.config.paths import paths_for, prepare
from tokenpak.config.settings import load, write_settings
from tokenpak.control.instance import lock_instance

READY = {"ready": True, "url": "http://127.0.0.1:9", "pid": 7}


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Runs instead of this Python, as `serve` would be run."""

    def put(script):
        file = tmp_path / "program"
        file.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n{script}\n')
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))
        return tmp_path

    return put


def test_it_returns_with_the_ready_line_and_leaves_serve_running(program, tmp_path, capsys):
    program(f"echo '{json.dumps(READY)}'; exec sleep 0.5")
    assert start(state_dir=tmp_path / "state", port=9, upstream=("a=http://h",), drain=2.5) == 0
    assert "serving at http://127.0.0.1:9 (pid 7)" in capsys.readouterr().out
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:4] == ["-P", "-m", "tokenpak.cli.main", "serve"]
    assert arguments[4:] == [
        "--port=9",
        f"--state-dir={tmp_path / 'state'}",
        "--drain=2.5",
        "--upstream=a=http://h",
    ]


def test_a_serve_that_fails_has_its_words_shown(program, tmp_path, capsys):
    logs = tmp_path / "state" / "logs"
    logs.mkdir(parents=True)
    (logs / "serve.log").write_text("older words\n")
    program("echo 'port 9 is taken by pid 1' >&2; exit 1")
    assert start(state_dir=tmp_path / "state") == 1
    out, err = capsys.readouterr()
    assert err == "port 9 is taken by pid 1\n"
    assert "serve.log" in out


@pytest.fixture
def running(program, tmp_path):
    """An instance that runs already; `serve` would tell that it was called."""
    program("exit 1")
    settings = load(None, {}, {"state_dir": str(tmp_path / "state"), "port": 4242, "drain_s": 3})
    prepare(settings.paths)
    write_settings(settings)
    with lock_instance(settings.paths):
        yield settings
    assert not (tmp_path / "arguments").exists()


@pytest.mark.parametrize(
    ("option", "word"),
    [({"port": 4243}, "port"), ({"drain": 9}, "drain_s"), ({"upstream": ("a=http://h",)}, "upstreams")],
)
def test_another_option_than_it_runs_with_is_no_success(running, capsys, option, word):
    assert start(state_dir=running.paths.state, **option) == 1
    out = capsys.readouterr().out
    assert "already running at http://127.0.0.1:4242" in out
    assert f"another {word} than asked for; `tokenpakctl stop`" in out


def test_a_file_that_asks_for_something_else_is_no_success(running, tmp_path, capsys):
    config = tmp_path / "c.toml"
    config.write_text('port = 4242\nlevel = "off"\n')
    assert start(state_dir=running.paths.state, config=config, drain=3) == 1
    assert "another level than asked for" in capsys.readouterr().out


@pytest.mark.parametrize("option", [{"port": 4242}, {"port": 0}, {"drain": 3}, {}])
def test_the_options_it_runs_with_are_fine(running, option):
    assert start(state_dir=running.paths.state, **option) == 0


def test_it_does_nothing_when_it_runs_already(program, tmp_path, capsys):
    program("exit 1")
    paths = paths_for(tmp_path / "state")
    prepare(paths)
    with lock_instance(paths):
        assert start(state_dir=paths.state) == 0
    assert f"already running at http://127.0.0.1:8766 (pid {os.getpid()})" in capsys.readouterr().out
    assert not (tmp_path / "arguments").exists()
