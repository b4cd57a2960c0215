"""supervisord's unix socket, without its protocol.

supervisord sleeps in poll for up to a second, and Python resumes the poll when a signal arrives: a SIGTERM, the exit of
a child or the first start of a group may wait that long, several times in a row. A connection wakes it at once.
"""

import socket
import stat
from pathlib import Path

TIMEOUT_S = 1.0


def nudge(path: Path) -> bool:
    """Connect to the unix socket `path` and leave again. Returns whether anybody listens; supervisord wakes from it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(str(path))
        except OSError:  # missing, refused, or a backlog that is full: it is not there, or already awake
            return False
        return True


def unheard(directory: Path) -> list[Path]:
    """The unix sockets in a directory that nobody listens on. Raises OSError."""
    return [path for path in directory.iterdir() if stat.S_ISSOCK(path.lstat().st_mode) and not nudge(path)]
