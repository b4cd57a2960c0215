"""The client's own cheapest call, made for real, and the row it left: the one proof that its requests come this way.

It costs what such a request costs, so it is made on request only. The client runs as it would for the user, with nothing of
its surroundings changed but the directory, which is empty.
"""

import subprocess
import tempfile
import time
from typing import NamedTuple

from tokenpak.config.paths import Paths
from tokenpak.integrations.integration import Integration
from tokenpak.integrations.machine import Machine
from tokenpak.integrations.verify import Verdict
from tokenpak.telemetry.queries import Filter, Reader, StoredRequest, StoreUnreadableError

CALL_S = 180.0
ROW_S = 15.0
POLL_S = 0.2
LOOKED_AT = 100


class Patience(NamedTuple):
    """Seconds for the client to end, and for its row to be stored then."""

    call_s: float = CALL_S
    row_s: float = ROW_S


PATIENT = Patience()


def call(integration: Integration, machine: Machine, paths: Paths, patience: Patience = PATIENT) -> Verdict:
    """Make the call and find its row."""
    name = integration.name
    if integration.probe is None:
        return Verdict(
            name,
            well=False,
            words="it has no command that could make a call; make one yourself, then `tokenpak requests`",
        )
    program = machine.program(integration.probe.words[:1])
    if program is None:
        return Verdict(name, well=False, words=f"{integration.probe.words[0]} is not on PATH, so no call was made")
    since = time.time_ns()
    ended = _run((str(program), *integration.probe.words[1:]), machine, patience.call_s)
    row = _awaited(integration, paths, since, patience.row_s)
    if row is None:
        return Verdict(name, well=False, words=f"{ended}, and none of its requests has come here")
    answered = "no answer" if row.status is None else f"status {row.status}"
    return Verdict(name, row.status == 200, f"{ended}; its request is {row.id} ({row.path}, {answered})")


def _run(words: tuple[str, ...], machine: Machine, seconds: float) -> str:
    """Its output may hold anything and is not shown."""
    with tempfile.TemporaryDirectory(prefix="tokenpak-verify-") as empty:
        try:
            done = subprocess.run(
                words,
                cwd=empty,
                env=dict(machine.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it did not end within {seconds:g} s"
        except OSError as error:
            return f"it could not be started ({error.strerror})"
    return "it was called" if done.returncode == 0 else f"it ended with {done.returncode}"


def _awaited(integration: Integration, paths: Paths, since_ns: int, seconds: float) -> StoredRequest | None:
    """The newest row of this client since the call, ended if it ends in time; asking for a WebSocket or for HEAD / is no call."""
    deadline = time.monotonic() + seconds
    while True:
        row = _row(integration, paths, since_ns)
        if (row is not None and row.state != "open") or time.monotonic() > deadline:
            return row
        time.sleep(POLL_S)


def _row(integration: Integration, paths: Paths, since_ns: int) -> StoredRequest | None:
    names = (*integration.profile.wire, *integration.profile.products)
    try:
        with Reader(paths.database) as reader:
            found = reader.newest(LOOKED_AT, which=Filter(since_ns=since_ns))
    except StoreUnreadableError:
        return None
    return next((row for row in found if row.client in names and row.method == "POST"), None)
