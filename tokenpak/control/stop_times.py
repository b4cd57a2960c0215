"""How long each part of the tree may take to stop, in seconds, so that every owner outwaits what it owns.

drain bound < front < the whole of supervisord (its groups stop one after the other) < serve < systemd or launchd.
"""

import math

CONTROL_S = 5
WORKER_S = 5
WRITER_S = 15
FRONT_MARGIN_S = 5
OWNER_MARGIN_S = 5


def front_s(drain_s: float) -> int:
    """What supervisord gives a front slot before it kills it: the drain, its end, and the records of its last rows."""
    return math.ceil(drain_s) + FRONT_MARGIN_S


def supervisord_s(drain_s: float) -> int:
    """What the launcher gives supervisord, whose groups stop in sequence."""
    return front_s(drain_s) + CONTROL_S + WORKER_S + WRITER_S + OWNER_MARGIN_S


def service_s(drain_s: float) -> int:
    """What systemd and launchd give the launcher."""
    return supervisord_s(drain_s) + OWNER_MARGIN_S
