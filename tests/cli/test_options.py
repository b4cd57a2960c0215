from pathlib import Path

import pytest

from tokenpak.cli import options
from tokenpak.cli.options import running_settings, settings_anyway, wanted_settings
from tokenpak.config.paths import prepare
from tokenpak.config.settings import ConfigError, load, write_settings
from tokenpak.control import serve_command


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch, tmp_path):
    """No configuration of whoever runs the tests."""
    for name in ("TOKENPAK_STATE_DIR", "TOKENPAK_CONFIG", "TOKENPAK_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(serve_command, "default_config_file", lambda: tmp_path / "config.toml")
    monkeypatch.setattr(options, "default_state_dir", lambda: tmp_path / "default")


def test_options_become_settings(tmp_path):
    found = wanted_settings(tmp_path / "s", None, 99, ["openai=http://h:1", "lab=http://h:2/x=y"], 3)
    assert (found.port, found.drain_s, found.state_dir) == (99, 3.0, str(tmp_path / "s"))
    assert found.upstreams["openai"] == "http://h:1"
    assert found.upstreams["lab"] == "http://h:2/x=y"
    assert found.upstreams["anthropic"] == "https://api.anthropic.com"


def test_what_is_left_out_keeps_its_default():
    found = wanted_settings(None, None, None, (), None)
    assert (found.port, found.drain_s) == (8766, 15.0)


@pytest.mark.parametrize("text", ["openai", "openai=", "=http://h"])
def test_a_wrong_upstream_is_an_error(text):
    with pytest.raises(ConfigError):
        wanted_settings(None, None, None, [text], None)


def test_the_configuration_file_is_the_named_one_else_the_users(tmp_path, monkeypatch):
    def port(config=None):
        return wanted_settings(None, config, None, (), None).port

    (tmp_path / "config.toml").write_text("port = 1")
    assert port() == 1
    (tmp_path / "other.toml").write_text("port = 2")
    monkeypatch.setenv("TOKENPAK_CONFIG", str(tmp_path / "other.toml"))
    assert port() == 2
    (tmp_path / "third.toml").write_text("port = 3")
    assert port(tmp_path / "third.toml") == 3
    with pytest.raises(ConfigError):
        port(tmp_path / "missing.toml")


def test_a_running_instance_is_asked_what_it_runs_with(tmp_path, monkeypatch):
    assert running_settings(None).state_dir == str(tmp_path / "default")
    settings = load(None, {}, {"state_dir": str(tmp_path / "s"), "port": 4242})
    prepare(settings.paths)
    write_settings(settings)
    assert running_settings(Path(settings.state_dir)) == settings
    monkeypatch.setenv("TOKENPAK_STATE_DIR", settings.state_dir)
    assert running_settings(None) == settings


def test_who_leaves_or_mends_has_the_defaults_where_the_file_cannot_be_used(tmp_path):
    assert settings_anyway(None) == running_settings(None)
    (tmp_path / "config.toml").write_text("port = 1\ncolour = 1\n")
    settings = settings_anyway(tmp_path / "s")
    assert (settings.state_dir, settings.port) == (str(tmp_path / "s"), 8766)
