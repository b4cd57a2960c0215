"""Slot 0 of the front: holds the listening socket, so that no crash of a serving slot closes it.

Run as a script, without the package and without site, by `slot`: a process that only holds a descriptor should cost
next to nothing. It never accepts. It leaves with supervisord, or the port would stay taken.
"""

import os
import sys
import time

PARENT_POLL_S = 0.25


def keep(parent: int) -> None:
    """Return once `parent` is no longer the parent."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)


if __name__ == "__main__":
    keep(int(sys.argv[1]))
