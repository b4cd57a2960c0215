"""`tokenpakctl restart`: new processes for old, without refusing a request."""

import sys
from pathlib import Path

from tokenpak.cli.options import running_settings
from tokenpak.control.restart import restart


def restart_command(program: str | None = None, /, *, state_dir: Path | None = None) -> int:
    """Restart a program, or all; the front without a refused connection.

    One after the other, while requests go on. The front is restarted blue/green: its other slot starts, becomes ready,
    and only then the serving one drains. When the new one does not come up, the old one serves on. A new version that
    was installed meanwhile is what starts. The configuration is read by `tokenpakctl reload`, not here.

    Parameters
    ----------
    program
        front, worker, writer, control, or one process such as worker_01. Default: all.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    restart(running_settings(state_dir), program, _tell)
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"tokenpak: {text}\n")
    sys.stdout.flush()
