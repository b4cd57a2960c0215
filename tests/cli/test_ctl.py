import subprocess
import sys

import pytest

from tokenpak.cli.ctl import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_takes_a_state_directory(command):
    told = subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.ctl", command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "--state-dir" in told


def test_an_unknown_command_is_an_error():
    run = subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.ctl", "destroy"], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode != 0
    assert "destroy" in run.stdout + run.stderr
