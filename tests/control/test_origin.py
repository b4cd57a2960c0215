import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import ConfigError, load
from tokenpak.control import serve_command
from tokenpak.control.origin import Origin, origin_of, read_origin, write_origin


@pytest.fixture
def paths(tmp_path):
    found = load(None, {}, {"state_dir": str(tmp_path / "state")}).paths
    prepare(found)
    return found


def test_it_comes_to_the_same_in_another_shell(paths, tmp_path, monkeypatch):
    config = tmp_path / "c.toml"
    config.write_text('workers = 3\n[upstreams]\nmine = "http://h"\n')
    environ = {"TOKENPAK_LEVEL": "off", "TOKENPAK_SETTINGS": "/x", "HOME": "/secret", "ANTHROPIC_API_KEY": "sk-1"}
    overrides = {"state_dir": str(paths.state), "port": 9}
    write_origin(paths, origin_of(config, environ, overrides))
    monkeypatch.setenv("TOKENPAK_LEVEL", "lossless")
    found = read_origin(paths)
    assert found.settings() == load(config, environ, overrides)
    assert found.environ == {"TOKENPAK_LEVEL": "off"}
    assert "sk-1" not in (paths.run / "origin.json").read_text()


def test_the_file_is_read_anew_each_time(paths, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("workers = 3\n")
    write_origin(paths, origin_of(config, {}, {"state_dir": str(paths.state)}))
    config.write_text("workers = 4\n")
    assert read_origin(paths).settings().workers == 4
    config.write_text("wrokers = 4\n")
    with pytest.raises(ConfigError, match=r"c\.toml: unknown key 'wrokers'"):
        read_origin(paths).settings()


def test_it_is_private_and_a_relative_file_is_found_from_anywhere(paths, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text("")
    origin = origin_of(tmp_path.__class__("c.toml"), {}, {})
    assert origin.config == str(tmp_path / "c.toml")
    write_origin(paths, origin)
    assert (paths.run / "origin.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", [None, "{torn", "[]"])
def test_without_it_the_way_out_is_told(paths, text):
    if text is not None:
        (paths.run / "origin.json").write_text(text)
    with pytest.raises(ConfigError, match="tokenpakctl stop"):
        read_origin(paths)


@pytest.fixture
def default(tmp_path, monkeypatch):
    """Where a file counts without being named."""
    monkeypatch.setattr(serve_command, "default_config_file", lambda: tmp_path / "config.toml")
    return tmp_path / "config.toml"


def test_no_file_is_no_file(default):
    assert origin_of(None, {}, {}) == Origin(None, {}, {}, str(default))
    assert origin_of(None, {}, {}).file is None


def test_a_default_file_that_is_written_later_counts_and_one_that_is_gone_does_not(paths, default, monkeypatch):
    write_origin(paths, origin_of(None, {}, {"state_dir": str(paths.state)}))
    monkeypatch.setattr(serve_command, "default_config_file", lambda: default.with_name("of-another-shell.toml"))
    assert read_origin(paths).settings().workers == 2
    default.write_text("workers = 3\n")
    assert read_origin(paths).settings().workers == 3
    default.unlink()
    assert read_origin(paths).settings().workers == 2


def test_what_an_earlier_version_kept_is_read(paths, default):
    (paths.run / "origin.json").write_text('{"config":null,"environ":{},"overrides":{}}')
    default.write_text("workers = 3\n")
    assert read_origin(paths).settings().workers == 3


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_file_that_was_named_is_missed(paths, default, tmp_path, by):
    config = tmp_path / "named.toml"
    default.write_text("workers = 3\n")
    given = (config, {}) if by == "option" else (None, {"TOKENPAK_CONFIG": str(config)})
    write_origin(paths, origin_of(*given, {"state_dir": str(paths.state)}))
    with pytest.raises(ConfigError, match=r"named\.toml: No such file.*Put the file there"):
        read_origin(paths).settings()
