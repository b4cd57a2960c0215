import sys
from pathlib import Path

import pytest

from tokenpak.config.settings import ConfigError, load
from tokenpak.control import serve_command as module
from tokenpak.control.serve_command import config_file, serve_command


def test_defaults_need_no_option_but_the_state_directory(tmp_path):
    found = serve_command(load(None, {}, {"state_dir": str(tmp_path)}), None, {})
    assert found.arguments == (f"--state-dir={tmp_path}",)
    assert found.words[:5] == (sys.executable, "-P", "-m", "tokenpak.cli.main", "serve")
    assert Path(found.words[0]).is_absolute()


def test_what_the_file_says_is_left_to_the_file(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('port = 9001\ndrain_s = 3.0\n[upstreams]\nmine = "http://h"\n')
    found = serve_command(load(config, {}, {"state_dir": str(tmp_path)}), config, {})
    assert found.arguments == (f"--config={config}", f"--state-dir={tmp_path}")


def test_what_came_from_elsewhere_is_written_down_and_means_the_same(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("port = 9001\n")
    environ = {"TOKENPAK_PORT": "9002", "TOKENPAK_UPSTREAM_MINE": "http://h/x"}
    wanted = load(config, environ, {"state_dir": str(tmp_path), "drain_s": 2.5})
    found = serve_command(wanted, config, environ)
    assert set(found.arguments) == {
        f"--config={config}",
        f"--state-dir={tmp_path}",
        "--port=9002",
        "--drain=2.5",
        "--upstream=mine=http://h/x",
    }
    assert found.left_out == ()


def test_a_relative_config_file_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text("")
    settings = load(None, {}, {"state_dir": str(tmp_path)})
    assert f"--config={tmp_path}/c.toml" in serve_command(settings, Path("c.toml"), {}).arguments


def test_a_variable_that_no_option_carries_is_named(tmp_path):
    environ = {"TOKENPAK_LEVEL": "off", "TOKENPAK_WORKERS": "2", "TOKENPAK_HOST": "", "TOKENPAK_SETTINGS": "/x"}
    wanted = load(None, environ, {"state_dir": str(tmp_path)})
    assert serve_command(wanted, None, environ).left_out == ("TOKENPAK_LEVEL",)


def test_a_file_that_is_gone_is_an_error_of_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        serve_command(load(None, {}, {"state_dir": str(tmp_path)}), tmp_path / "gone.toml", {})


def test_where_the_configuration_is_looked_for(tmp_path, monkeypatch):
    default = tmp_path / "config.toml"
    monkeypatch.setattr(module, "default_config_file", lambda: default)
    assert config_file({}) is None
    default.write_text("")
    assert config_file({}) == default
    assert config_file({"TOKENPAK_CONFIG": "/other.toml"}) == Path("/other.toml")
