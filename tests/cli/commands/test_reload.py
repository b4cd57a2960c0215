import pytest

from tokenpak.cli.commands import reload as module
from tokenpak.cli.commands.reload import reload
from tokenpak.config.paths import prepare
from tokenpak.config.settings import ConfigError, write_settings
from tokenpak.control.origin import origin_of, write_origin
from tokenpak.control.supervisor import NotRunning, Supervisor


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """Its configuration file; `restarted` holds what a reload would have put in force."""
    config = tmp_path / "c.toml"
    config.write_text("")
    origin = origin_of(config, {}, {"state_dir": str(tmp_path / "state")})
    settings = origin.settings()
    prepare(settings.paths)
    write_settings(settings)
    write_origin(settings.paths, origin)
    monkeypatch.setattr(Supervisor, "pid", lambda _self: 1)
    restarted = []
    monkeypatch.setattr(module, "reload_tree", lambda _running, wanted, _tell: restarted.append(wanted.settings))
    return config, tmp_path / "state", restarted


def test_nothing_changed_restarts_nothing(instance, capsys):
    _, state, restarted = instance
    assert reload(state_dir=state) == 0
    assert "nothing has changed" in capsys.readouterr().out
    assert restarted == []


def test_what_waits_is_told_and_the_rest_taken_in(instance, capsys):
    config, state, restarted = instance
    config.write_text('level = "off"\nport = 9999\n')
    assert reload(state_dir=state) == 0
    out = capsys.readouterr().out
    assert "port changes with `tokenpakctl stop`" in out
    assert "changed: level" in out
    assert [each.level for each in restarted] == ["off"]


def test_a_mistake_is_told_with_what_it_did_not_do(instance):
    config, state, restarted = instance
    config.write_text("colour = 1\n")
    with pytest.raises(ConfigError, match=r"unknown key 'colour'.*Nothing was changed"):
        reload(state_dir=state)
    assert restarted == []


def test_nobody_there_is_said_before_the_file_is_read(instance, monkeypatch):
    def nobody(_self):
        raise NotRunning("no supervisord answers")

    config, state, _ = instance
    config.write_text("colour = 1\n")
    monkeypatch.setattr(Supervisor, "pid", nobody)
    with pytest.raises(NotRunning):
        reload(state_dir=state)
