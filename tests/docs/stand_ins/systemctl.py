"""In the place of `systemctl --user`: one unit, run as its file says, and what there is to know of it kept in a directory.

The machine that runs the tests may have a service of its user's by the same name, which no test may touch; so the real one
has its own journey, in namespaces (tests/journeys/test_install.py). Here it is started, known and stopped, and no more.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(os.environ["STAND_IN_PLACE"])
PID, ENABLED = HERE / "unit.pid", HERE / "unit.enabled"
STOP_S = 60


def command():
    """What the unit runs. Its file is written for systemd, whose quoting a shell's parser reads as well."""
    unit = Path.home() / ".config" / "systemd" / "user" / "tokenpak.service"
    (line,) = (line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


def alive():
    """The main process's number, while it lives."""
    try:
        pid = int(PID.read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state == "Z" else pid


def start():
    if alive() is None:
        with (HERE / "unit.log").open("ab") as words:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": words, "stderr": words}
            PID.write_text(str(subprocess.Popen(command(), start_new_session=True, **quiet).pid))


def disable():
    ENABLED.unlink(missing_ok=True)
    deadline = time.monotonic() + STOP_S
    if (pid := alive()) is not None:
        os.kill(pid, signal.SIGTERM)
    while alive() is not None:
        if time.monotonic() > deadline:
            sys.exit("the unit does not end")
        time.sleep(0.05)


def show(what):
    active = alive() is not None
    return {"ActiveState": "active" if active else "inactive", "SubState": "running" if active else "dead"}[what]


def main():
    match sys.argv[1:]:
        case ["--user", "show-environment" | "daemon-reload" | "reset-failed", *_]:
            pass
        case ["--user", "enable", "tokenpak.service"]:
            ENABLED.touch()
        case ["--user", "is-enabled", "tokenpak.service"]:
            sys.stdout.write("enabled\n" if ENABLED.exists() else "disabled\n")
        case ["--user", "start", "tokenpak.service"]:
            start()
        case ["--user", "disable", "--now", "tokenpak.service"]:
            disable()
        case ["--user", "show", "--value", what, "tokenpak.service"]:
            sys.stdout.write(f"{show(what.removeprefix('--property='))}\n")
        case other:
            sys.exit(f"the stand-in for systemctl does not know {other}")


if __name__ == "__main__":
    main()
