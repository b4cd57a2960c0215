"""`tokenpakctl doctor`: what is wrong around TokenPak, each with what to do; `--fix` mends what is safely ours."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tokenpak.cli.options import Switch, settings_anyway
from tokenpak.cli.sheet import as_json
from tokenpak.config.settings import Settings
from tokenpak.control.doctor.finding import Finding, Weight
from tokenpak.control.doctor.places import look_at_places
from tokenpak.control.doctor.service import look_at_service
from tokenpak.control.doctor.surroundings import look_at_providers, look_at_variables
from tokenpak.control.instance import is_open
from tokenpak.control.service_owner import owner_here
from tokenpak.integrations import configured
from tokenpak.integrations.addresses import is_loopback, same_place

ANSWERS_S = 1.0
"""How long a port of this machine may take to accept."""


class Told(msgspec.Struct, frozen=True):
    """A finding as `doctor --json` prints it. mended: `--fix` put it right."""

    about: str
    weight: Weight
    what: str
    remedy: str
    mended: bool


def doctor(
    *, fix: Switch = False, providers: Switch = False, json: Switch = False, state_dir: Path | None = None
) -> int:
    """Look for what is wrong, and say what to do.

    Looks at the port and who has it, the service, owners and modes, what a crash left, the clock, the disk, the store,
    the settings of clients that call here, and variables of this shell that overrule settings. Nothing leaves the machine
    without --providers.

    Parameters
    ----------
    fix
        Mend what is safely TokenPak's own: modes of its files, sockets and words of processes that are dead.
    providers
        Ask every provider whether it can be reached, without a key.
    json
        Print the findings as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.

    """
    settings = settings_anyway(state_dir)  # what is wrong with the configuration is among the findings
    found = _findings(settings) + (look_at_providers(settings) if providers else [])
    told = [_told(finding, _mended(finding) if fix else False) for finding in found]
    sys.stdout.write(as_json(told) if json else _words(told))
    return 1 if any(each.weight == "wrong" and not each.mended for each in told) else 0


def look_at_clients(settings: Settings) -> list[Finding]:
    """Clients whose settings call a port of this machine that nobody serves."""
    return [
        Finding(
            "client",
            "wrong",
            f"{each.client} calls {each.url} ({each.where}, {each.key}), and nothing answers there",
            f"tokenpakctl start, or: tokenpak integrate {each.client} --undo"
            if same_place(each.url, settings.url)
            else "start what listens there, or take the setting out",
        )
        for each in configured(Path.home(), os.environ)
        if is_loopback(each.url) and not _answers(each.url)
    ]


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    return is_open(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), ANSWERS_S)


def _findings(settings: Settings) -> list[Finding]:
    owner = owner_here(os.environ, Path.home())
    return [
        *look_at_service(settings, owner),
        *look_at_clients(settings),
        *look_at_places(settings.paths),
        *look_at_variables(settings, os.environ),
    ]


def _mended(finding: Finding) -> bool:
    if finding.mend is None:
        return False
    try:
        finding.mend()
    except OSError:
        return False
    return True


def _told(finding: Finding, mended: bool) -> Told:  # noqa: FBT001 a field of what is told
    return Told(finding.about, finding.weight, finding.what, finding.remedy, mended)


def _words(told: list[Told]) -> str:
    if not told:
        return "tokenpak: nothing is wrong\n"
    lines = []
    for each in told:
        mark = "mended" if each.mended else {"wrong": "WRONG ", "note": "note  "}[each.weight]
        lines.append(f"{mark} {each.about}: {each.what}")
        if not each.mended:
            lines.append(f"       {each.remedy}")
    return "\n".join(lines) + "\n"
