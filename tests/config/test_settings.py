import stat
from pathlib import Path

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import ConfigError, Settings, load, read_settings, write_settings


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return file


def test_defaults_are_the_documented_ones():
    settings = load(None, {}, {})
    assert (settings.host, settings.port, settings.workers, settings.drain_s) == ("127.0.0.1", 8766, 2, 15.0)
    assert settings.upstreams["anthropic"] == "https://api.anthropic.com"
    assert settings.url == "http://127.0.0.1:8766"
    assert settings.paths.state == Path(settings.state_dir)


def test_file_then_environment_then_arguments(tmp_path):
    file = written(tmp_path, "port = 1001\nworkers = 3\ndrain_s = 4\n")
    environ = {"TOKENPAK_PORT": "1002", "TOKENPAK_WORKERS": "4"}
    settings = load(file, environ, {"port": 1003})
    assert (settings.port, settings.workers, settings.drain_s) == (1003, 4, 4.0)


def test_upstreams_are_merged_by_name(tmp_path):
    file = written(tmp_path, '[upstreams]\nopenai = "http://one:1"\nlab = "http://lab:2/base/"\n')
    settings = load(file, {"TOKENPAK_UPSTREAM_OPENAI": "http://two:2"}, {"upstreams": {"google": "http://three:3"}})
    assert settings.upstreams == {
        "anthropic": "https://api.anthropic.com",
        "openai": "http://two:2",
        "google": "http://three:3",
        "ollama": "http://127.0.0.1:11434",
        "lab": "http://lab:2/base",
    }


def test_empty_and_unrelated_variables_are_no_settings():
    assert load(None, {"TOKENPAK_PORT": "", "TOKENPAK_LAUNCHER_PID": "7", "PORT": "9"}, {}).port == 8766


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", ["config.toml", "'prot'", "'port'"]),
        ("colour = 1", ["'colour'", "Known keys"]),
        ("port = 70000", ["config.toml", "port", "65535"]),
        ('port = "8766"', ["config.toml", "port"]),
        ("port = ", ["config.toml", "Mend"]),
        ('level = "max"', ["level", "'max'"]),
        ("upstreams = 3", ["upstreams"]),
        ('[upstreams]\nopenai = "ftp://x"', ["openai", "HTTP base URL"]),
        ('[upstreams]\nopenai = "http://x:bad"', ["openai", "bad"]),
        ('[upstreams]\n"a/b" = "http://x"', ["'a/b'"]),
        ('[upstreams]\nlab = "http://127.0.0.1:8766"', ["lab", "call itself"]),
    ],
)
def test_errors_name_file_key_and_remedy(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text), {}, {})
    for word in words:
        assert word in str(caught.value)


def test_a_credential_in_an_upstream_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(ConfigError, match="user or password") as caught:
        load(written(tmp_path, '[upstreams]\nopenai = "https://user:hunter2@x"'), {}, {})
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml.*--config"):
        load(tmp_path / "none.toml", {}, {})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "example.com", ""])  # noqa: S104 the refused value
def test_only_this_machine_is_served(host):
    with pytest.raises(ConfigError, match="not a loopback address"):
        load(None, {}, {"host": host})


def test_loopback_names():
    assert load(None, {}, {"host": "localhost"}).host == "127.0.0.1"
    assert load(None, {}, {"host": "127.0.0.9"}).host == "127.0.0.9"
    with pytest.raises(ConfigError, match="IPv4 only"):
        load(None, {}, {"host": "::1"})


def test_settings_reach_child_processes_privately(tmp_path):
    settings = load(None, {}, {"state_dir": str(tmp_path), "port": 5})
    prepare(settings.paths)
    write_settings(settings)
    assert stat.S_IMODE(settings.paths.settings_file.stat().st_mode) == 0o600
    assert read_settings({"TOKENPAK_SETTINGS": str(settings.paths.settings_file)}) == settings


@pytest.mark.parametrize("content", [None, b"{", b'{"port": "x"}'])
def test_a_child_without_settings_says_so(tmp_path, content):
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="tokenpak serve"):
        read_settings({"TOKENPAK_SETTINGS": str(file)})
    with pytest.raises(ConfigError, match="tokenpak serve"):
        read_settings({})


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings(state_dir="/x").port = 3  # type: ignore[misc]
