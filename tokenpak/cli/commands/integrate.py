"""`tokenpak integrate`: show, write or take out the one setting that points a client at TokenPak.

Nothing is written without `--apply`, and nothing is written before TokenPak answers where the client will call: a client
that is pointed at a silent port is broken until somebody finds out why. `list` and `verify` write nothing at all.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cyclopts import App

from tokenpak.cli.options import Switch, running_settings, settings_anyway, wanted_settings
from tokenpak.cli.render import table
from tokenpak.cli.sheet import UNKNOWN, as_json
from tokenpak.config.settings import ConfigError, Settings
from tokenpak.control.ensure import ensure_serving
from tokenpak.control.instance import instance_pid
from tokenpak.integrations import apply, journal, undo, undo_all
from tokenpak.integrations.catalog import INTEGRATIONS, integration_of
from tokenpak.integrations.integration import Integration, Setup
from tokenpak.integrations.machine import Machine
from tokenpak.integrations.outcome import Outcome
from tokenpak.integrations.overview import Listed, is_found, listed
from tokenpak.integrations.verify import Verdict
from tokenpak.integrations.verify import verify as look

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 compared with, not bound to

app = App(name="integrate")


@app.default
def integrate(
    client: str | None = None,
    /,
    *,
    apply: Switch = False,
    undo: Switch = False,
    all: Switch = False,  # noqa: A002 the option as the command line has it
    start: bool = True,
    json: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Point a client at TokenPak, or take it back.

    Shows the change of the client's settings; --apply makes it, --undo takes it out. Every comment, every key and every other
    byte of the file stay. Done twice it is done once, and an undo leads back to the first text. Without a client it lists them.

    Parameters
    ----------
    client
        A name that `tokenpak integrate list` shows.
    apply
        Write it, once TokenPak answers; installs and starts TokenPak if nothing does.
    undo
        Put back what stood there before. What you have changed since then stays.
    all
        Every client that is found on this machine; with --undo, every one that was written.
    start
        Start TokenPak where it does not answer; with --no-start, --apply refuses there.
    json
        Print the outcomes as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    if (apply and undo) or (client is not None and all):
        raise ConfigError("write --apply or --undo, and one client or --all.")
    if client is None and not all:
        if apply or undo:
            raise ConfigError("name a client, or --all. `tokenpak integrate list` shows those there are.")
        return list_clients(json=json, state_dir=state_dir)
    machine = _machine()
    chosen = _found(machine) if client is None else (integration_of(client),)
    if undo:
        return _tell(_undone(settings_anyway(state_dir), machine, client), json)
    settings = _settings(state_dir)
    outcomes = _previewed(chosen, settings, machine)
    if apply:
        outcomes = _applied(chosen, outcomes, settings, machine, start)
    return _tell(outcomes, json, tolerated="by_hand" if client and apply else "refused")


@app.command(name="list")
def list_clients(*, json: Switch = False, state_dir: Path | None = None) -> int:
    """Show every client TokenPak knows.

    Whether it is here, its version, where it calls, and whether TokenPak has written that.

    Parameters
    ----------
    json
        Print them as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    settings, machine = _listed_settings(state_dir), _machine()
    written = {each.client for each in journal.entries(settings.paths)}
    found = [listed(each, machine, _root(settings), written=each.name in written) for each in INTEGRATIONS]
    head = ("CLIENT", "FOUND", "VERSION", "CALLS", "TOKENPAK", "WRITTEN BY IT")
    sys.stdout.write(as_json(found) if json else table(head, [_cells(each) for each in found]) + "\n")
    return 0


