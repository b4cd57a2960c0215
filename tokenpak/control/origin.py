"""Where an instance's settings came from, kept for the next reading of them.

The outcome of all settings is what the processes read (config/settings). To read the configuration again one must also
know which file it was, and what the shell said that started the service; a command that asks for the reading has another
shell. So `serve` writes that down beside the outcome. It holds nothing the outcome does not hold.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tokenpak.config import whole_file
from tokenpak.config.paths import Paths
from tokenpak.config.settings import PREFIX, SETTINGS_VARIABLE, ConfigError, Settings, load


class Origin(msgspec.Struct, frozen=True):
    """config: the file. environ: variables of ours. overrides: arguments of `serve`, by the name of their setting."""

    config: str | None
    environ: dict[str, str]
    overrides: dict[str, Any]

    def settings(self) -> Settings:
        """What it comes to now. Raises ConfigError, with the file and the key."""
        return load(None if self.config is None else Path(self.config), self.environ, self.overrides)


def origin_of(config: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Origin:
    """The origin of settings that are loaded here and now."""
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name != SETTINGS_VARIABLE}
    file = None if config is None else os.path.abspath(config)  # noqa: PTH100 links are the user's choice
    return Origin(file, ours, dict(overrides))


def write_origin(paths: Paths, origin: Origin) -> None:
    """Keep it, readable by the user alone."""
    whole_file.put(_file(paths), msgspec.json.encode(origin))


def read_origin(paths: Paths) -> Origin:
    """What was kept. Raises ConfigError where there is nothing."""
    try:
        return msgspec.json.decode(_file(paths).read_bytes(), type=Origin)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{_file(paths)} cannot be read, so nobody knows where the settings came from. "
            "`tokenpakctl stop` and `tokenpakctl start` read them anew."
        ) from error


def _file(paths: Paths) -> Path:
    return paths.run / "origin.json"
