"""supervisord, by a clock that nobody can set.

supervisord measures its patience by the wall clock: set an hour forward while a front drains, by a time server or by a
machine that wakes up, it kills the front at once, and with it every stream that was to come to its end. So its modules get
a time that starts as the wall clock's and goes on as the monotonic one does. They use differences of it alone; the log
keeps the wall clock.
"""

import time
from types import SimpleNamespace

import supervisor.process
import supervisor.rpcinterface
import supervisor.supervisord

_AHEAD_S = time.time() - time.monotonic()


def main() -> None:
    """Run supervisord with the arguments of the command line."""
    steady = SimpleNamespace(**{**vars(time), "time": _now})
    for module in (supervisor.process, supervisor.rpcinterface, supervisor.supervisord):
        module.time = steady
    supervisor.supervisord.main()


def _now() -> float:
    return _AHEAD_S + time.monotonic()


if __name__ == "__main__":
    main()