@app.command
def verify(client: str, /, *, call: Switch = False, json: Switch = False, state_dir: Path | None = None) -> int:
    """Ask the address a client is set to whether TokenPak answers there.

    Parameters
    ----------
    client
        A name that `tokenpak integrate list` shows.
    call
        Then make the client's cheapest real call, at your provider's price, and find it among the recorded requests.
    json
        Print the findings as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    settings, machine = _settings(state_dir), _machine()
    integration = integration_of(client)
    found = look(integration, machine, _root(settings))
    if call and found[0].well:
        from tokenpak.integrations.call import call as make

        found = (*found, make(integration, machine, settings.paths))
    sys.stdout.write(as_json(found) if json else "".join(map(_judged, found)))
    return 0 if all(each.well for each in found) else 1


def _settings(state_dir: Path | None) -> Settings:
    """Of the instance that runs; where none does, of the one that would be started."""
    running = running_settings(state_dir)
    if instance_pid(running.paths) is not None:
        return running
    return wanted_settings(Path(running.state_dir), None, None, (), None)


def _listed_settings(state_dir: Path | None) -> Settings:
    """A list is shown whatever the configuration says, as it helps to find a way out."""
    try:
        return _settings(state_dir)
    except ConfigError as error:
        settings = settings_anyway(state_dir)
        sys.stderr.write(
            f"tokenpak: {error}\ntokenpak: until that is mended, {_root(settings)} is taken for its address\n"
        )
        return settings


def _machine() -> Machine:
    return Machine(Path.home(), os.environ, Path.cwd())


def _root(settings: Settings) -> str:
    """What clients are pointed at: an instance that listens everywhere is called on this machine."""
    host = EVERYWHERE.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host}:{settings.port}"


def _setup(settings: Settings, machine: Machine) -> Setup:
    return Setup(machine, _root(settings), settings.upstreams)


def _found(machine: Machine) -> tuple[Integration, ...]:
    return tuple(each for each in INTEGRATIONS if is_found(each, machine))


def _previewed(chosen: Sequence[Integration], settings: Settings, machine: Machine) -> tuple[Outcome, ...]:
    return tuple(apply.preview(each, _setup(settings, machine), settings.paths) for each in chosen)


def _applied(
    chosen: Sequence[Integration],
    planned: Sequence[Outcome],
    settings: Settings,
    machine: Machine,
    start: bool,  # noqa: FBT001 the option as the command line has it
) -> tuple[Outcome, ...]:
    """Write where something may be written, once TokenPak answers. Raises NotServing; nothing was written then."""
    if all(each.kind not in {"planned", "already"} for each in planned):
        return tuple(planned)
    words = ensure_serving(settings, start=start).words
    done = tuple(apply.apply(each, _setup(settings, machine), settings.paths) for each in chosen)
    notes = (words, *_token_notes(settings))
    return tuple(_noted(each, notes) if each.kind in {"written", "already"} else each for each in done)


def _noted(outcome: Outcome, notes: tuple[str, ...]) -> Outcome:
    return msgspec.structs.replace(outcome, notes=(*notes, *outcome.notes))


def _token_notes(settings: Settings) -> tuple[str, ...]:
    asked = (
        "this instance asks every client for its token, in the header x-tokenpak-token: give the client that header too"
    )
    return (asked,) if settings.tokens else ()


def _undone(settings: Settings, machine: Machine, client: str | None) -> tuple[Outcome, ...]:
    if client is None:
        return undo_all(settings.paths, machine.home, machine.environ)
    return (undo.undo(settings.paths, client),)


def _tell(outcomes: Sequence[Outcome], json: bool, tolerated: str = "by_hand") -> int:  # noqa: FBT001 see above
    """Print outcomes; the exit code. tolerated: the kind that is an answer and no failure."""
    sys.stdout.write(as_json(outcomes) if json else "".join(map(_words, outcomes)) or "nothing to do\n")
    return 1 if any(each.kind in {"refused", "failed"} and each.kind != tolerated for each in outcomes) else 0


def _words(outcome: Outcome) -> str:
    mark = {"failed": "NOT DONE: ", "refused": "not possible: ", "by_hand": "by hand: "}.get(outcome.kind, "")
    lines = [f"{outcome.client}: {mark}{outcome.words}"]
    lines += [f"  - {note}" for note in outcome.notes]
    lines += [f"  {number}. {step}" for number, step in enumerate(outcome.steps, 1)]
    return outcome.diff + "\n".join(lines) + "\n"


def _cells(each: Listed) -> tuple[str, ...]:
    calls = ", ".join(dict.fromkeys(url.url for url in each.urls)) or ("?" if each.trouble else UNKNOWN)
    yes = ("-", "yes")
    return (each.name, yes[each.found], each.version or UNKNOWN, calls, yes[each.ours], yes[each.written])


def _judged(verdict: Verdict) -> str:
    place = f" ({verdict.url}, {verdict.where})" if verdict.url else ""
    return f"{verdict.client}: {'' if verdict.well else 'WRONG: '}{verdict.words}{place}\n"
