import plistlib
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from string import Template

import pytest

from tokenpak.config.paths import PathError, prepare
from tokenpak.config.settings import load
from tokenpak.control import stop_times, templates
from tokenpak.control.templates import launchd_plist, supervisord_conf, systemd_unit

ROOT = Path(__file__).parents[2]
AWKWARD = ("/opt/my tokenpak/bin/tokenpak", "serve", "--upstream", 'x=http://h/a%20b$HOME&"\\<c>')


def settings(tmp_path, **overrides):
    return load(None, {}, {"state_dir": str(tmp_path), **overrides})


def parsed(text):
    parser = RawConfigParser(strict=True)
    parser.read_string(text)
    return parser


ODD = 'odd "q" 100% $HOME'


def read_by_supervisor(conf):
    """What supervisord itself makes of the file."""
    from supervisor.options import ServerOptions

    options = ServerOptions()
    options.realize(["-c", str(conf)])
    return options


def test_the_tree_as_supervisord_reads_it(tmp_path):
    chosen = settings(tmp_path, port=18765, workers=3, drain_s=7.5)
    prepare(chosen.paths)
    chosen.paths.supervisor_conf.write_text(supervisord_conf(chosen, sys.executable))
    options = read_by_supervisor(chosen.paths.supervisor_conf)
    groups = {group.name: group for group in options.process_group_configs}
    names = {name: [p.name for p in group.process_configs] for name, group in groups.items()}
    assert names == {
        "front": ["front_00", "front_01", "front_02"],
        "worker": ["worker_00", "worker_01", "worker_02"],
        "writer": ["writer"],
        "control": ["control"],
    }
    assert groups["front"].socket_config.url == "tcp://127.0.0.1:18765"
    assert sorted(groups, key=lambda name: -groups[name].priority) == ["front", "control", "worker", "writer"]
    for group in groups.values():
        for process in group.process_configs:
            assert process.startsecs == 0
            assert process.startretries > 10**8
            assert process.redirect_stderr
            assert process.stdout_logfile_maxbytes > 0
            assert process.stdout_logfile_backups > 0
            assert Path(process.stdout_logfile).parent == chosen.paths.logs
            assert process.environment["TOKENPAK_SETTINGS"] == str(chosen.paths.settings_file)
    front = groups["front"].process_configs[1]
    assert front.stopwaitsecs == stop_times.front_s(7.5) > 7.5
    assert front.exitcodes == [4]
    assert front.environment["TOKENPAK_SLOT"] == "1"


def test_a_deep_state_directory_has_its_sockets_elsewhere(tmp_path):
    chosen = settings(tmp_path / ("d" * 120))
    assert f"file={chosen.paths.sockets}/supervisor.sock" in supervisord_conf(chosen, "/usr/bin/python3")


@pytest.mark.parametrize("name", ["pl ain", "semi;colon", "ha # sh", "com,ma", "apo'strophe", "dol$lar", "üml"])
def test_odd_state_directories_work(tmp_path, name):
    chosen = settings(tmp_path / name)
    prepare(chosen.paths)
    chosen.paths.supervisor_conf.write_text(supervisord_conf(chosen, sys.executable))
    (first, *_) = read_by_supervisor(chosen.paths.supervisor_conf).process_group_configs
    assert Path(first.process_configs[0].stdout_logfile).parent == chosen.paths.logs
    assert first.process_configs[0].environment["TOKENPAK_SETTINGS"] == str(chosen.paths.settings_file)


@pytest.mark.parametrize("name", ["per%cent", 'quo"te', "new\nline"])
def test_a_state_directory_that_cannot_be_written_down_is_refused(tmp_path, name):
    with pytest.raises(PathError, match="--state-dir"):
        supervisord_conf(settings(tmp_path / name), sys.executable)


