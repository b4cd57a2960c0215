import json

import pytest

from tests.control.owners import FakeOwner
from tokenpak.cli.commands import uninstall as module
from tokenpak.cli.commands.uninstall import uninstall
from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.claims import claim
from tokenpak.control.farewell import LongSession
from tokenpak.control.purge import NotOurs
from tokenpak.integrations.apply import apply
from tokenpak.integrations.catalog import integration_of
from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.integration import Setup
from tokenpak.integrations.machine import Machine

undo_for_real = module.undo_integrations
LONG = LongSession("s-1", "claude-code", "m", 150_000, 190_000)


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path / "state")
    prepare(found)
    return found


@pytest.fixture
def order(tmp_path, monkeypatch, paths):
    """What was done, in order, and the service manager that did some of it."""
    done = []
    owner = FakeOwner(tmp_path / "tokenpak.service")
    owner.calls = done
    monkeypatch.setattr(module, "owner_here", lambda _environ, _home: owner)
    monkeypatch.setattr(module, "default_config_file", lambda: tmp_path / "config.toml")
    monkeypatch.setattr(module, "undo_integrations", lambda _settings: done.append("undo") or (("codex",), ()))
    monkeypatch.setattr(module, "end", lambda _settings: done.append("end") or "stopped")
    monkeypatch.setattr(module, "_sessions", lambda _settings: ())
    return owner, done


def install(owner, paths):
    owner.file.write_text(f"tokenpak.cli.main --state-dir={paths.state}")
    owner.is_enabled = owner.is_running = True


def test_clients_get_their_settings_back_before_anything_stops(order, paths, capsys):
    owner, done = order
    install(owner, paths)
    assert uninstall(state_dir=paths.state) == 0
    assert done == ["undo", "disable", "forget", "end"]
    out = capsys.readouterr().out
    assert "codex: its own settings are back" in out
    assert f"{owner.file} removed" in out
    assert f"left: {paths.state} (--purge removes it)" in out
    assert paths.state.exists()


def test_purge_leaves_nothing_but_what_the_user_wrote(order, paths, tmp_path, capsys):
    owner, _ = order
    install(owner, paths)
    (tmp_path / "config.toml").write_text("")
    assert uninstall(purge=True, state_dir=paths.state) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    assert "you wrote it" in capsys.readouterr().out


def test_purge_leaves_no_empty_directory_above_what_it_kept(order, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    deep = paths_for(tmp_path / ".local" / "state" / "tokenpak")
    prepare(deep)
    assert uninstall(purge=True, state_dir=deep.state) == 0
    assert not (tmp_path / ".local").exists()


def test_purge_leaves_directories_the_user_made(order, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = paths_for(tmp_path / "work" / "x" / "tp")
    prepare(mine)
    assert uninstall(purge=True, state_dir=mine.state) == 0
    assert (tmp_path / "work" / "x").is_dir()
    assert not mine.state.exists()


def test_a_directory_with_a_file_of_theirs_is_refused_before_anything_is_done(order, paths):
    _, done = order
    (paths.state / "mine.txt").write_text("")
    with pytest.raises(NotOurs, match=r"mine\.txt"):
        uninstall(purge=True, state_dir=paths.state)
    assert done == []


def test_what_cannot_be_done_is_told_and_the_rest_goes_on(order, paths, monkeypatch, capsys):
    owner, done = order
    install(owner, paths)
    owner.refuses = "disable"
    monkeypatch.setattr(module, "undo_integrations", lambda _settings: ((), ("codex: write base_url by hand",)))
    assert uninstall(state_dir=paths.state) == 1
    out = capsys.readouterr().out
    assert "NOT DONE: codex: write base_url by hand" in out
    assert "NOT DONE: disable: no. Stop and disable it by hand" in out
    assert done[-1] == "end"


def test_a_process_that_stays_keeps_the_store(order, paths, monkeypatch, capsys):
    monkeypatch.setattr(module, "end", lambda _settings: "late")
    held = claim(paths, "writer")
    try:
        assert uninstall(purge=True, json=True, state_dir=paths.state) == 1
    finally:
        held.release()
    told = json.loads(capsys.readouterr().out)
    assert told["purged"] is None
    assert len(told["troubles"]) == 2
    assert paths.state.exists()


def test_a_service_of_another_state_directory_stays(order, paths, tmp_path):
    owner, done = order
    install(owner, paths_for(tmp_path / "other"))
    assert uninstall(state_dir=paths.state) == 0
    assert done == ["undo", "end"]
    assert owner.file.exists()


def test_sessions_that_would_not_fit_are_named_first(order, paths, monkeypatch, capsys):
    monkeypatch.setattr(module, "_sessions", lambda _settings: (LONG,))
    uninstall(state_dir=paths.state)
    first = capsys.readouterr().out.splitlines()[0]
    assert "s-1 of claude-code" in first
    assert "190,000" in first
    uninstall(state_dir=paths.state, json=True)
    assert json.loads(capsys.readouterr().out)["sessions"][0]["session"] == "s-1"


def test_a_broken_configuration_keeps_nobody_from_leaving(order, tmp_path, monkeypatch):
    config = tmp_path / "broken.toml"
    config.write_text("colour = 1\n")
    monkeypatch.setenv("TOKENPAK_CONFIG", str(config))
    assert uninstall(state_dir=tmp_path / "never-started") == 0


def test_a_client_calls_its_own_provider_again_and_an_undo_that_fails_keeps_its_journal(
    order, paths, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(module, "undo_integrations", undo_for_real)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    settings = tmp_path / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"theme": "dark"}')
    setup = Setup(Machine(tmp_path, {}, tmp_path), "http://127.0.0.1:8766", {})
    assert apply(integration_of("claude-code"), setup, paths).kind == "written"
    written = settings.read_text()
    monkeypatch.setattr("tokenpak.integrations.files.replace", refuse)
    assert uninstall(purge=True, state_dir=paths.state) == 1
    assert "NOT DONE: claude-code: " in capsys.readouterr().out
    assert (settings.read_text(), paths.integrations.exists()) == (written, True)
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert module.undo_integrations(module.Settings(state_dir=str(paths.state))) == (("claude-code",), ())
    assert settings.read_text() == '{"theme": "dark"}'


def refuse(*_arguments, **_named):
    raise CannotIntegrate("it cannot be written")
