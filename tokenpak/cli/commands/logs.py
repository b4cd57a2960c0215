"""`tokenpakctl logs`: what the processes wrote, and what they write."""

import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from tokenpak.cli.options import running_settings
from tokenpak.control.logs import Follower, last_lines, log_files

POLL_S = 0.25


def logs(
    program: str | None = None,
    /,
    *,
    follow: Annotated[bool, Parameter(alias="-f", negative="", show_default=False)] = False,
    lines: Annotated[int, Parameter(alias="-n", validator=validators.Number(gte=0))] = 20,
    state_dir: Path | None = None,
) -> int:
    """Show a program's log, or follow it.

    Or the logs of all. They hold no text of any request.

    Parameters
    ----------
    program
        front, worker, writer, control, supervisord, or one process such as worker_01. Default: all.
    follow
        Go on showing what is added, until Ctrl-C.
    lines
        How many lines of each log to begin with.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    paths = running_settings(state_dir).paths
    files = log_files(paths, program)
    if not (follow or any(file.exists() for file in files.values())):
        sys.stderr.write(f"tokenpak: there are no logs in {paths.logs} yet; `tokenpakctl start` begins them\n")
        return 0
    width = max(len(name) for name in files) if len(files) > 1 else 0
    follower = Follower(files) if follow else None  # before the end is shown, so that nothing falls between
    for name, file in files.items():
        _show([(name, line) for line in last_lines(file, lines)], width)
    try:
        while follower is not None:
            _show(follower.new_lines(), width)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        pass
    finally:
        if follower is not None:
            follower.close()
    return 0


def _show(lines: list[tuple[str, str]], width: int) -> None:
    for name, line in lines:
        sys.stdout.write(f"{name:{width}} | {line}\n" if width else f"{line}\n")
    sys.stdout.flush()
