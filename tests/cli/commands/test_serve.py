"""What `serve` does before it becomes the launcher; the journeys start it for good."""

import json
import os
import resource
import socket
import subprocess
import sys

import pytest

from tokenpak.cli.commands import serve as module
from tokenpak.cli.commands.serve import serve
from tokenpak.config.paths import paths_for
from tokenpak.control import instance
from tokenpak.control.instance import AlreadyRunning, PortTaken, instance_pid, lock_instance


class Became(Exception):  # noqa: N818 named by what is the case
    """Instead of the launcher."""


@pytest.fixture(autouse=True)
def around(monkeypatch):
    """The launcher is not become, and what `serve` changes in this process is put back."""
    umask = os.umask(0o022)
    os.umask(umask)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def become(_program, command, environ):
        raise Became(command, environ)

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr(instance, "KEEPER_PATIENCE_S", 0.05)
    monkeypatch.setattr(instance, "LOCK_PATIENCE_S", 0.05)
    yield
    os.umask(umask)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def start(tmp_path, **options):
    with pytest.raises(Became) as became:
        serve(state_dir=tmp_path, **options)
    return became.value.args


def test_everything_the_tree_needs_is_there_before_it_starts(tmp_path):
    command, environ = start(tmp_path, port=0, upstream=("openai=http://h:1",), drain=2)
    paths = paths_for(tmp_path)
    settings = json.loads(paths.settings_file.read_text())
    assert settings["port"] > 0
    assert settings["upstreams"]["openai"] == "http://h:1"
    assert settings["drain_s"] == 2
    assert f"socket=tcp://127.0.0.1:{settings['port']}" in paths.supervisor_conf.read_text()
    assert command[1:5] == ("-P", "-m", "tokenpak.processes.launcher", str(paths.settings_file))
    assert environ["TOKENPAK_SETTINGS"] == str(paths.settings_file)
    assert paths.supervisor_conf.stat().st_mode & 0o077 == 0


def test_the_word_of_a_dead_front_is_not_believed(tmp_path):
    start(tmp_path, port=0)
    paths = paths_for(tmp_path)
    paths.ready_file(1).write_text(str(os.getpid()))
    start(tmp_path, port=0)
    assert not paths.ready_file(1).exists()


def test_the_lock_and_the_port_pass_to_the_launcher(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(os, "set_inheritable", lambda descriptor, on: kept.append((descriptor, on)))
    command, _ = start(tmp_path, port=0)
    assert command[5:] == tuple(str(descriptor) for descriptor, _ in kept)
    assert all(on for _, on in kept)
    assert len(kept) == (2 if instance.keeps_reservation() else 1)


def test_a_running_instance_is_not_touched(tmp_path):
    start(tmp_path, port=0)
    paths = paths_for(tmp_path)
    before = paths.settings_file.read_bytes()
    with lock_instance(paths), pytest.raises(AlreadyRunning):
        serve(state_dir=tmp_path, port=1)
    assert paths.settings_file.read_bytes() == before
    assert instance_pid(paths) is None


def test_a_taken_port_changes_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as stranger, pytest.raises(PortTaken):
        serve(state_dir=tmp_path, port=stranger.getsockname()[1])
    assert not paths_for(tmp_path).settings_file.exists()


def test_files_are_allowed_up_to_what_the_system_grants(monkeypatch):
    set_to = []
    monkeypatch.setattr(resource, "setrlimit", lambda _what, limits: set_to.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, 1000))
    assert module._raise_open_files() == 1000
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (256, resource.RLIM_INFINITY))
    assert module._raise_open_files() == 4096
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (10_000, 20_000))
    assert module._raise_open_files() == 4096
    assert set_to == [(1000, 1000), (4096, resource.RLIM_INFINITY)]


def test_the_options_are_the_documented_ones():
    told = subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.main", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for option in ("--port", "--state-dir", "--config", "--upstream", "--drain"):
        assert option in told
    assert "--no-upstream" not in told
    assert "--empty-upstream" not in told


@pytest.mark.parametrize(("found", "told"), [(None, True), ("somewhere", False)])
def test_a_missing_vocabulary_is_told_with_what_to_do(tmp_path, monkeypatch, capsys, found, told):
    monkeypatch.setattr(module, "find_vocabulary", lambda _search: found)
    start(tmp_path, port=0)
    assert ("tokenpak vocabulary fetch" in capsys.readouterr().err) is told
