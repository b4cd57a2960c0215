"""`tokenpak statusline`: one line for the status line of an agent, from the store alone.

It is started several times a minute, so it reads its few options itself and imports neither the command line's parser nor
anything to draw with (`telemetry.glance`). It never fails for what the store holds: an agent would show the error for ever.
A word that is no option is an error beside the line, never in it.
"""

import contextlib
import json
import os
import select
import sys
from pathlib import Path

from tokenpak.cli.application import NOT_UNDERSTOOD
from tokenpak.cli.render import amount
from tokenpak.config.paths import default_state_dir, paths_for
from tokenpak.telemetry.glance import Figures, NoFigures, glance, last_midnight_s

MOST_BYTES = 1 << 20
PATIENCE_S = 0.2
"""How long whoever calls may take to say something on standard input."""
FORMS = ("--json", "--csv")
PLACE = "--state-dir"
USAGE = """Usage: tokenpak statusline [--json | --csv] [--state-dir DIR]

Print one line for an agent's status line: this session and today. Reads what Claude Code says on standard input
(session_id), if it says anything. In Claude Code's settings:

  "statusLine": {"type": "command", "command": "tokenpak statusline"}
"""


def main(arguments: list[str]) -> int:
    """The command, with its own arguments alone."""
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(USAGE)
        return 0
    if unknown := _unknown(arguments):
        sys.stderr.write(f"tokenpak: not understood: {unknown}. `tokenpak statusline --help` says what is.\n")
        return NOT_UNDERSTOOD
    place = _option(arguments, PLACE) or os.environ.get("TOKENPAK_STATE_DIR") or default_state_dir()
    session = _session()
    try:
        of_session, today = glance(str(paths_for(Path(place)).database), session, last_midnight_s())
    except NoFigures as why:
        sys.stdout.write(json.dumps({"trouble": str(why)}) + "\n" if "--json" in arguments else f"tokenpak: {why}\n")
        return 0
    sys.stdout.write(_shown(of_session, today, arguments) + "\n")
    return 0


def statusline() -> int:
    """Print one line for an agent's status line."""
    return main(sys.argv[2:])


def _shown(session: Figures | None, today: Figures, arguments: list[str]) -> str:
    told = {"session": session, "today": today}
    if "--json" in arguments:
        return json.dumps({name: figures and figures._asdict() for name, figures in told.items()})
    if "--csv" in arguments:
        rows = [[name, *("" if v is None else str(v) for v in figures)] for name, figures in told.items() if figures]
        return "\n".join(",".join(row) for row in [["of", *Figures._fields], *rows])
    parts = [_words(name, figures) for name, figures in told.items() if figures]
    return "tokenpak: " + " | ".join(parts)


def _words(name: str, figures: Figures) -> str:
    parts = [
        name if figures.nanos is None else f"{name} {_dollars(figures.nanos)}",
        amount(figures.requests, "request"),
    ]
    if figures.unpriced:
        parts.append(f"{figures.unpriced:,} without a cost")
    if figures.tokens and figures.read is not None:
        parts.append(f"{figures.read / figures.tokens:.0%} of input from cache")
    if figures.saved_nanos is not None:
        spread = "" if figures.spread_nanos is None else f" ± {_dollars(figures.spread_nanos)}"
        parts.append(f"compression saved {_dollars(figures.saved_nanos)}{spread}")
    return ", ".join(parts)


def _dollars(nanos: int) -> str:
    return f"{'-' if nanos < 0 else ''}${abs(nanos) / 1e9:,.2f}"


def _option(arguments: list[str], name: str) -> str | None:
    for at, word in enumerate(arguments):
        if word == name and at + 1 < len(arguments):
            return arguments[at + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _unknown(arguments: list[str]) -> str | None:
    """The first word that is no option, nor the value of one."""
    words = iter(arguments)
    for word in words:
        if word == PLACE and next(words, None) is not None:
            continue
        if word not in FORMS and not word.startswith(f"{PLACE}="):
            return word
    return None


def _session() -> str | None:
    """The session that the caller names; None where it says nothing that can be read."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdin.isatty() or not select.select([sys.stdin], [], [], PATIENCE_S)[0]:
            return None
        told = json.loads(sys.stdin.buffer.read(MOST_BYTES))
        found = told.get("session_id") if isinstance(told, dict) else None
        return found if isinstance(found, str) and found else None
    return None
