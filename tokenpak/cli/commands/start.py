"""`tokenpakctl start`: the installed service, or a detached `tokenpak serve`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenpak.cli.options import Repeated, running_settings, wanted_settings
from tokenpak.config.paths import prepare
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times
from tokenpak.control.background import BOOT_S, DidNotStart, start_detached
from tokenpak.control.ensure import await_instance
from tokenpak.control.install import is_installed
from tokenpak.control.instance import instance_pid
from tokenpak.control.serve_command import ServeCommand
from tokenpak.control.service_owner import Owner, owner_here


def start(
    *,
    port: int | None = None,
    state_dir: Path | None = None,
    config: Path | None = None,
    upstream: Repeated = (),
    drain: float | None = None,
) -> int:
    """Start TokenPak in the background.

    Waits until it accepts traffic. Takes the options of `tokenpak serve`. Does nothing when it runs already; if it
    runs with another setting than an option asks for, it says so and fails. Without options, what `tokenpakctl install` has
    installed is started as the service it is.

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
        options = {"port": port, "upstreams": upstream or None, "drain_s": drain}
        return _stay(settings, running, config, [name for name, value in options.items() if value is not None])
    if (port, config, upstream, drain) == (None, None, (), None) and (owner := _service(settings)) is not None:
        return _start_service(settings, owner)
    given = {"--port": port, "--state-dir": paths.state, "--config": config, "--drain": drain}
    arguments = [f"{option}={value}" for option, value in given.items() if value is not None]
    arguments += [f"--upstream={each}" for each in upstream]
    return _start(settings, arguments)


def _stay(wanted: Settings, pid: int, config: Path | None, given: Sequence[str]) -> int:
    """What runs goes on; a failure where something else was asked for. given: settings named by options."""
    running = running_settings(wanted.paths.state)
    asked = running.__struct_fields__ if config else given
    other = [
        name for name in asked if getattr(wanted, name) != getattr(running, name) and (name, wanted.port) != ("port", 0)
    ]
    _tell(f"already running at {running.url} (pid {pid})")
    if not other:
        return 0
    _tell(f"it runs with another {', '.join(other)} than asked for; `tokenpakctl stop` first, then start it so")
    return 1


def _service(settings: Settings) -> Owner | None:
    """The service manager that has this instance as a service, if one does and answers."""
    owner = owner_here(os.environ, Path.home())
    return owner if is_installed(owner, settings) and owner.answers() else None


def _start_service(settings: Settings, owner: Owner) -> int:
    owner.start()
    serving = await_instance(settings, owner.failing)
    if serving is None:
        _tell(f"the service was started and does not serve; its words: {owner.log_hint()}")
        return 1
    _tell(f"serving at {serving.url} ({owner.name})")
    return 0


def _start(settings: Settings, arguments: list[str]) -> int:
    log = settings.paths.logs / "serve.log"
    try:
        serving = start_detached(
            ServeCommand(tuple(arguments), ()).words, log, stop_times.service_s(settings.drain_s) + BOOT_S
        )
    except DidNotStart as error:
        sys.stderr.write(str(error))
        _tell(f"did not start; see {log}")
        return 1
    _tell(f"serving at {serving.url} (pid {serving.pid})")
    return 0


def _tell(text: str) -> None:
    sys.stdout.write(f"tokenpak: {text}\n")
