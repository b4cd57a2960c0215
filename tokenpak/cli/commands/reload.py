"""`tokenpakctl reload`: the configuration read again, while requests go on."""

import sys
from pathlib import Path

from tokenpak.cli.options import running_settings
from tokenpak.config.settings import ConfigError
from tokenpak.control.reload import read_again
from tokenpak.control.reload import reload as reload_tree
from tokenpak.control.supervisor import Supervisor


def reload(*, state_dir: Path | None = None) -> int:
    """Read the configuration again, without refusing a request.

    Every process runs with it then, the front first. A mistake in it is told with its file and key, and nothing
    changes. The port, the number of workers and the bound of the drain are taken in by `tokenpakctl stop` and
    `tokenpakctl start` alone.

    Parameters
    ----------
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    running = running_settings(state_dir)
    Supervisor(running.paths).pid()  # nobody there is another matter than a mistake in the file
    try:
        wanted = read_again(running)
    except ConfigError as error:
        raise ConfigError(f"{error} Nothing was changed.") from error
    for name in wanted.waiting:
        _tell(f"{name} changes with `tokenpakctl stop` and `tokenpakctl start`, not before")
    if not wanted.changed:
        _tell("nothing else has changed" if wanted.waiting else "nothing has changed")
        return 0
    _tell(f"changed: {', '.join(wanted.changed)}")
    reload_tree(running, wanted, _tell)
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"tokenpak: {text}\n")
    sys.stdout.flush()
