"""Options several commands share, and how they become settings."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tokenpak.config.paths import default_state_dir, paths_for
from tokenpak.config.settings import SETTINGS_VARIABLE, ConfigError, Settings, read_settings
from tokenpak.control.origin import Origin, origin_of
from tokenpak.control.serve_command import config_file

Switch = Annotated[bool, Parameter(negative="", show_default=False)]
"""An option without a value, off unless it is written."""
Repeated = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
"""An option that may be written several times."""


def wanted_settings(
    state_dir: Path | None,
    config: Path | None,
    port: int | None,
    upstream: Sequence[str],
    drain: float | None,
) -> Settings:
    """The settings of an instance to be started. Raises ConfigError."""
    return wanted_origin(state_dir, config, port, upstream, drain).settings()


def wanted_origin(
    state_dir: Path | None,
    config: Path | None,
    port: int | None,
    upstream: Sequence[str],
    drain: float | None,
) -> Origin:
    """Where the settings of an instance to be started come from. Raises ConfigError."""
    given = {
        "state_dir": None if state_dir is None else str(state_dir),
        "port": port,
        "drain_s": drain,
        "upstreams": dict(_pair(each) for each in upstream) or None,
    }
    overrides = {key: value for key, value in given.items() if value is not None}
    return origin_of(config or config_file(os.environ), os.environ, overrides)


def running_settings(state_dir: Path | None) -> Settings:
    """The settings the instance in `state_dir` was started with, or would be started with if it never was."""
    place = state_dir or Path(os.environ.get("TOKENPAK_STATE_DIR") or default_state_dir())
    file = paths_for(place).settings_file
    if file.exists():
        return read_settings({SETTINGS_VARIABLE: str(file)})
    return wanted_settings(place, None, None, (), None)


def _pair(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if not separator:
        raise ConfigError(f"--upstream {text!r}: write NAME=URL, such as anthropic=https://api.anthropic.com")
    return name, url
