"""`tokenpak serve` without a terminal: started, waited for until it accepts traffic, and left running.

It is nobody's child afterwards: nothing brings it back after a reboot. Where the machine has a service manager for users,
`service_owner` is the better way.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

BOOT_S = 60.0
"""Beyond the time a draining predecessor may take."""

END_S = 10.0
"""What a `serve` that did not become ready gets to end."""


class Serving(NamedTuple):
    """What `serve` says of itself once it accepts traffic."""

    url: str
    pid: int


class DidNotStart(Exception):  # noqa: N818 named by what is the case
    """It ended, or was not ready in time; the message is what it said."""


def start_detached(command: Sequence[str], log: Path, patience_s: float) -> Serving:
    """Run `serve` on its own, its words going to `log`. Raises DidNotStart, and then nothing of it is left running."""
    private = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(private, "a", encoding="utf-8") as words:
        begun = words.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words, start_new_session=True
        )
    assert process.stdout is not None  # noqa: S101 asked for above
    with process.stdout as output:
        text = _line_within(output, patience_s)
    if not text:
        _end(process)
        raise DidNotStart(log.read_bytes()[begun:].decode(errors="replace"))
    process.returncode = 0  # it is left running on purpose: there is nothing to wait for
    line = json.loads(text)
    return Serving(line["url"], line["pid"])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _line_within(output: IO[bytes], patience_s: float) -> bytes:
    """One line; nothing when output or patience ended before it did."""
    deadline = time.monotonic() + patience_s
    text = b""
    while not text.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if select.select([output], [], [], left)[0]:
            piece = os.read(output.fileno(), 4096)
            if not piece:
                return b""
            text += piece
    return text if text.endswith(b"\n") else b""
