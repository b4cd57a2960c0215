import json

import pytest

from tests.control.owners import FakeOwner
from tokenpak.cli.commands import install as module
from tokenpak.cli.commands.install import install
from tokenpak.control import install as control
from tokenpak.control.install import CannotInstall


@pytest.fixture
def owner(tmp_path, monkeypatch):
    found = FakeOwner(tmp_path / "units" / "tokenpak.service")
    monkeypatch.setattr(module, "owner_here", lambda _environ, _home: found)
    monkeypatch.setattr(module, "config_file", lambda _environ: None)
    monkeypatch.setattr(module, "await_instance", lambda settings, _failing: settings)
    monkeypatch.setattr(control, "_lingers", lambda: False)
    return found


def test_a_dry_run_shows_everything_and_writes_nothing(owner, tmp_path, capsys):
    assert install(dry_run=True, state_dir=tmp_path / "state", port=9001) == 0
    out = capsys.readouterr().out
    assert f"would write {owner.file}" in out
    assert "--port=9001" in out
    assert "! systemd ends the services" in out
    assert list(tmp_path.iterdir()) == []
    assert owner.calls == []


def test_it_says_where_it_serves(owner, tmp_path, capsys):
    assert install(state_dir=tmp_path / "state", port=9001) == 0
    assert "serving at http://127.0.0.1:9001 (systemd --user)" in capsys.readouterr().out
    assert owner.calls == ["enable", "start"]


def test_everything_as_json(owner, tmp_path, capsys):
    assert install(json=True, state_dir=tmp_path / "state") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["change"], found["started"], found["serving"], found["dry_run"]) == ("new", True, True, False)
    assert install(json=True, dry_run=True, state_dir=tmp_path / "state") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["change"], found["started"], found["serving"], found["dry_run"]) == ("unchanged", None, None, True)


def test_one_that_does_not_come_up_is_an_error_with_where_to_look(owner, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "await_instance", lambda _settings, _failing: None)
    assert install(state_dir=tmp_path / "state") == 1
    assert "journalctl --user -u tokenpak" in capsys.readouterr().out


def test_a_running_service_with_a_new_description_says_when_it_counts(owner, tmp_path, capsys):
    install(state_dir=tmp_path / "state")
    assert module.OLD not in capsys.readouterr().out
    install(state_dir=tmp_path / "state", port=9001)
    assert module.OLD in capsys.readouterr().out


def test_without_a_manager_it_is_one_line(owner, tmp_path):
    owner.present = False
    with pytest.raises(CannotInstall, match="tokenpakctl start"):
        install(state_dir=tmp_path / "state")
