import json
import socket

import pytest

from tokenpak.cli.commands import doctor as module
from tokenpak.cli.commands.doctor import doctor
from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings, load, write_settings
from tokenpak.control.doctor.finding import Finding

NOTE = Finding("service", "note", "not as it could be", "do this")


@pytest.fixture
def found(monkeypatch):
    """What the checks find."""
    findings = []
    monkeypatch.setattr(module, "_findings", lambda _settings: list(findings))
    monkeypatch.setattr(module, "look_at_providers", lambda _settings: [Finding("provider", "wrong", "gone", "look")])
    return findings


def test_nothing_is_wrong(found, tmp_path, capsys):
    assert doctor(state_dir=tmp_path) == 0
    assert capsys.readouterr().out == "tokenpak: nothing is wrong\n"


def test_notes_are_no_failure_and_wrongs_are(found, tmp_path, capsys):
    found.append(NOTE)
    assert doctor(state_dir=tmp_path) == 0
    found.append(Finding("port", "wrong", "taken", "stop it"))
    assert doctor(state_dir=tmp_path) == 1
    assert capsys.readouterr().out.endswith(
        "note   service: not as it could be\n       do this\nWRONG  port: taken\n       stop it\n"
    )


def test_only_fix_mends_and_only_what_can_be_mended(found, tmp_path, capsys):
    done = []
    found += [Finding("mode", "wrong", "open", "chmod", lambda: done.append("shut")), NOTE]
    assert doctor(state_dir=tmp_path) == 1
    assert done == []
    assert doctor(state_dir=tmp_path, fix=True) == 0
    assert done == ["shut"]
    assert "mended mode: open" in capsys.readouterr().out


def test_what_cannot_be_mended_after_all_stays_wrong(found, tmp_path, capsys):
    def refuse():
        raise PermissionError

    found.append(Finding("mode", "wrong", "open", "chmod 600 x", refuse))
    assert doctor(state_dir=tmp_path, fix=True) == 1
    assert "chmod 600 x" in capsys.readouterr().out


def test_providers_are_asked_on_request_alone(found, tmp_path, capsys):
    assert doctor(state_dir=tmp_path, json=True) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert doctor(state_dir=tmp_path, json=True, providers=True) == 1
    assert json.loads(capsys.readouterr().out) == [
        {"about": "provider", "weight": "wrong", "what": "gone", "remedy": "look", "mended": False}
    ]


def test_every_room_is_looked_into(tmp_path, monkeypatch, capsys):
    for name in ("look_at_service", "look_at_clients", "look_at_places", "look_at_variables"):
        monkeypatch.setattr(module, name, lambda *_given, name=name: [Finding(name, "note", "w", "r")])
    doctor(state_dir=tmp_path, json=True)
    assert [each["about"] for each in json.loads(capsys.readouterr().out)] == [
        "look_at_service",
        "look_at_clients",
        "look_at_places",
        "look_at_variables",
    ]


@pytest.mark.parametrize("ran", [False, True])
def test_a_configuration_that_cannot_be_used_is_a_finding_beside_the_others(tmp_path, monkeypatch, capsys, ran):
    """Before anything ran the defaults are looked at, after a stop the last settings."""
    config = tmp_path / "c.toml"
    config.write_text("colour = 1\n")
    monkeypatch.setenv("TOKENPAK_CONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    if ran:
        settings = load(None, {}, {"state_dir": str(tmp_path / "state"), "port": 1})
        prepare(settings.paths)
        write_settings(settings)
    assert doctor(state_dir=tmp_path / "state") == 1
    out = capsys.readouterr().out
    assert f"WRONG  configuration: TokenPak would not start: {config}: unknown key 'colour'" in out
    assert f" port: {'nothing serves at http://127.0.0.1:1' if ran else ''}" in out


def test_a_client_that_calls_a_dead_port_is_found(tmp_path, monkeypatch):
    for name in ("CLAUDE_CONFIG_DIR", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        written = tmp_path / ".claude" / "settings.json"
        written.parent.mkdir()
        written.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": url}}))
        settings = Settings(state_dir=str(tmp_path), port=server.getsockname()[1])
        assert module.look_at_clients(settings) == []
    (finding,) = module.look_at_clients(settings)
    assert finding.weight == "wrong"
    assert f"claude-code calls {url}" in finding.what
    assert "integrate claude-code --undo" in finding.remedy
