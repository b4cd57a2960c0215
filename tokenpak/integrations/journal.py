"""What was put into clients' files, kept so that it can be taken out again: one entry a client, written before its file.

An entry holds no text of the file but the base URLs that stood there and those put there, and hashes of the whole: enough
to tell which of its states a file is in, whatever was killed when.

    hash is `before`        the file was never changed, or is changed back
    hash is `after`         exactly what was written: the splices lead back to the byte
    hash is another         somebody else has written too: value by value (integrations/undo)
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tokenpak.config.paths import PathError, Paths, prepare
from tokenpak.integrations import files
from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.formats import FormatName
from tokenpak.integrations.setting import Change
from tokenpak.integrations.splices import Splice

VERSION = 1
_SUFFIX = ".json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One integration. file: behind every link. before, after: hashes of the file; empty: not known.

    existed: whether the file was there. directories: those that were made. splices: from the text before to the text
    after, both without a byte order mark. ours: every value that was ever put there. earlier: the entry this one replaces,
    which is the true one as long as the file has not been written.
    """

    client: str
    file: str
    format: FormatName
    existed: bool
    before: str
    after: str
    splices: tuple[Splice, ...]
    changes: tuple[Change, ...]
    ours: tuple[str, ...]
    directories: tuple[str, ...]
    earlier: "Entry | None" = None
    version: int = VERSION

    def holding(self, data: bytes) -> "Entry | None":
        """Whichever of this entry and the earlier one left the file exactly so."""
        found = files.digest(data)
        return next((each for each in (self, self.earlier) if each is not None and each.after == found), None)

    def is_before(self, data: bytes | None) -> bool:
        """Whether the file is as it was before TokenPak."""
        if data is None:
            return not self.existed
        return self.existed and self.before == files.digest(data)


class Broken(msgspec.Struct, frozen=True):
    """An entry that cannot be read, and what to do."""

    client: str
    words: str


@contextlib.contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Nobody else integrates or undoes meanwhile. Raises CannotIntegrate where the state directory cannot be used."""
    try:
        prepare(paths)
        paths.integrations.mkdir(mode=files.PRIVATE_DIRECTORY, exist_ok=True)
        handle = os.open(paths.integrations / "lock", os.O_RDWR | os.O_CREAT, files.PRIVATE_FILE)
    except (OSError, PathError) as error:
        raise CannotIntegrate(f"what is done cannot be kept in {paths.integrations}: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def entry_of(paths: Paths, client: str) -> Entry | None:
    """What was done to a client. Raises CannotIntegrate for an entry that cannot be read."""
    found = _read(paths.integrations / f"{client}{_SUFFIX}")
    if isinstance(found, Broken):
        raise CannotIntegrate(found.words)
    return found


def entries(paths: Paths) -> tuple[Entry | Broken, ...]:
    """Everything that was done, by client."""
    found = (_read(each) for each in sorted(paths.integrations.glob(f"[a-z]*{_SUFFIX}")))
    return tuple(each for each in found if each is not None)


def save(paths: Paths, entry: Entry) -> None:
    """Keep an entry, on the disk when this returns. Raises CannotIntegrate."""
    file = paths.integrations / f"{entry.client}{_SUFFIX}"
    files.replace(file, files.read(file), msgspec.json.encode(entry))


def forget(paths: Paths, client: str) -> None:
    """Drop an entry that has been undone."""
    (paths.integrations / f"{client}{_SUFFIX}").unlink(missing_ok=True)


def _read(file: Path) -> Entry | Broken | None:
    data = files.read(file)
    if data is None:
        return None
    try:
        entry = msgspec.json.decode(data, type=Entry)
    except msgspec.MsgspecError:
        return _broken(file)
    return entry if entry.version == VERSION else _broken(file)


def _broken(file: Path) -> Broken:
    return Broken(
        file.stem,
        f"{file} cannot be read by this version, so {file.stem} cannot be undone. Take TokenPak's base URL out of its "
        "settings by hand, then remove that file.",
    )
