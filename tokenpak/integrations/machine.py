"""What an integration may see of this machine: a home directory, an environment, and programs on its PATH.

Both are handed in, so a test, an uninstallation and a shell with another HOME see what they mean to see.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec


class _Manifest(msgspec.Struct):
    name: str = ""
    version: str | None = None


class Machine(NamedTuple):
    """home: of the user whose clients are meant. environ: of the shell that asks. here: its working directory."""

    home: Path
    environ: Mapping[str, str]
    here: Path = Path("/")

    def directory(self, variable: str, default: str) -> Path:
        """The directory a variable names, as clients read it, or `default` below the home directory."""
        named = self.environ.get(variable, "").strip()
        return Path(named) if named else self.home / default

    def program(self, names: tuple[str, ...]) -> Path | None:
        """The first of `names` that is on PATH."""
        path = self.environ.get("PATH", "")
        found = (shutil.which(name, path=path) for name in names) if path else ()
        return next((Path(each) for each in found if each), None)

    def exported(self, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Variables of this shell that are set and not empty, with their values."""
        return tuple((name, self.environ[name]) for name in names if self.environ.get(name))


def package_version(program: Path | None, package: str) -> str | None:
    """The version in the package.json or the metadata beside an installed program; nothing is run for it."""
    if program is None or not package:
        return None
    real = program.resolve()
    for folder in real.parents:
        manifest = _manifest(folder / "package.json")
        if manifest is not None and manifest.name == package:
            return manifest.version
    return _installed_in(program.parent.parent, package) or _installed_in(real.parent.parent, package)


def _manifest(file: Path) -> _Manifest | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Manifest)
    except (OSError, msgspec.MsgspecError):
        return None


def _installed_in(prefix: Path, package: str) -> str | None:
    """Of a Python package in an environment, by the name of its metadata directory."""
    stem = package.replace("-", "_")
    found = sorted(prefix.glob(f"lib/python3*/site-packages/{stem}-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").removeprefix(f"{stem}-") if found else None