def test_an_odd_python_is_quoted_or_refused(tmp_path):
    conf = parsed(supervisord_conf(settings(tmp_path), "/my venv/100%/python"))
    assert conf["program:writer"]["command"].startswith("'/my venv/100%%/python' -P -m ")
    with pytest.raises(PathError):
        supervisord_conf(settings(tmp_path), "/a ;b/python")


def test_the_unit_outwaits_the_drain_and_comes_back_after_a_kill():
    unit = systemd_unit(["/usr/bin/tokenpak", "serve"], 15, Path("/home/me/state"))
    conf = RawConfigParser(comment_prefixes=("#",), delimiters=("=",))
    conf.optionxform = str
    conf.read_string(unit)
    service = conf["Service"]
    assert service["ExecStart"] == '"/usr/bin/tokenpak" "serve"'
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "on-failure"
    assert int(service["TimeoutStopSec"]) == stop_times.service_s(15) > stop_times.supervisord_s(15)
    assert conf["Install"]["WantedBy"] == "default.target"
    assert service["ReadWritePaths"] == '"-/home/me/state" /tmp'


def test_the_unit_asks_for_nothing_a_users_manager_cannot_give():
    """Each of these needs a capability; a unit of a user that has one does not start, with status 218."""
    keys = {line.partition("=")[0] for line in systemd_unit(["/x"], 1, Path("/s")).splitlines()}
    assert keys >= {"NoNewPrivileges", "ProtectSystem", "ProtectHome", "RestrictAddressFamilies", "Restart"}
    refused = {"CapabilityBoundingSet", "PrivateDevices", "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock"}
    refused |= {"ProtectKernelTunables"}  # fails in containers
    assert not keys & (refused | {"PrivateTmp", "User", "DynamicUser"})


def test_the_unit_quotes_what_it_may_write_to():
    (line,) = [row for row in systemd_unit(["/x"], 1, Path('/a b/"c"/100%/$HOME')).splitlines() if "ReadWrite" in row]
    assert line == 'ReadWritePaths="-/a b/\\"c\\"/100%%/$HOME" /tmp'


def test_the_unit_quotes_its_command():
    (line,) = [row for row in systemd_unit(AWKWARD, 1, Path("/s")).splitlines() if row.startswith("ExecStart=")]
    assert line == (
        'ExecStart="/opt/my tokenpak/bin/tokenpak" "serve" "--upstream" "x=http://h/a%%20b$$HOME&\\"\\\\<c>"'
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_finds_nothing_to_say_about_the_unit(tmp_path):
    """It exits 0 even for a misspelt key; only an empty standard error means that all is well."""
    unit = tmp_path / "tokenpak.service"
    unit.write_text(systemd_unit([sys.executable, "-m", "tokenpak.cli.main", "serve"], 15, tmp_path / ODD))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_plist_round_trips():
    agent = plistlib.loads(launchd_plist(AWKWARD, 15, Path("/x & y/serve.log")).encode())
    assert agent["Label"] == "ai.tokenpak"
    assert agent["ProgramArguments"] == list(AWKWARD)
    assert agent["RunAtLoad"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ExitTimeOut"] == stop_times.service_s(15)
    assert agent["Umask"] == 0o077
    assert agent["StandardErrorPath"] == "/x & y/serve.log"
    assert plistlib.loads(plistlib.dumps(agent)) == agent


@pytest.mark.parametrize("name", ["deploy/supervisord.conf", "systemd/tokenpak.service", "launchd/ai.tokenpak.plist"])
def test_the_wheel_carries_what_the_checkout_has(tmp_path, monkeypatch, name):
    carried = tmp_path / "_templates" / name
    carried.parent.mkdir(parents=True)
    carried.write_text("carried $x")
    assert isinstance(templates._template(name), Template)
    assert templates._template(name).template == (ROOT / name).read_text()
    monkeypatch.setattr(templates.resources, "files", lambda _package: tmp_path)
    assert templates._template(name).template == "carried $x"
    folder = name.partition("/")[0]
    assert f'"{folder}" = "tokenpak/_templates/{folder}"' in (ROOT / "pyproject.toml").read_text()
