"""Take in a changed configuration while requests go on.

Read and checked first: a mistake changes nothing. Then the outcome is put where processes read it, and the front goes
first, blue/green, because it alone can still say no: if its new slot does not come up the old settings are put back, and
nothing else has been touched. What supervisord was told at the start (the port, how many processes, how long a stop may
take) cannot change below it, so those keep their values and are named.
"""

from typing import NamedTuple

import msgspec

from tokenpak.config.settings import Settings, write_settings
from tokenpak.control.origin import read_origin
from tokenpak.control.restart import READY_S, RestartFailed, Tell, restart

AT_START = ("state_dir", "host", "port", "workers", "drain_s")
"""Settings that stand in supervisord's configuration, or that the launcher holds."""


class Reloading(NamedTuple):
    """settings: what the tree would run with. changed: names of what differs. waiting: those that need a new start."""

    settings: Settings
    changed: tuple[str, ...]
    waiting: tuple[str, ...]


def read_again(running: Settings) -> Reloading:
    """The configuration as it stands now. Raises ConfigError, and then nothing has changed."""
    origin = read_origin(running.paths)
    wanted = origin.settings()
    if wanted.port == 0:  # it took a free one, and goes on with that
        wanted = msgspec.structs.replace(wanted, port=running.port)
    waiting = tuple(name for name in AT_START if getattr(wanted, name) != getattr(running, name))
    kept = {name: getattr(running, name) for name in AT_START}
    settings = msgspec.structs.replace(wanted, **kept)
    names = Settings.__struct_fields__
    changed = tuple(name for name in names if getattr(settings, name) != getattr(running, name))
    return Reloading(settings, changed, waiting)


def reload(running: Settings, wanted: Reloading, tell: Tell, ready_s: float = READY_S) -> None:
    """Let the tree run with `wanted`. Raises RestartFailed, NotRunning and TakeoverUnderWay, the old settings in force."""
    write_settings(wanted.settings)
    try:
        restart(wanted.settings, "front", tell, ready_s)
    except BaseException:  # Ctrl-C included: no process of the new settings serves
        write_settings(running)
        raise
    for group in ("writer", "worker", "control"):
        try:
            restart(wanted.settings, group, tell, ready_s)
        except RestartFailed as error:
            tell(str(error))  # the front serves with the new settings already, and bridges what is missing
