"""`tokenpakctl start`: a detached `tokenpak serve`."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Annotated

from cyclopts import Parameter

from tokenpak.cli.options import running_settings, wanted_settings
from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times
from tokenpak.control.instance import instance_pid

BOOT_S = 60.0
"""Beyond the time a draining predecessor may take."""

END_S = 10.0
"""What a `serve` that did not become ready gets to end."""


def start(
    *,
    port: int | None = None,
    state_dir: Path | None = None,
    config: Path | None = None,
    upstream: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    drain: float | None = None,
) -> int:
    """Start TokenPak in the background and wait until it accepts traffic.

    Takes the options of `tokenpak serve`. Does nothing when it runs already.

    Parameters
    ----------
    port
        Port on 127.0.0.1; 0 takes a free one. Default 8766.
    state_dir
        Directory for everything TokenPak keeps. Default: the user's state directory.
    config
        TOML file with settings. Default: config.toml in the user's configuration directory, if there is one.
    upstream
        NAME=URL: base URL of a provider. May be repeated.
    drain
        Seconds that open requests may take to end after a stop. Default 15.

    """
    settings = wanted_settings(state_dir, config, port, upstream, drain)
    paths = settings.paths
    prepare(paths)
    running = instance_pid(paths)
    if running is not None:
        _tell(f"already running at {running_settings(paths.state).url} (pid {running})")
        return 0
    given = {"--port": port, "--state-dir": paths.state, "--config": config, "--drain": drain}
    arguments = [f"{option}={value}" for option, value in given.items() if value is not None]
    arguments += [f"--upstream={each}" for each in upstream]
    return _start(settings, arguments)


def _start(settings: Settings, arguments: list[str]) -> int:
    log = settings.paths.logs / "serve.log"
    line = _started(arguments, log, stop_times.service_s(settings.drain_s) + BOOT_S)
    if line is None:
        _tell(f"did not start; see {log}")
        return 1
    _tell(f"serving at {line['url']} (pid {line['pid']})")
    return 0


def _started(arguments: list[str], log: Path, patience_s: float) -> dict[str, object] | None:
    """Run `serve` on its own, its words going to `log`; the ready line, or None when it ended or took too long."""
    command = [sys.executable, "-P", "-m", "tokenpak.cli.main", "serve", *arguments]
    with log.open("a", encoding="utf-8") as words:
        begun = words.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words, start_new_session=True
        )
    assert process.stdout is not None  # noqa: S101 asked for above
    with process.stdout as output:
        text = _line_within(output, patience_s)
    if text:
        process.returncode = 0  # it is left running on purpose: there is nothing to wait for
        return dict(json.loads(text))
    sys.stderr.write(log.read_text(encoding="utf-8", errors="replace")[begun:])
    _end(process)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _line_within(output: IO[bytes], patience_s: float) -> bytes:
    """One line, or what came of it before the end of output or of patience."""
    deadline = time.monotonic() + patience_s
    text = b""
    while not text.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if select.select([output], [], [], left)[0]:
            piece = os.read(output.fileno(), 4096)
            if not piece:
                return b""
            text += piece
    return text if text.endswith(b"\n") else b""


def _tell(text: str) -> None:
    sys.stdout.write(f"tokenpak: {text}\n")
