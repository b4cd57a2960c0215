"""`tokenpak estimate`: past sessions of the user's own, replayed, and what would have been saved in them."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from tokenpak.cli import sheet
from tokenpak.cli.estimate import logs
from tokenpak.cli.estimate.logs import LogFile, NoLogs
from tokenpak.cli.options import Switch, wanted_settings
from tokenpak.cli.sheet import Sheet

if TYPE_CHECKING:
    from tokenpak.cli.estimate.told import Estimate

INTERRUPTED = 130
PIPED_WIDTH = 140
"""Columns of a report that goes into a file: figures are never cut there."""


def estimate(
    path: Path | None = None,
    /,
    *,
    since: str | None = None,
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    head: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    model: Annotated[str, Parameter(show_default=False)] = "",
    json: Switch = False,
    csv: Switch = False,
    html: Path | None = None,
    config: Path | None = None,
) -> int:
    """Replay past sessions and tell what would have been saved.

    Reads only; nothing is sent anywhere, and nothing needs to run.

    Parameters
    ----------
    path
        A log, or a folder of them: of Claude Code, of Codex, or recorded sessions (*.json). Default: the logs of Claude Code
        and Codex in your home.
    since
        Only requests since then: an age such as 30d, a time such as 2026-02-01, or all.
    limit
        Only so many files, the newest ones.
    head
        Tokens to take for system prompt and tools where nothing tells their size.
    model
        Model to take for sessions that name none.
    json
        Print everything as JSON; money in nano-dollars.
    csv
        Print a line a session as CSV.
    html
        Write a report with charts into this file.
    config
        TOML file with settings: rules of compression and prices of your own count here, too.

    """
    form, wanted = sheet.form(json, csv), Wanted(_moment(since), head, model)
    try:
        files = files_at(path, wanted.since, limit)
        told = _told(files, wanted, config)
    except NoLogs as error:
        raise SystemExit(f"tokenpak: {error}") from error
    except KeyboardInterrupt:
        sys.stderr.write("tokenpak: interrupted; nothing was written\n")
        return INTERRUPTED
    if html is not None:
        _write(html, told)
    if form == "text":
        _show(told)
    else:
        from tokenpak.cli.estimate.told import Session

        sheet.put(Sheet("", told, told.sessions, Session), form)
    return 0


class Wanted(NamedTuple):
    """since: seconds since the epoch. head, model: as given."""

    since: float
    head: int
    model: str


def _moment(since: str | None) -> float:
    return 0.0 if since is None else sheet.asked(since, time.time_ns()).since_ns / sheet.NANO


def files_at(path: Path | None, since: float, limit: int | None) -> list[LogFile]:
    """The logs to be read. Raises NoLogs."""
    if path is not None and not path.exists():
        raise NoLogs(f"{path} is not there")
    places = [path] if path is not None else logs.homes(Path.home(), os.environ)
    files = [log for log in logs.found(place for place in places if place.exists()) if log.written >= since]
    if not files:
        where = ", ".join(map(str, places))
        raise NoLogs(f"no logs of Claude Code or Codex and no recorded sessions in {where}; name a folder")
    return files[-limit:] if limit else files


def _told(files: list[LogFile], wanted: "Wanted", config: Path | None) -> "Estimate":
    from tokenpak.cli.estimate.run import Plan, run
    from tokenpak.cli.estimate.told import Basis, estimate
    from tokenpak.config.prices import load
    from tokenpak.services.tokens import ESTIMATE, O200K, find_vocabulary, search_path

    settings = wanted_settings(None, config, None, (), None)
    search = search_path(settings.paths.vocabulary)
    table = load(settings.paths, settings.prices, datetime.now().astimezone().date().isoformat()).table
    plan = Plan(files, search, table, settings.rules, settings.terms, wanted.model, wanted.head, wanted.since)
    with _progress(sum(log.size for log in files)) as advance:
        rows, counts = run(plan, advance)
    counter = O200K.name if find_vocabulary(search) else ESTIMATE
    return estimate(rows, counts, Basis(counter, table.id, wanted.head, wanted.model))


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal. size: bytes of logs."""
    if not sys.stderr.isatty():
        yield lambda _bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("replaying", total=size)
        yield lambda done: progress.advance(bar, done)


def _show(told: "Estimate") -> None:
    from rich.console import Console

    from tokenpak.cli.estimate.report import show

    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    show(told, console)


def _write(file: Path, told: "Estimate") -> None:
    """Put the page into a file. Exits with a message where that cannot be done."""
    from tokenpak.cli.estimate.html import page

    try:
        file.write_text(page(told), encoding="utf-8", errors="replace")
    except OSError as error:
        raise SystemExit(f"tokenpak: cannot write {file}: {error.strerror}") from error
    sys.stderr.write(f"The report is in {file}\n")
