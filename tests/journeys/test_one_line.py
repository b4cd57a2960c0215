"""`pip install tokenpak && tokenpak integrate claude-code --apply`, from the built wheel, in an empty home, where nothing
answers: the service is there afterwards, the client's own request gets its row, and the way back leaves nothing.
"""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.journeys.user_systemd import OWN_MANAGER, is_own, systemd_shell
from tests.provider_thread import serving
from tokenpak.mock_provider.app import Provider

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("one_line.py")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel in an environment of its own: where its commands are, and the seconds that `pip install` took."""
    place = tmp_path_factory.mktemp("one-line")

    def run(*words):
        subprocess.run(list(map(str, words)), check=True, capture_output=True, timeout=600, cwd=place)

    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, ROOT)
    (wheel,) = place.glob("tokenpak-*.whl")
    run(sys.executable, "-m", "venv", place / "venv")
    begun = time.monotonic()
    run(place / "venv" / "bin" / "python", "-m", "pip", "install", "-q", wheel)
    return place / "venv" / "bin", time.monotonic() - begun


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    made.mkdir()
    return made


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home, port, **more):
    """What a new user's shell has, and an upstream that is on this machine."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "LANG"))}
    return {**kept, "HOME": str(home), "TOKENPAK_PORT": str(port), **more}


def driven(bins, way, environ, shell=()):
    """What the driver saw; under the services of a manager of its own, where `shell` runs scripts for one."""
    words = [sys.executable, str(DRIVER), str(bins), way]
    if shell:
        words = [*shell, f"{OWN_MANAGER}\n{shlex.join(words)}\nsystemctl --user exit\n"]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=400, check=False, env=environ)
    if ran.returncode == 77:
        pytest.skip("no systemd --user can be had here")
    lines = [line for line in ran.stdout.splitlines() if line.startswith("{")]
    assert lines, ran.stdout + ran.stderr
    return json.loads(lines[-1])


def judge(told, port, capsys, how, install_s):
    assert told["before"] == []
    assert told["refused"]["code"] == 1
    assert "nothing serves" in told["refused"]["err"]
    assert told["after_refusal"] == []
    done = told["integrated"]
    assert done["code"] == 0, done
    assert ".claude/settings.json" in told["files"]
    assert f"serves at http://127.0.0.1:{port}" in done["out"]
    assert "settings.json" in done["out"]
    assert told["answer"] == {"url": f"http://127.0.0.1:{port}", "status": 200, "type": "message"}
    assert told["rows"] == [{"state": "done", "status": 200, "path": "/v1/messages"}]
    assert told["status"]["code"] == 0, told["status"]["out"]
    assert told["running"]
    assert told["uninstalled"]["code"] == 0, told["uninstalled"]
    assert told["after"] == []
    assert told["left"] == []
    with capsys.disabled():
        print(f"\none line, {how}: pip install {install_s:.1f} s, integrate --apply {done['s']:.1f} s")
        print(done["out"].rstrip())


def test_in_the_background_where_no_service_manager_answers(installed, home, capsys):
    bins, install_s = installed
    with serving(Provider(time.monotonic)) as provider:
        port = free_port()
        config = home.parent / "tokenpak.toml"
        config.write_text(f'[upstreams]\nanthropic = "{provider.url}"\n')
        environ = environment(home, port, TOKENPAK_CONFIG=str(config))
        told = driven(bins, "uninstall", environ)
        assert "in the background" in told["integrated"]["out"], told["integrated"]
        judge(told, port, capsys, "in the background", install_s)
        assert len(provider.provider.record.since(0)) == 1


def test_as_a_service_of_systemd(installed, home, capsys, tmp_path):
    bins, install_s = installed
    shell = systemd_shell()
    if not is_own(shell):
        pytest.skip("the services of this session stand in its own home, which is not empty")
    with serving(Provider(time.monotonic)) as provider:
        port = free_port()
        environ = environment(home, port, TOKENPAK_UPSTREAM_ANTHROPIC=provider.url, MANAGER_LOG=str(tmp_path / "log"))
        told = driven(bins, "undo", environ, shell)
        assert "installed as a service" in told["integrated"]["out"], told["integrated"]
        assert told["undone"]["code"] == 0
        judge(told, port, capsys, "as a service of systemd --user", install_s)
