"""Files that are replaced whole: whoever reads one finds the old contents or the new, never a part, whatever crashes when."""

import os
from pathlib import Path


def put(target: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` in the place of what `target` holds, in one step; for the user alone unless `mode` says otherwise.

    Raises OSError; the old contents then stand, and nothing is left beside them.
    """
    scratch = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # one that a crash left, or an umask, may have others
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        scratch.replace(target)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
