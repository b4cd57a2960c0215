"""`tokenpak demo`: the whole service on a made-up or recorded session, with figures and proof."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tokenpak.cli.demonstration.client import ProviderGone
from tokenpak.cli.demonstration.replay import BadSession, Replay, made_up, recorded
from tokenpak.cli.demonstration.run import Result, demonstrate
from tokenpak.cli.demonstration.stage import StageError

FAILED = 1
INTERRUPTED = 130
WIDTH = 140
"""Columns the tables need. A narrower terminal breaks lines, a log has none to break: figures are never cut."""


def demo(*, sessions: Path | None = None) -> int:
    """Show the whole service at work and prove it.

    Starts it on free ports, sends an agent's work through it, and compares every byte. Needs no key and no network: the
    provider is a mock on this machine. Everything is stopped at the end.

    Parameters
    ----------
    sessions
        Directory of recorded sessions (*.json) to replay instead of the made-up ones.

    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        replays = made_up() if sessions is None else recorded(sessions)
        result = _run(replays)
    except (BadSession, ProviderGone, StageError) as error:
        sys.stderr.write(f"tokenpak: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("tokenpak: interrupted; everything was stopped\n")
        return INTERRUPTED
    return FAILED if result.faults else 0


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _run(replays: Sequence[Replay]) -> Result:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tokenpak.cli.demonstration.report import show
    from tokenpak.services.tokens import load_counter, search_path

    console = Console()
    console.width = max(WIDTH, console.width)
    console.print("Starting the service and the embedded provider …")
    counter = load_counter(search_path())
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("requests", total=sum(replay.turns for replay in replays))
        result = demonstrate(replays, counter, lambda name: progress.update(bar, advance=1, description=name))
    show(result, console)
    return result
