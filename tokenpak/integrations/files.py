"""Files of clients: read whole, replaced whole, never left half written.

A file is replaced by a new one under its name, in one step, so a kill at any moment leaves the old text or the new one. That
is also the danger: a new file forgets what the old one was. Its mode and owner are carried over; a link is followed and
stays a link; what cannot be carried over (a second name of the same file) and what somebody has locked is refused.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from tokenpak.integrations.errors import CannotIntegrate, Unreadable

BOM = b"\xef\xbb\xbf"
PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700
_WRITABLE = 0o222


def read(file: Path) -> bytes | None:
    """The bytes of a file; None where there is none. Raises CannotIntegrate."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotIntegrate(f"{file} cannot be read: {error.strerror}") from error


def decoded(data: bytes | None) -> str:
    """The text of a file without its byte order mark. Raises Unreadable."""
    try:
        return (data or b"").removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error


def encoded(text: str, like: bytes | None) -> bytes:
    """The bytes of a text, with a byte order mark where `like` has one."""
    return (BOM if (like or b"").startswith(BOM) else b"") + text.encode()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def real(file: Path) -> Path:
    """Where a file is in truth, behind every link, whether it is there or not."""
    return Path(os.path.realpath(file))


def missing_directories(file: Path) -> tuple[Path, ...]:
    """The directories that must be made for `file`, the outermost first."""
    return tuple(reversed([each for each in file.parents if not each.exists()]))


def refuse_unwritable(file: Path) -> None:
    """Raises CannotIntegrate for a file that may not, or should not, be replaced; `file` is behind every link."""
    if file.exists():
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CannotIntegrate(f"{file} is not a file")
        if found.st_nlink > 1:
            raise CannotIntegrate(
                f"{file} is one of {found.st_nlink} names of the same file, and replacing it would part them. "
                "Make it a file of its own, or a symbolic link, and do this again."
            )
        if not found.st_mode & _WRITABLE or not os.access(file, os.W_OK):
            raise CannotIntegrate(f"{file} is read-only. {_unlock(file)}")
    directory = next(each for each in file.parents if each.exists())
    if not directory.stat().st_mode & _WRITABLE or not os.access(directory, os.W_OK):
        raise CannotIntegrate(f"nothing can be written into {directory}, it is read-only. {_unlock(directory)}")


def replace(file: Path, expected: bytes | None, data: bytes) -> None:
    """Let `file` hold `data`, if it still holds `expected` (None: is not there). Raises CannotIntegrate.

    Directories are made as needed, private to the user, and so is a file that was not there.
    """
    refuse_unwritable(file)
    try:
        for directory in missing_directories(file):
            directory.mkdir(mode=PRIVATE_DIRECTORY)
        temporary = _written_beside(file, data)
        try:
            if read(file) != expected:
                raise CannotIntegrate(f"{file} was changed by somebody else at this very moment. Do it again.")
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(file.parent)
    except OSError as error:
        raise CannotIntegrate(f"{file} cannot be written: {error.strerror}") from error


def remove(file: Path, expected: bytes, directories: Iterable[Path]) -> None:
    """Remove a file that still holds `expected`, and those of `directories` that are empty then. Raises CannotIntegrate."""
    refuse_unwritable(file)
    if read(file) != expected:
        raise CannotIntegrate(f"{file} was changed by somebody else at this very moment. Do it again.")
    try:
        file.unlink()
    except OSError as error:
        raise CannotIntegrate(f"{file} cannot be removed: {error.strerror}") from error
    remove_empty(directories)


def remove_empty(directories: Iterable[Path]) -> None:
    """Remove those directories that hold nothing, the innermost first; the others stay."""
    for directory in sorted(directories, key=lambda each: -len(each.parts)):
        with contextlib.suppress(OSError):
            directory.rmdir()


def sweep(file: Path) -> None:
    """Remove what a kill has left beside `file`."""
    with contextlib.suppress(OSError):
        _beside(file).unlink()


def sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(file: Path) -> Path:
    """One name, so that what a kill leaves is found again: it is a copy of settings and may hold their secrets."""
    return file.with_name(f".{file.name}.tokenpak-new")


def _written_beside(file: Path, data: bytes) -> Path:
    temporary = _beside(file)
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with open(handle, "wb") as stream:  # noqa: PTH123 a descriptor, not a path
        stream.write(data)
        stream.flush()
        with contextlib.suppress(FileNotFoundError):
            _look_like(handle, file.stat())
        os.fsync(handle)
    return temporary


def _look_like(handle: int, found: os.stat_result) -> None:
    if (found.st_uid, found.st_gid) != (os.getuid(), os.getgid()):
        with contextlib.suppress(PermissionError):  # a group of others cannot be given; the mode still can
            os.fchown(handle, found.st_uid, found.st_gid)
    os.fchmod(handle, stat.S_IMODE(found.st_mode))


def _unlock(path: Path) -> str:
    return f"`chmod u+w {path}` and do this again; where another program keeps it, set the base URL there."
