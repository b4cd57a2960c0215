"""The port, and whoever is to bring the service up: is it there, and is it what it should be?"""

import os
from collections.abc import Iterator
from pathlib import Path

from tokenpak.config.settings import ConfigError, Settings
from tokenpak.control.doctor.finding import Finding
from tokenpak.control.ensure import serves
from tokenpak.control.install import is_installed
from tokenpak.control.instance import holder_of, instance_pid, is_open
from tokenpak.control.origin import origin_of
from tokenpak.control.reload import read_again
from tokenpak.control.service_owner import Owner, other_than_ours
from tokenpak.services.tokens import find_vocabulary, search_path

ASK_S = 2.0


def look_at_service(settings: Settings, owner: Owner) -> list[Finding]:
    """The port, the configuration as it stands now, the service's file, the tokenizer's vocabulary."""
    return [*_port(settings), *_configuration(settings), *_unit(settings, owner), *_vocabulary(settings)]


def _port(settings: Settings) -> Iterator[Finding]:
    pid = instance_pid(settings.paths)
    if serves(settings.host, settings.port):
        if pid is None:
            what = f"an instance of another state directory serves at {settings.url}"
            yield Finding("port", "note", what, "Nothing, if you meant that; `tokenpakctl status --state-dir` shows it")
        return
    if pid is not None:
        what = f"TokenPak runs (pid {pid}) and does not serve at {settings.url}"
        yield Finding("port", "wrong", what, "`tokenpakctl status` says what is missing, `tokenpakctl logs front` why")
    elif is_open(settings.host, settings.port, ASK_S):
        what = f"port {settings.port} is taken by {holder_of(settings.port)}"
        yield Finding("port", "wrong", what, "Stop it, or give TokenPak another port. It takes no other by itself")
    else:
        yield Finding(
            "port", "wrong", f"nothing serves at {settings.url}", "`tokenpakctl start`, or `tokenpakctl install`"
        )


def _configuration(settings: Settings) -> Iterator[Finding]:
    """What a reload, or the next start, would make of it."""
    if instance_pid(settings.paths) is None:
        yield from _of_the_next_start(settings)
        return
    try:
        found = read_again(settings)
    except ConfigError as error:
        what = f"the configuration cannot be read any more: {error}"
        yield Finding("configuration", "wrong", what, "Mend it before the next start; what runs has the old one")
        return
    if names := (*found.changed, *found.waiting):
        remedy = "`tokenpakctl stop`, then `tokenpakctl start`" if found.waiting else "`tokenpakctl reload`"
        yield Finding("configuration", "note", f"it has changed since the start: {', '.join(names)}", remedy)


def _of_the_next_start(settings: Settings) -> Iterator[Finding]:
    """Of an instance that does not run: as this shell would start it."""
    try:
        origin_of(None, os.environ, {"state_dir": settings.state_dir}).settings()
    except ConfigError as error:
        remedy = (
            "Mend it, then `tokenpakctl start`. The other checks were made with the last settings, or with the defaults"
        )
        yield Finding("configuration", "wrong", f"TokenPak would not start: {error}", remedy)


def _unit(settings: Settings, owner: Owner) -> Iterator[Finding]:
    if other_than_ours(owner.file):
        yield Finding(
            "service", "note", f"{owner.file} runs something else", "Move it away if TokenPak is to be a service"
        )
    elif not owner.file.exists():
        if instance_pid(settings.paths) is not None and owner.answers():
            what = "TokenPak runs in the background and does not come back after a reboot"
            yield Finding("service", "note", what, "`tokenpakctl install`")
    elif is_installed(owner, settings):
        yield from _described(owner)


def _described(owner: Owner) -> Iterator[Finding]:
    """The interpreter it runs is of an environment that may be gone by now."""
    text = owner.file.read_text(encoding="utf-8", errors="replace")
    python = next((word for word in _words(text) if word.startswith("/") and "python" in Path(word).name), None)
    if python is not None and not Path(python).exists():
        what = f"the service runs {python}, which is not there any more"
        yield Finding("service", "wrong", what, "`tokenpakctl install`, from the environment that is to serve")
    elif owner.answers() and not owner.enabled():
        what = f"{owner.file} is there and not enabled: it does not come back after a reboot"
        yield Finding("service", "wrong", what, "`tokenpakctl install`")


def _words(text: str) -> list[str]:
    """Quoted words of a unit, and strings of a plist."""
    return text.replace("<string>", '"').replace("</string>", '"').split('"')


def _vocabulary(settings: Settings) -> Iterator[Finding]:
    if find_vocabulary(search_path(settings.paths.vocabulary)) is None:
        what = "there is no tokenizer vocabulary; tokens are estimated, and fewer edits are made"
        yield Finding("vocabulary", "note", what, "`tokenpak vocabulary fetch`, once")
