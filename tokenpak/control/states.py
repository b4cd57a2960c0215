"""The life of the service as a user sees it: five states, what leads from one to another, and how they are told apart.

Nobody keeps the state anywhere: it is what is found when somebody looks, so that it cannot be wrong after a crash. What is
drawn in docs/operations.md is this table.
"""

from enum import IntEnum, StrEnum
from typing import Literal, NamedTuple


class State(StrEnum):
    """As `tokenpakctl status` says it."""

    STARTING = "starting"  # somebody sees to it, and no front carries requests: connections wait
    READY = "ready"  # requests are carried, and nothing is missing
    DEGRADED = "degraded"  # requests are carried; something that is missing is bridged
    DRAINING = "draining"  # open requests end, and no new ones are taken
    STOPPED = "stopped"  # nothing runs


class Code(IntEnum):
    """Exit codes of `status`, by state; 3 is what service scripts agree on for a service that does not run."""

    READY = 0
    DEGRADED = 1
    STARTING = 2
    STOPPED = 3
    DRAINING = 4


class Seen(NamedTuple):
    """What was found. owned: a launcher lives. tree: what supervisord does, None where there is none.

    serving: a front carries requests. missing: anything that should be there is not.
    """

    owned: bool
    tree: Literal["running", "stopping"] | None
    serving: bool
    missing: bool


class Move(NamedTuple):
    """A way from one state to another, and what makes it so."""

    before: State
    after: State
    cause: str


MOVES = (
    Move(State.STOPPED, State.STARTING, "the service is started"),
    Move(State.STARTING, State.READY, "a front serves, and everything is up"),
    Move(State.STARTING, State.DEGRADED, "a front serves, and something is missing"),
    Move(State.READY, State.DEGRADED, "a worker, the writer or control is gone, or the store refuses"),
    Move(State.DEGRADED, State.READY, "what was missing is back"),
    Move(State.READY, State.STARTING, "the front or supervisord was killed"),
    Move(State.DEGRADED, State.STARTING, "the front or supervisord was killed"),
    Move(State.STARTING, State.DRAINING, "a stop is asked for"),
    Move(State.READY, State.DRAINING, "a stop is asked for"),
    Move(State.DEGRADED, State.DRAINING, "a stop is asked for"),
    Move(State.DRAINING, State.STOPPED, "the last request has ended, or the bound of the drain is reached"),
    Move(State.DRAINING, State.STARTING, "supervisord was killed meanwhile, and nobody had asked for a stop"),
)


def state_of(seen: Seen) -> State:
    """The state in which such a thing is found."""
    if seen.tree == "stopping":
        return State.DRAINING
    if seen.tree is None:
        return State.STARTING if seen.owned else State.STOPPED
    if not seen.serving:
        return State.STARTING
    return State.DEGRADED if seen.missing else State.READY
