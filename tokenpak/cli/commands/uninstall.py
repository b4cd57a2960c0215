"""`tokenpakctl uninstall`: clients get their own settings back, then the service goes, then what it kept.

In this order, because a client that points at a port nobody serves is broken. What cannot be undone is told with what to
write by hand, and the rest goes on: half an uninstallation that stops at the first obstacle helps nobody.
"""

import os
import sys
from pathlib import Path

import msgspec

from tokenpak.cli.commands.stop import end
from tokenpak.cli.options import Switch, settings_anyway
from tokenpak.cli.sheet import as_json
from tokenpak.config.paths import default_config_file
from tokenpak.config.settings import Settings
from tokenpak.control import stop_times
from tokenpak.control.farewell import LongSession, long_sessions
from tokenpak.control.install import is_installed, remove_service
from tokenpak.control.instance import instance_pid
from tokenpak.control.purge import NotOurs, refuse_strangers, remove_empty_above
from tokenpak.control.purge import purge as remove_state
from tokenpak.control.service_owner import OwnerRefused, owner_here
from tokenpak.integrations import undo_all
from tokenpak.telemetry.queries import Reader, StoreUnreadableError


class Told(msgspec.Struct, frozen=True):
    """What `uninstall --json` prints. stopped: it ran. service: the file that was removed. kept: what is still there, and is yours.

    troubles: what could not be done, each with what to do by hand.
    """

    sessions: tuple[LongSession, ...]
    clients: tuple[str, ...]
    stopped: bool
    service: str | None
    purged: str | None
    kept: tuple[str, ...]
    troubles: tuple[str, ...]


def uninstall(
    *,
    purge: Switch = False,
    json: Switch = False,
    state_dir: Path | None = None,
) -> int:
    """Remove the service, and give every client its settings back.

    Clients first, so that none is left calling a port nobody serves. Before that it names the sessions of the last day
    whose whole text may not fit their model's window without TokenPak: end or compact them.

    Parameters
    ----------
    purge
        Remove everything it has kept too: the store, plans, logs, keys. A directory that holds a file of yours is left.
    json
        Print the outcome as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    settings = settings_anyway(state_dir)  # a configuration that cannot be read keeps nobody from leaving
    if purge:
        refuse_strangers(settings.paths)  # before anything is done
    sessions = _sessions(settings)
    if not json:
        _say([_farewell(each) for each in sessions])
    clients, left = undo_integrations(settings)
    stopped, service, late = _end_service(settings)
    purged, kept = _purge(settings, left) if purge else (None, ())
    troubles = left + late + kept
    told = Told(sessions, clients, stopped, service, purged, _kept(settings, purged), troubles)
    if json:
        sys.stdout.write(as_json(told))
    else:
        _say(_words(told))
    return 1 if troubles else 0


def undo_integrations(settings: Settings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Undo every integration: the clients that have their settings back, and what could not be done."""
    outcomes = undo_all(settings.paths, Path.home(), os.environ)
    done = [each for each in outcomes if each.kind in ("restored", "kept", "nothing")]
    failed = [each for each in outcomes if each not in done]
    troubles = (". ".join((f"{each.client}: {each.words}", *each.steps)) for each in failed)
    return tuple(each.client for each in done if each.kind != "nothing"), tuple(troubles)


def _sessions(settings: Settings) -> tuple[LongSession, ...]:
    try:
        with Reader(settings.paths.database) as reader:
            return long_sessions(reader)
    except StoreUnreadableError:  # nothing is known, and nothing is claimed
        return ()


def _end_service(settings: Settings) -> tuple[bool, str | None, tuple[str, ...]]:
    """Stop what runs and remove the service of this state directory: whether it ran, the file that is gone, troubles."""
    owner = owner_here(os.environ, Path.home())
    file, removed, troubles = str(owner.file), False, []
    ran = instance_pid(settings.paths) is not None
    if is_installed(owner, settings):
        try:
            removed = remove_service(owner, stop_times.service_s(settings.drain_s))
        except OwnerRefused as error:
            troubles.append(f"{error}. Stop and disable it by hand, then remove {file}")
    ended = end(settings)
    if ended == "late":
        troubles.append("TokenPak has not ended in time; `tokenpakctl stop` again, or a second SIGTERM, ends it")
    return ended == "stopped" or (ran and ended == "absent"), file if removed else None, tuple(troubles)


def _purge(settings: Settings, left: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Remove the state directory, unless it is still needed to undo what is `left` of the integrations."""
    if left:
        return None, (
            "what it kept is still there: it knows what stood in those clients' settings. Uninstall once more",
        )
    try:
        remove_state(settings.paths)
    except (NotOurs, OSError) as error:
        return None, (f"what it kept is still there: {error}",)
    remove_empty_above(settings.paths.state, Path.home())
    return settings.state_dir, ()


def _kept(settings: Settings, purged: str | None) -> tuple[str, ...]:
    """What an uninstallation leaves, because it is the user's."""
    config = default_config_file()
    places = [] if purged or not settings.paths.state.exists() else [f"{settings.state_dir} (--purge removes it)"]
    return (*places, *([f"{config} (you wrote it)"] if config.exists() else []))


def _farewell(session: LongSession) -> str:
    who = " of ".join(filter(None, (session.session, session.client)))
    return (
        f"session {who}: its whole text is about {session.original_tokens:,} tokens, of which {session.sent_tokens:,} were "
        f"sent; {session.model or 'its model'} may refuse it without TokenPak. End or compact it"
    )


def _words(told: Told) -> list[str]:
    lines = [f"{client}: its own settings are back" for client in told.clients]
    lines.append("stopped" if told.stopped else "it was not running")
    lines += [f"{told.service} removed"] if told.service else []
    lines += [f"{told.purged} removed"] if told.purged else []
    lines += [f"left: {place}" for place in told.kept]
    return lines + [f"NOT DONE: {trouble}" for trouble in told.troubles]


def _say(lines: list[str]) -> None:
    sys.stdout.writelines(f"tokenpak: {line}\n" for line in lines)
    sys.stdout.flush()
