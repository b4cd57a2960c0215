"""What is read, in what order the tree goes, and what a mistake or a failure leaves. Journeys do it with real processes."""

import os

import pytest

from tokenpak.config.paths import prepare
from tokenpak.config.settings import SETTINGS_VARIABLE, ConfigError, read_settings, write_settings
from tokenpak.control import reload as module
from tokenpak.control import serve_command
from tokenpak.control.origin import origin_of, write_origin
from tokenpak.control.reload import read_again, reload
from tokenpak.control.restart import RestartFailed


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('level = "lossless"\n')
    return file


@pytest.fixture
def running(tmp_path, config):
    """The settings of an instance that runs, read from `config`."""
    origin = origin_of(config, {}, {"state_dir": str(tmp_path / "state"), "port": 0})
    found = module.msgspec.structs.replace(origin.settings(), port=54321)
    prepare(found.paths)
    write_settings(found)
    write_origin(found.paths, origin)
    return found


@pytest.fixture
def steps(monkeypatch):
    """The groups that were restarted; those in `fails` did not come up."""
    done, fails = [], set()

    def restart(settings, group, tell, ready_s):
        done.append((group, in_force(settings).level))
        if group in fails:
            raise RestartFailed(f"{group} did not come up")

    monkeypatch.setattr(module, "restart", restart)
    return done, fails


def in_force(settings):
    return read_settings({**os.environ, SETTINGS_VARIABLE: str(settings.paths.settings_file)})


def test_nothing_has_changed(running):
    found = read_again(running)
    assert (found.changed, found.waiting, found.settings) == ((), (), running)


def test_what_has_changed_is_named_and_the_port_it_took_stays(running, config):
    config.write_text('level = "off"\nfloor_tokens = 7\n')
    found = read_again(running)
    assert set(found.changed) == {"level", "floor_tokens"}
    assert found.settings.port == 54321


def test_a_default_file_written_after_the_start_is_read_and_its_end_too(tmp_path, monkeypatch):
    default = tmp_path / "config.toml"
    monkeypatch.setattr(serve_command, "default_config_file", lambda: default)
    origin = origin_of(None, {}, {"state_dir": str(tmp_path / "state")})
    running = origin.settings()
    prepare(running.paths)
    write_origin(running.paths, origin)
    default.write_text('[[budgets]]\nname = "day"\nblock = 1\n')
    found = read_again(running)
    assert found.changed == ("budgets",)
    default.unlink()
    assert read_again(found.settings).changed == ("budgets",)
    assert read_again(running).changed == ()


def test_what_supervisord_was_told_waits_for_a_new_start(running, config):
    config.write_text('level = "off"\nworkers = 5\ndrain_s = 3.0\n')
    found = read_again(running)
    assert found.waiting == ("workers", "drain_s")
    assert found.changed == ("level",)
    assert (found.settings.workers, found.settings.drain_s) == (running.workers, running.drain_s)


def test_a_mistake_names_file_and_key_and_changes_nothing(running, config):
    config.write_text('level = "loud"\n')
    with pytest.raises(ConfigError, match=r"c\.toml: level = 'loud'"):
        read_again(running)
    assert in_force(running) == running


def test_the_front_goes_first_and_everybody_finds_the_new_settings(running, config, steps):
    config.write_text('level = "off"\n')
    reload(running, read_again(running), print)
    assert steps[0] == [("front", "off"), ("writer", "off"), ("worker", "off"), ("control", "off")]
    assert in_force(running).level == "off"


def test_a_front_that_does_not_come_up_keeps_the_old_settings(running, config, steps):
    done, fails = steps
    fails.add("front")
    config.write_text('level = "off"\n')
    with pytest.raises(RestartFailed):
        reload(running, read_again(running), print)
    assert [group for group, _ in done] == ["front"]
    assert in_force(running) == running


def test_a_worker_that_does_not_come_up_is_told_and_the_rest_goes_on(running, config, steps):
    done, fails = steps
    fails.add("worker")
    config.write_text('level = "off"\n')
    told = []
    reload(running, read_again(running), told.append)
    assert [group for group, _ in done] == ["front", "writer", "worker", "control"]
    assert told == ["worker did not come up"]
