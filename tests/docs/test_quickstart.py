"""docs/quickstart.md, typed by a test: every command, in order, in an empty home directory, against a real service.

Nothing is skipped. What a test cannot do as a reader would is in REPLACED, with what is done instead; the service manager
is a stand-in (stand_ins/systemctl.py), since the user's own must not be touched, and the provider is the embedded one.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.docs import pages
from tests.docs.shape import difference
from tests.journeys.service import Program
from tokenpak.services.tokens import find_vocabulary, search_path

PAGE = pages.read("quickstart.md")
STEPS = pages.steps(PAGE)
STAND_INS = Path(__file__).parent / "stand_ins"
READERS_HOME = "/home/you"
STEP_S = 120

REPLACED = {
    "pip install tokenpak": "the index: the environment of the tests has it, or gets the wheel of this checkout (long)",
    "tokenpak vocabulary fetch": "the network: run as it stands where the vocabulary is at hand, else only its help",
    "claude": "Claude Code and a key of somebody's: a stand-in sends a made-up session to where it is pointed",
    "tokenpak show 01a22155-537b": "the id: as much of the newest one that `tokenpak requests` has just listed",
    "pip uninstall tokenpak": "the question it asks: answered yes in the long form; the tests' environment keeps it",
}

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for the service manager is one for systemd")


class Ran(NamedTuple):
    code: int
    out: list[str]
    said: str


class Desk:
    """A new user at an empty home directory. programs: the directory that `pip install` puts commands into."""

    def __init__(self, place: Path, programs: Path, provider: str) -> None:
        self.home, self._place = place / "home", place
        self.programs, self.wheel = programs, None
        self.home.mkdir()
        stand_ins = place / "stand_ins"
        stand_ins.mkdir()
        for name in ("claude", "systemctl"):
            _executable(stand_ins / name, f'exec "{sys.executable}" "{STAND_INS / name}.py" "$@"')
        _executable(stand_ins / "loginctl", "echo no")
        kept = {name: value for name, value in os.environ.items() if name.startswith(("LANG", "LC_", "PIP_", "SSL_"))}
        vocabulary = find_vocabulary(search_path())
        self.has_vocabulary = vocabulary is not None
        self._environ = {
            **kept,
            **({"TIKTOKEN_CACHE_DIR": str(vocabulary.parent)} if vocabulary else {}),
            "HOME": str(self.home),
            "PATH": f"{stand_ins}:{programs}:/usr/bin:/bin",
            "STAND_IN_PLACE": str(place),
            "TOKENPAK_PORT": str(_free_port()),
            "TOKENPAK_UPSTREAM_ANTHROPIC": provider,
        }

    def type(self, command: str) -> Ran:
        words = (
            [str(self.programs / "python"), "-m", *command.split()] if command.startswith("pip ") else command.split()
        )
        shell = {"capture_output": True, "text": True, "timeout": STEP_S, "cwd": self._place}
        ran = subprocess.run(words, check=False, env=self._environ, **shell)
        out = ran.stdout.replace(str(self.home), READERS_HOME)
        return Ran(ran.returncode, out.splitlines(), ran.stdout + ran.stderr)

    def do(self, command: str) -> Ran:
        """A command of the page, as it stands or as REPLACED says."""
        match command:
            case "pip install tokenpak":
                return self.type(f"pip install -q {self.wheel}") if self.wheel else self.type("tokenpak --version")
            case "pip uninstall tokenpak":
                return self.type("pip uninstall -y tokenpak") if self.wheel else self.type("tokenpak --version")
            case "tokenpak vocabulary fetch" if not self.has_vocabulary:
                return self.type("tokenpak vocabulary fetch --help")
            case "tokenpak show 01a22155-537b":
                newest = self.type("tokenpak requests --limit 1").out[-1].split()[2]
                return self.type(f"tokenpak show {newest[: len('01a22155-537b')]}")
        return self.type(command)

    def leave(self) -> None:
        """End what a test that failed half-way has left."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME") == str(self.home):
                    process.kill()


def _executable(file: Path, line: str) -> None:
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o700)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def provider(tmp_path):
    program = Program("mock-provider", log=tmp_path / "provider.log")
    yield program
    program.stop()


@pytest.fixture
def desk(tmp_path, provider):
    made = []

    def sit_down(programs):
        made.append(Desk(tmp_path, programs, provider.url))
        return made[-1]

    yield sit_down
    for each in made:
        each.leave()


def follow(desk):
    """Type the page from top to bottom."""
    for command, shown in STEPS:
        ran = desk.do(command)
        assert ran.code == 0, f"$ {command}\nended with {ran.code}: {ran.said}"
        if shown is not None:
            differs = difference(shown, ran.out)
            assert not differs, f"$ {command}\nprints something else than the page shows:\n{differs}"
    left = [str(path) for path in desk.home.rglob("*") if not path.is_dir()]
    assert left == [], "the page says that nothing is left"


def test_every_command_is_run_as_it_stands_or_it_is_said_what_is_done_instead():
    typed = [step.command for step in STEPS]
    assert len(typed) > 10
    assert [each for each in REPLACED if each not in typed] == []
    assert [each for each in typed if each.split()[0] not in {"tokenpak", "tokenpakctl"} and each not in REPLACED] == []


@pytest.mark.parametrize("command", pages.commands(PAGE))
def test_every_command_is_one_of_ours(command):
    pages.parse(command)


@on_linux
def test_the_page_is_what_happens(desk):
    follow(desk(Path(sys.executable).parent))


@on_linux
@pytest.mark.long
def test_the_page_is_what_happens_from_the_built_wheel(desk, tmp_path):
    environment = tmp_path / "venv"
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(pages.ROOT)]
    subprocess.run(wheel, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, capture_output=True)
    user = desk(environment / "bin")
    (user.wheel,) = tmp_path.glob("tokenpak-*.whl")
    follow(user)
    assert shutil.which("tokenpak", path=str(environment / "bin")) is None
