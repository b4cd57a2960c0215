"""The program supervisord runs: starts the process it is told to, in the order every process starts.

Read the settings, back off after crashes, take the name, and only then import the rest: a broken installation must not
spin, and two processes of one name must not open one socket.

The front has three slots, because only processes of one `fcgi-program` share its listening socket: slot 0 becomes the
keeper, the slot that is called serves, the other leaves at once.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn, cast

from tokenpak.config.settings import ConfigError, Settings, read_settings
from tokenpak.control.claims import claim, claim_beside
from tokenpak.control.slots import KEEPER_SLOT, is_called
from tokenpak.processes.lifecycle import SLOT_VARIABLE, SUPERVISOR_VARIABLE, Exit, back_off

KEEPER = Path(__file__).with_name("keeper.py")

PROGRAMS = ("front", "worker", "writer", "control")


def main(program: str) -> int:
    """Run `program` until it ends; returns its exit code."""
    slot = os.environ.get(SLOT_VARIABLE, "")
    if program == "front" and slot == str(KEEPER_SLOT):
        become_keeper()
    try:
        settings = read_settings(os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return Exit.BAD_SETTINGS
    if program == "front" and not is_called(settings.paths, int(slot)):
        return Exit.STANDBY
    _take_place(settings, program, f"{program}_{int(slot):02d}" if slot else program)
    module = importlib.import_module(f"tokenpak.processes.{program}")
    return cast("int | None", module.main()) or Exit.DONE


def become_keeper() -> None:
    """Replace this process by the smallest one that can hold a descriptor."""
    parent = os.environ.get(SUPERVISOR_VARIABLE) or str(os.getppid())
    os.execv(sys.executable, (sys.executable, "-I", "-S", str(KEEPER), parent))  # noqa: S606 no shell is the point


def _take_place(settings: Settings, program: str, name: str) -> None:
    back_off(settings.paths, name)
    if program == "front":
        claim_beside(settings.paths, name)
    else:
        claim(settings.paths, name)


def leave(code: int) -> NoReturn:
    """End at once. Taking an interpreter with a large heap apart costs a tenth of a second, at each stage of a stop."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1]))
