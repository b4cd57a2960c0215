"""Options several commands share, and how they become settings."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tokenpak.config.paths import default_state_dir, paths_for
from tokenpak.config.settings import SETTINGS_VARIABLE, ConfigError, Settings, read_settings
from tokenpak.control.origin import Origin, origin_of

Switch = Annotated[bool, Parameter(negative="", show_default=False)]
"""An option without a value, off unless it is written."""
Repeated = Annotated[tuple[str, ...], Parameter(negative="", show_default=False, metavar="STR")]
"""An option that is written again for each value more: one value stands behind it, and `--help` must not show several."""


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
    return origin_of(config, os.environ, overrides)


def running_settings(state_dir: Path | None) -> Settings:
    """The settings the instance in `state_dir` was started with, or would be started with if it never was."""
    place = _place(state_dir)
    file = paths_for(place).settings_file
    if file.exists():
        return read_settings({SETTINGS_VARIABLE: str(file)})
    return wanted_settings(place, None, None, (), None)


def settings_anyway(state_dir: Path | None) -> Settings:
    """`running_settings`, or the defaults where the configuration cannot be used: who leaves or mends needs none."""
    try:
        return running_settings(state_dir)
    except ConfigError:
        return Settings(state_dir=str(paths_for(_place(state_dir)).state))


def _place(state_dir: Path | None) -> Path:
    return state_dir or Path(os.environ.get("TOKENPAK_STATE_DIR") or default_state_dir())


def _pair(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if not separator:
        raise ConfigError(f"--upstream {text!r}: write NAME=URL, such as anthropic=https://api.anthropic.com")
    return name, url
