"""`tokenpak serve`: the whole service in the foreground.

A stable interface: programs start TokenPak with it, read one JSON line, and stop it with SIGTERM. This half takes what
the instance needs (state directory, port, settings file, supervisord's configuration), then becomes the launcher, which
is the same process in a fraction of the memory.
"""

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from tokenpak.cli.options import Repeated, wanted_origin
from tokenpak.config.paths import Paths, prepare
from tokenpak.config.settings import SETTINGS_VARIABLE, Settings, write_settings
from tokenpak.control import stop_times
from tokenpak.control.instance import await_predecessor, keeps_reservation, lock_instance, reserve_port
from tokenpak.control.origin import Origin, write_origin
from tokenpak.control.slots import SLOTS
from tokenpak.control.supervisor import NotRunning, Supervisor, SupervisorFault
from tokenpak.control.templates import OPEN_FILES, supervisord_conf
from tokenpak.services.tokens import find_vocabulary, search_path


def serve(
    *,
    port: int | None = None,
    state_dir: Path | None = None,
    config: Path | None = None,
    upstream: Repeated = (),
    drain: float | None = None,
) -> NoReturn:
    """Run the whole service in the foreground.

    Prints one JSON line {"ready": true, "url": ..., "pid": ...} once it accepts traffic. SIGTERM or Ctrl-C drains and
    exits 0; a second one ends what is still open.

    Parameters
    ----------
    port
        Port on 127.0.0.1; 0 takes a free one. Default 8766.
    state_dir
        Directory for everything TokenPak keeps. Default: the user's state directory.
    config
        TOML file with settings. Default: config.toml in the user's configuration directory, if there is one.
    upstream
        NAME=URL: base URL of a provider (anthropic, openai, google, ollama, or a name of yours). Write the
        option again for another.
    drain
        Seconds that open requests may take to end after SIGTERM. Default 15.

    """
    _serve(wanted_origin(state_dir, config, port, upstream, drain))


def _serve(origin: Origin) -> NoReturn:
    """Take what the instance needs, write what its processes read, and become the launcher."""
    settings = origin.settings()
    paths = settings.paths
    os.umask(0o077)  # for every process of the tree
    prepare(paths)
    _tell_of_vocabulary(paths)
    with lock_instance(paths) as lock:
        patience_s = stop_times.service_s(settings.drain_s)
        await_predecessor(paths, patience_s, lambda: _dismiss(settings))
        with reserve_port(paths, settings.host, settings.port, patience_s) as reserved:
            settings = msgspec.structs.replace(settings, port=reserved.getsockname()[1])
            open_files = _raise_open_files()
            for slot in SLOTS:  # a word left by a front that was killed, whose pid may be anybody's by now
                paths.ready_file(slot).unlink(missing_ok=True)
            write_settings(settings)
            write_origin(
                paths, msgspec.structs.replace(origin, overrides={**origin.overrides, "state_dir": settings.state_dir})
            )
            paths.supervisor_conf.write_text(supervisord_conf(settings, sys.executable, open_files), encoding="utf-8")
            kept = (lock.fileno(), reserved.fileno()) if keeps_reservation() else (lock.fileno(),)
            _become_launcher(settings, kept)


def _tell_of_vocabulary(paths: Paths) -> None:
    """Without one everything runs, but fewer edits are sure to pay and every count is an estimate."""
    if find_vocabulary(search_path(paths.vocabulary)) is None:
        sys.stderr.write(
            "tokenpak: no tokenizer vocabulary found; tokens are estimated and fewer edits are made. "
            "`tokenpak vocabulary fetch` gets it, once\n"
        )


def _dismiss(settings: Settings) -> None:
    sys.stderr.write(f"tokenpak: waiting for an earlier instance in {settings.paths.state} to end\n")
    try:
        Supervisor(settings.paths).shutdown()
    except (NotRunning, SupervisorFault):  # it is going already
        return


def _raise_open_files() -> int:
    """Let this process and its children open enough files; returns how many, which supervisord is told."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def _become_launcher(settings: Settings, kept: Sequence[int]) -> NoReturn:
    """Replace this process. `kept` descriptors stay open; the launcher knows them by number."""
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    file = str(settings.paths.settings_file)
    command = (sys.executable, "-P", "-m", "tokenpak.processes.launcher", file, *(str(each) for each in kept))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, {**os.environ, SETTINGS_VARIABLE: file})  # noqa: S606 no shell is the point
