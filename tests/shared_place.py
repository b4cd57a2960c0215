"""Where the recorded sessions and exchanges lie, that many tests also run on; none of them depends on it."""

import os
from pathlib import Path

DEFAULT = Path(__file__).parent.parent.parent / "shared"


def shared() -> Path | None:
    """The directory TOKENPAK_SHARED names, else `shared` beside the repository; None if it is not there."""
    place = Path(os.environ.get("TOKENPAK_SHARED") or DEFAULT)
    return place if place.is_dir() else None
