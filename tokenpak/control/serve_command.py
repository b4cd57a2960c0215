"""The command line that serves with given settings, for whoever starts `tokenpak serve` without the user's shell.

A service manager has none of the variables that a shell has, and later none of the options somebody once gave. What the
configuration file says is left to it, so that an edit of the file still counts at the next start; what came from
elsewhere is written down as options. A setting that has no option cannot be carried, and is named instead of lost.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tokenpak.config.paths import default_config_file
from tokenpak.config.settings import CONFIG_VARIABLE, PREFIX, SETTINGS_VARIABLE, UPSTREAM_PREFIX, Settings, load

CARRIED = {"state_dir": "--state-dir", "port": "--port", "drain_s": "--drain"}
"""Settings with an option of `serve` that holds one value."""


class ServeCommand(NamedTuple):
    """arguments: of `serve`. left_out: variables that change settings here and that no option can carry."""

    arguments: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The whole command: this interpreter by its absolute path, and never a module of the current directory."""
        return (sys.executable, "-P", "-m", "tokenpak.cli.main", "serve", *self.arguments)


def serve_command(settings: Settings, config: Path | None, environ: Mapping[str, str]) -> ServeCommand:
    """How to serve with `settings`, read from `config` and more. Raises ConfigError where the file cannot be read."""
    written = load(config, {}, {"state_dir": settings.state_dir})
    arguments = [f"--config={os.path.abspath(config)}"] if config else []  # noqa: PTH100 links are the user's choice
    for name, option in CARRIED.items():
        value = getattr(settings, name)
        if name == "state_dir" or value != getattr(written, name):
            arguments.append(f"{option}={value}")
    for name, url in settings.upstreams.items():
        if written.upstreams.get(name) != url:
            arguments.append(f"--upstream={name}={url}")
    return ServeCommand(tuple(arguments), _left_out(settings, written, environ))


def default_place() -> Path:
    """Where a configuration file counts without being named, whether or not there is one."""
    return default_config_file()


def config_file(environ: Mapping[str, str]) -> Path | None:
    """The configuration file that counts where none is given as an option; None where there is none."""
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    default = default_place()
    return default if default.exists() else None


def _left_out(settings: Settings, written: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    ours = {
        f"{PREFIX}{name.upper()}": name
        for name in settings.__struct_fields__
        if name not in CARRIED and getattr(settings, name) != getattr(written, name)
    }
    return tuple(
        name
        for name in sorted(environ)
        if name in ours and name != SETTINGS_VARIABLE and not name.startswith(UPSTREAM_PREFIX) and environ[name]
    )
