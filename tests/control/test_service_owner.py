import plistlib
import sys
from pathlib import Path

import pytest

from tokenpak.config.settings import load
from tokenpak.control import service_owner as module
from tokenpak.control.serve_command import serve_command
from tokenpak.control.service_owner import Launchd, OwnerRefused, Ran, Systemd, other_than_ours, owner_here, run


class Manager:
    """Answers the commands of a service manager from a table of beginnings, and keeps what it was asked."""

    def __init__(self, **answers):
        self.asked, self.answers = [], answers

    def __call__(self, command, timeout_s):
        self.asked.append(" ".join(command))
        for word, answer in self.answers.items():
            if word.replace("_", "-") in command:
                return answer
        return Ran(0, "")


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, {"state_dir": str(tmp_path / "state")})


def test_the_unit_stands_where_systemd_looks(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert owner_here({}, tmp_path).file == tmp_path / ".config/systemd/user/tokenpak.service"
    assert owner_here({"XDG_CONFIG_HOME": "/c"}, tmp_path).file == Path("/c/systemd/user/tokenpak.service")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert owner_here({}, tmp_path).file == tmp_path / "Library/LaunchAgents/ai.tokenpak.plist"


def test_systemd_is_told_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _name: "/bin/systemctl")
    manager = Manager()
    owner = Systemd(tmp_path, manager)
    assert owner.answers()
    owner.enable()
    owner.start()
    owner.disable(30)
    owner.forget()
    assert [asked.removeprefix("systemctl --user ") for asked in manager.asked] == [
        "show-environment",
        "daemon-reload",
        "enable tokenpak.service",
        "start tokenpak.service",
        "disable --now tokenpak.service",
        "daemon-reload",
        "reset-failed tokenpak.service",
    ]


def test_systemd_that_is_missing_or_has_no_bus_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    assert not Systemd(tmp_path, Manager()).answers()
    monkeypatch.setattr(module.shutil, "which", lambda _name: "/bin/systemctl")
    assert not Systemd(tmp_path, Manager(show_environment=Ran(1, "Failed to connect to bus"))).answers()


@pytest.mark.parametrize(
    ("active", "sub", "runs", "failing"),
    [
        ("active", "running", True, False),
        ("activating", "auto-restart", True, True),
        ("failed", "failed", False, True),
        ("inactive", "dead", False, False),
    ],
)
def test_what_systemd_says_of_the_service(tmp_path, active, sub, runs, failing):
    states = {"--property=ActiveState": Ran(0, active), "--property=SubState": Ran(0, sub)}
    owner = Systemd(tmp_path, lambda command, _s: next(states[word] for word in command if word in states))
    assert (owner.runs(), owner.failing()) == (runs, failing)


def test_a_refusal_is_told_in_the_managers_words(tmp_path):
    with pytest.raises(OwnerRefused, match=r"start tokenpak\.service: Unit is masked"):
        Systemd(tmp_path, Manager(start=Ran(1, "Unit is masked"))).start()
    with pytest.raises(OwnerRefused, match=r"launchctl bootstrap .*: Input/output error"):
        Launchd(tmp_path, Manager(bootstrap=Ran(5, "Input/output error"))).enable()


def test_enabled_is_what_systemd_calls_so(tmp_path):
    assert Systemd(tmp_path, Manager(is_enabled=Ran(0, "enabled"))).enabled()
    assert not Systemd(tmp_path, Manager(is_enabled=Ran(1, "disabled"))).enabled()


def test_launchd_unloads_the_old_agent_before_the_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "getuid", lambda: 501)
    loaded = Manager()
    Launchd(tmp_path, loaded).enable()
    words = [asked.removeprefix("launchctl ") for asked in loaded.asked if " print " not in asked]
    assert words == [
        "bootout gui/501/ai.tokenpak",
        "enable gui/501/ai.tokenpak",
        f"bootstrap gui/501 {tmp_path}/Library/LaunchAgents/ai.tokenpak.plist",
    ]


def test_launchd_without_a_desktop_uses_the_users_own_domain(tmp_path, monkeypatch):
    monkeypatch.setattr(module.os, "getuid", lambda: 501)
    desktop = {"gui/501": Ran(113, "Could not find domain"), "gui/501/ai.tokenpak": Ran(113, "")}
    owner = Launchd(tmp_path, lambda command, _s: desktop.get(command[-1], Ran(0, "state = running")))
    assert owner.answers()
    assert owner.runs()
    assert "user/501/ai.tokenpak" in owner.log_hint()
    assert not Launchd(tmp_path, lambda _c, _s: Ran(1, "")).answers()


def test_both_describe_the_same_command(settings, tmp_path):
    command = serve_command(settings, None, {})
    unit = Systemd(tmp_path, run).describe(settings, command)
    assert f'"--state-dir={settings.paths.state}"' in unit
    assert f'"-{settings.paths.state}" /tmp' in unit
    agent = plistlib.loads(Launchd(tmp_path, run).describe(settings, command).encode())
    assert agent["ProgramArguments"] == list(command.words)
    for text in (unit, Launchd(tmp_path, run).describe(settings, command)):
        file = tmp_path / "file"
        file.write_text(text)
        assert not other_than_ours(file)


def test_a_file_is_theirs_when_it_runs_something_else(tmp_path):
    file = tmp_path / "tokenpak.service"
    assert not other_than_ours(file)
    file.write_bytes(b"ExecStart=/theirs \xff")
    assert other_than_ours(file)


def test_a_program_that_is_missing_or_hangs_is_an_answer():
    assert run(["/no/such/program"], 1).code == -1
    assert run(["sleep", "5"], 0.1).code == -1
    assert run(["sh", "-c", "echo out; echo err >&2; exit 3"], 10) == Ran(3, "out\nerr")
