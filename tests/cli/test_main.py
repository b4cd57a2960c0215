import importlib
import os
import subprocess
import sys

import pytest

from tokenpak import __version__
from tokenpak.cli import ctl, main

HEAVY = {"trio", "httpx", "httpcore", "hypercorn", "sqlmodel", "sqlalchemy", "zmq", "tiktoken", "rich", "structlog"}


def modules_after(module, *arguments, state):
    """The modules a command has imported when it ends, and its exit code."""
    code = (
        f"import sys\nfrom tokenpak.cli.{module} import main\nsys.argv[0] = 'x'\n"
        "try:\n    main()\n    code = 0\nexcept SystemExit as end:\n    code = end.code\n"
        "print('\\n' + ' '.join(sys.modules), file=sys.stderr)\nsys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "TOKENPAK_STATE_DIR": str(state)},
    )
    return run, set(run.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["main", "ctl"])
@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_comes_before_any_import(tmp_path, module, flag):
    run, loaded = modules_after(module, flag, state=tmp_path)
    name = "tokenpak" if module == "main" else "tokenpakctl"
    assert run.stdout == f"{name} {__version__}\n"
    assert run.returncode == 0
    assert not loaded & (HEAVY | {"cyclopts", "msgspec", "pathlib"})


def test_status_stays_quick(tmp_path):
    run, loaded = modules_after("ctl", "status", state=tmp_path)
    assert run.returncode == 3
    assert "stopped" in run.stdout
    assert not loaded & (HEAVY - {"rich"} | {"tokenpak.cli.pages"})


@pytest.mark.parametrize("command", ["stop", "logs"])
def test_the_other_commands_of_control_too(tmp_path, command):
    run, loaded = modules_after("ctl", command, state=tmp_path)
    assert run.returncode == 0
    assert not loaded & (HEAVY - {"rich"})


@pytest.mark.parametrize("target", sorted(c.target for c in (*main.COMMANDS.values(), *ctl.COMMANDS.values())))
def test_every_command_exists(target):
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_commands_of_the_stable_interface():
    assert set(main.COMMANDS) >= {"serve", "compress", "expand", "mock-provider", "verify-meaning", "vocabulary"}
    assert {"integrate", "estimate", "savings", "show"} <= set(main.COMMANDS)
    life = {"install", "uninstall", "start", "stop", "restart", "reload", "status", "logs", "doctor"}
    assert set(ctl.COMMANDS) == life
