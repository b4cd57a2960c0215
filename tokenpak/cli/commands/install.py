"""`tokenpakctl install`: TokenPak as a service of this user, under systemd or launchd."""

import os
import sys
from pathlib import Path

import msgspec

from tokenpak.cli.options import Repeated, Switch, wanted_settings
from tokenpak.cli.sheet import as_json
from tokenpak.config.settings import Settings
from tokenpak.control.ensure import await_instance
from tokenpak.control.install import Change, Plan, carry_out, plan_install
from tokenpak.control.serve_command import config_file
from tokenpak.control.service_owner import owner_here

OLD = (
    "The service runs on as it was started. `tokenpakctl stop`, then `tokenpakctl start` takes the new description in."
)


class Told(msgspec.Struct, frozen=True):
    """What `install --json` prints. url: where the service serves, or will. started: None for a dry run.

    serving: whether it does by now; None where it was not started.
    """

    owner: str
    file: str
    change: Change
    text: str
    url: str
    notes: tuple[str, ...]
    dry_run: bool
    started: bool | None = None
    serving: bool | None = None


def install(
    *,
    dry_run: Switch = False,
    json: Switch = False,
    port: int | None = None,
    state_dir: Path | None = None,
    config: Path | None = None,
    upstream: Repeated = (),
    drain: float | None = None,
) -> int:
    """Install TokenPak as a service of yours that comes back by itself.

    Then starts it and waits until it accepts traffic. Writes one file: the unit of `systemd --user`, or the agent of
    launchd. It runs this Python by its absolute path, so install it from the environment that is to serve. Done again,
    it brings the file up to date. Takes the options of `tokenpak serve`; what stands in the configuration file is left
    there, and counts anew at every start.

    Parameters
    ----------
    dry_run
        Show what would be written, and write nothing.
    json
        Print the outcome as JSON.
    port
        Port on 127.0.0.1. Default 8766.
    state_dir
        Directory for everything TokenPak keeps. Default: the user's state directory.
    config
        TOML file with settings. Default: config.toml in the user's configuration directory, if there is one.
    upstream
        NAME=URL: base URL of a provider. May be repeated.
    drain
        Seconds that open requests may take to end after a stop. Default 15.

    """
    settings = wanted_settings(state_dir, config, port, upstream, drain)
    owner = owner_here(os.environ, Path.home())
    plan = plan_install(settings, config or config_file(os.environ), os.environ, owner)
    told = Told(owner.name, str(plan.file), plan.change, plan.text, settings.url, plan.notes, dry_run)
    if not dry_run:
        told = _done(told, plan, settings)
    sys.stdout.write(as_json(told) if json else _words(told, plan) + "\n")
    return 1 if told.serving is False else 0


def _done(told: Told, plan: Plan, settings: Settings) -> Told:
    """What came of it. One that ran already goes on as it was started, and says so where that is something else."""
    ran = plan.owner.runs()
    if not carry_out(plan, settings):
        return msgspec.structs.replace(told, started=False)
    serving = await_instance(settings, plan.owner.failing)
    if serving is None:
        return msgspec.structs.replace(told, started=True, serving=False)
    notes = (*told.notes, OLD) if ran and plan.change == "updated" else told.notes
    return msgspec.structs.replace(told, started=True, serving=True, url=serving.url, notes=notes)


def _words(told: Told, plan: Plan) -> str:
    if told.dry_run:
        doing = {"new": "would write", "updated": "would replace", "unchanged": "would leave as it is"}[told.change]
        lines = [f"tokenpak: {doing} {told.file}, then enable and start it with {told.owner}:", "", told.text]
    else:
        lines = [f"tokenpak: {told.file}: {'written' if told.change == 'new' else told.change}, enabled"]
        if told.serving:
            lines.append(f"tokenpak: serving at {told.url} ({told.owner})")
        elif told.started:
            lines.append(f"tokenpak: started, and does not serve at {told.url}; its words: {plan.owner.log_hint()}")
    return "\n".join([*lines, *(f"! {note}" for note in told.notes)])
