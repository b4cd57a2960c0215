"""Where an instance's settings came from, kept for the next reading of them.

The outcome of all settings is what the processes read (config/settings). To read the configuration again one must also
know which file it was, and what the shell said that started the service; a command that asks for the reading has another
shell. So `serve` writes that down beside the outcome. It holds nothing the outcome does not hold.

Where no file was named, the one in the default place counts as soon as somebody writes it, and no more once it is gone. So
the place is kept, and whether a file stands there is asked at each reading.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tokenpak.config import whole_file
from tokenpak.config.paths import Paths
from tokenpak.config.settings import CONFIG_VARIABLE, PREFIX, SETTINGS_VARIABLE, ConfigError, Settings, load
from tokenpak.control.serve_command import default_place


class Origin(msgspec.Struct, frozen=True):
    """config: the file that was named, by an option or a variable. environ: variables of ours. overrides: arguments of
    `serve`, by the name of their setting. place: where a file counts if none was named; empty: where it is by default.
    """

    config: str | None
    environ: dict[str, str]
    overrides: dict[str, Any]
    place: str = ""

    @property
    def file(self) -> Path | None:
        """The file that counts now; None where none was named and none is in its place."""
        if self.config is not None:
            return Path(self.config)
        place = Path(self.place) if self.place else default_place()
        return place if place.exists() else None

    def settings(self) -> Settings:
        """What it comes to now. Raises ConfigError, with the file and the key."""
        return load(self.file, self.environ, self.overrides)


def origin_of(config: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Origin:
    """The origin of settings that are loaded here and now. config: a file named by an option."""
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name != SETTINGS_VARIABLE}
    named = config or environ.get(CONFIG_VARIABLE) or None
    file = None if named is None else os.path.abspath(named)  # noqa: PTH100 links are the user's choice
    return Origin(file, ours, dict(overrides), str(default_place()))


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
