"""A random key that belongs to this installation: made when it is first needed, kept in a file of the user alone.

What is hashed under it tells nothing to whoever has not got it. Where it cannot be kept, one is made for this process.
"""

import contextlib
import os
from pathlib import Path

KEY_BYTES = 32


def own_key(file: Path) -> tuple[bytes, bool]:
    """The key in this file, made when there is none, and whether it is kept. Two slots that start at once agree on one."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            known = file.read_bytes()
            if len(known) == KEY_BYTES:
                return known, True
        try:
            _make(file)
        except FileExistsError:
            continue  # the other slot was quicker
        except OSError:
            break
    return os.urandom(KEY_BYTES), False


def _make(file: Path) -> None:
    """A new key, whole from the moment it has its name. Raises FileExistsError, OSError."""
    scratch = file.with_name(f"{file.name}.{os.getpid()}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(os.urandom(KEY_BYTES))
            out.flush()
            os.fsync(out.fileno())
        os.link(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)
