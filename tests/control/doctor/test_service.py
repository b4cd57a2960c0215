import socket
import sys

import pytest

from tests.control.owners import FakeOwner
from tokenpak.config.paths import prepare
from tokenpak.config.settings import load, write_settings
from tokenpak.control.doctor import service as module
from tokenpak.control.doctor.service import look_at_service
from tokenpak.control.instance import lock_instance
from tokenpak.control.origin import origin_of, write_origin


@pytest.fixture
def owner(tmp_path):
    return FakeOwner(tmp_path / "tokenpak.service")


@pytest.fixture
def settings(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = load(None, {}, {"state_dir": str(tmp_path / "state"), "port": port})
    prepare(found.paths)
    return found


@pytest.fixture
def serving(monkeypatch):
    """The port is answered by one of ours, and there is a vocabulary."""
    monkeypatch.setattr(module, "serves", lambda _host, _port: True)
    monkeypatch.setattr(module, "find_vocabulary", lambda _path: "here")


def about(settings, owner):
    return {finding.about: finding for finding in look_at_service(settings, owner)}


def test_nothing_serves(settings, owner, monkeypatch):
    monkeypatch.setattr(module, "find_vocabulary", lambda _path: None)
    found = about(settings, owner)
    assert found["port"].what == f"nothing serves at {settings.url}"
    assert "vocabulary fetch" in found["vocabulary"].remedy
    assert set(found) == {"port", "vocabulary"}


def test_a_port_that_is_taken_is_told_with_its_holder(settings, owner):
    with socket.create_server(("127.0.0.1", settings.port)):
        found = about(settings, owner)["port"]
    assert "is taken by pid" in found.what
    assert "no other" in found.remedy


def test_one_that_runs_and_does_not_serve(settings, owner):
    owner.present = False
    with lock_instance(settings.paths):
        assert "does not serve" in about(settings, owner)["port"].what


def test_all_is_well(settings, owner, serving):
    write_origin(settings.paths, origin_of(None, {}, {"state_dir": settings.state_dir, "port": settings.port}))
    owner.file.write_text(f'ExecStart="{sys.executable}" tokenpak.cli.main "--state-dir={settings.paths.state}"')
    owner.is_enabled = True
    with lock_instance(settings.paths):
        assert about(settings, owner) == {}


def test_another_instance_on_the_port_is_worth_knowing(settings, owner, serving):
    assert about(settings, owner)["port"].weight == "note"


def test_a_configuration_that_broke_or_changed_since_the_start(settings, owner, serving, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text("")
    write_settings(settings)
    given = {"state_dir": settings.state_dir, "port": settings.port}
    write_origin(settings.paths, origin_of(config, {}, given))
    with lock_instance(settings.paths):
        config.write_text('level = "off"\n')
        assert "`tokenpakctl reload`" in about(settings, owner)["configuration"].remedy
        config.write_text("workers = 5\n")
        assert "`tokenpakctl stop`" in about(settings, owner)["configuration"].remedy
        config.write_text("colour = 1\n")
        found = about(settings, owner)["configuration"]
    assert (found.weight, "'colour'" in found.what) == ("wrong", True)


def test_the_service_is_looked_at(settings, owner, serving):
    state = settings.paths.state
    with lock_instance(settings.paths):
        assert "background" in about(settings, owner)["service"].what
        owner.file.write_text("ExecStart=/theirs")
        assert "something else" in about(settings, owner)["service"].what
        owner.file.write_text(f'"/gone/bin/python3" "-m" "tokenpak.cli.main" "--state-dir={state}"')
        assert "/gone/bin/python3" in about(settings, owner)["service"].what
        owner.file.write_text(
            f"<string>/gone/bin/python3</string> tokenpak.cli.main <string>--state-dir={state}</string>"
        )
        assert "/gone/bin/python3" in about(settings, owner)["service"].what
        owner.file.write_text(f'"/bin/sh" tokenpak.cli.main "--state-dir={state}"')
        assert "not enabled" in about(settings, owner)["service"].what
        owner.is_enabled = True
        assert "service" not in about(settings, owner)
