import pytest

from tests.control.owners import FakeOwner
from tokenpak.config.paths import prepare
from tokenpak.config.settings import load
from tokenpak.control import install as module
from tokenpak.control.install import CannotInstall, carry_out, plan_install, remove_service
from tokenpak.control.instance import lock_instance
from tokenpak.control.service_owner import OwnerRefused


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, {"state_dir": str(tmp_path / "state")})


@pytest.fixture
def owner(tmp_path):
    return FakeOwner(tmp_path / "config" / "systemd" / "user" / "tokenpak.service")


@pytest.fixture(autouse=True)
def linger(monkeypatch):
    monkeypatch.setattr(module, "_lingers", lambda: True)


def test_a_plan_writes_nothing(settings, owner, tmp_path):
    plan = plan_install(settings, None, {}, owner)
    assert (plan.change, plan.notes) == ("new", ())
    assert "tokenpak.cli.main serve" in plan.text
    assert list(tmp_path.iterdir()) == []
    assert owner.calls == []


def test_it_is_written_enabled_and_started(settings, owner):
    assert carry_out(plan_install(settings, None, {}, owner), settings)
    assert owner.calls == ["enable", "start"]
    assert "tokenpak.cli.main" in owner.file.read_text()
    assert list(owner.file.parent.iterdir()) == [owner.file]
    assert settings.paths.logs.is_dir()


def test_once_more_changes_nothing_and_a_new_text_is_taken_in(settings, owner):
    carry_out(plan_install(settings, None, {}, owner), settings)
    again = plan_install(settings, None, {}, owner)
    assert again.change == "unchanged"
    carry_out(again, settings)
    assert owner.calls == ["enable", "start", "start"]
    owner.file.write_text("an older tokenpak.cli.main")
    newer = plan_install(settings, None, {}, owner)
    assert newer.change == "updated"
    carry_out(newer, settings)
    assert owner.calls[3:] == ["enable", "start"]
    assert owner.file.read_text() == newer.text


def test_a_file_that_runs_something_else_stays_and_is_named(settings, owner):
    owner.file.parent.mkdir(parents=True)
    owner.file.write_text("[Service]\nExecStart=/theirs\n")
    with pytest.raises(CannotInstall, match=str(owner.file)):
        plan_install(settings, None, {}, owner)
    assert not remove_service(owner, 1)
    assert owner.file.read_text() == "[Service]\nExecStart=/theirs\n"


def test_without_a_manager_nothing_is_written(settings, owner, tmp_path):
    owner.present = False
    with pytest.raises(CannotInstall, match="tokenpakctl start"):
        carry_out(plan_install(settings, None, {}, owner), settings)
    assert list(tmp_path.iterdir()) == []


def test_a_service_needs_a_port_of_its_own(tmp_path, owner):
    with pytest.raises(CannotInstall, match="port"):
        plan_install(load(None, {}, {"state_dir": str(tmp_path), "port": 0}), None, {}, owner)


def test_what_runs_already_is_not_fought_over(settings, owner):
    prepare(settings.paths)
    with lock_instance(settings.paths):
        plan = plan_install(settings, None, {}, owner)
        assert "tokenpakctl stop" in plan.notes[0]
        assert not carry_out(plan, settings)
        assert owner.calls == ["enable"]
        owner.is_running = True
        assert plan_install(settings, None, {}, owner).notes == ()


def test_it_says_what_the_service_will_not_know_and_what_a_logout_does(tmp_path, owner, monkeypatch):
    monkeypatch.setattr(module, "_lingers", lambda: False)
    environ = {"TOKENPAK_LEVEL": "off"}
    wanted = load(None, environ, {"state_dir": str(tmp_path)})
    notes = plan_install(wanted, None, environ, owner).notes
    assert "TOKENPAK_LEVEL" in notes[0]
    assert "loginctl enable-linger" in notes[1]


def test_removing_stops_before_it_deletes(settings, owner):
    carry_out(plan_install(settings, None, {}, owner), settings)
    assert remove_service(owner, 1)
    assert owner.calls[-2:] == ["disable", "forget"]
    assert not owner.file.exists()
    assert not remove_service(owner, 1)


def test_no_empty_directory_of_the_home_is_left(settings, owner, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    owner.file = tmp_path / ".config" / "systemd" / "user" / "tokenpak.service"
    carry_out(plan_install(settings, None, {}, owner), settings)
    assert remove_service(owner, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_service_that_cannot_be_stopped_keeps_its_file(settings, owner):
    carry_out(plan_install(settings, None, {}, owner), settings)
    owner.refuses = "disable"
    with pytest.raises(OwnerRefused):
        remove_service(owner, 1)
    assert owner.file.exists()


def test_a_manager_that_is_not_there_cannot_stop_anything_and_its_file_goes(settings, owner):
    carry_out(plan_install(settings, None, {}, owner), settings)
    owner.present, owner.calls = False, []
    assert remove_service(owner, 1)
    assert owner.calls == ["forget"]
    assert not owner.file.exists()
