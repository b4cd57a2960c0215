"""INTEGRATIONS: point clients at this instance, one file a client, and give every byte back.

`undo_all` and `configured` are what a life cycle needs of it: an uninstallation, and a doctor who looks for clients that call
a port nobody serves.
"""

from collections.abc import Mapping
from pathlib import Path

from tokenpak.config.paths import Paths
from tokenpak.integrations.outcome import Outcome
from tokenpak.integrations.overview import Configured, configured
from tokenpak.integrations.undo import undo_every

__all__ = ["Configured", "Outcome", "configured", "undo_all"]


def undo_all(paths: Paths, home: Path, environ: Mapping[str, str]) -> tuple[Outcome, ...]:
    """Undo every integration that the journal of `paths` knows, each for itself; nothing raises.

    The journal names the files, so `home` and `environ` are those of whoever asks and choose nothing.
    """
    del home, environ
    return undo_every(paths)
