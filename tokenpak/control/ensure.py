"""See to it that something serves where clients are about to be pointed: whoever edits a client's settings asks first.

A client that is pointed at a port nobody serves is broken until somebody finds out why. So this comes before the edit: ask
the port, start what is missing in the most lasting way this machine has, and come back only when requests are carried.
"""

import os
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import msgspec

from tokenpak.config.paths import prepare
from tokenpak.config.settings import SETTINGS_VARIABLE, ConfigError, Settings, read_settings
from tokenpak.control import stop_times
from tokenpak.control.background import BOOT_S, DidNotStart, start_detached
from tokenpak.control.claims import holders
from tokenpak.control.install import CannotInstall, Plan, carry_out, plan_install, remove_service
from tokenpak.control.instance import holder_of, instance_pid, is_open
from tokenpak.control.serve_command import config_file, serve_command
from tokenpak.control.service_owner import Owner, OwnerRefused, owner_here
from tokenpak.ipc.probe import answer_of

ASK_S = 2.0
POLL_S = 0.1
READY = b"ok\n"


class Ensured(msgspec.Struct, frozen=True):
    """Requests are carried. words: what was done for it, for the user, in a sentence or two."""

    words: str


class NotServing(Exception):  # noqa: N818 named by what is the case
    """Nothing of ours serves there; the message says why, and what to do."""


def ensure_serving(settings: Settings, *, start: bool) -> Ensured:
    """Return once TokenPak carries requests at `settings.url`; starts it where `start` allows. Raises NotServing."""
    if serves(settings.host, settings.port):
        return Ensured(f"TokenPak serves at {settings.url}.")
    _refuse_elsewhere(settings)
    if instance_pid(settings.paths) is not None:  # somebody has just started it
        if await_instance(settings, lambda: False) is not None:
            return Ensured(f"TokenPak serves at {settings.url}.")
        raise NotServing(
            f"TokenPak runs and does not serve at {settings.url}. `tokenpakctl status` says what is wrong."
        )
    if not start:
        raise NotServing(
            f"nothing serves at {settings.url}. Start TokenPak with `tokenpakctl start`, or as a service that comes back "
            "after a reboot with `tokenpakctl install`; then do this again."
        )
    return Ensured(_start(settings, owner_here(os.environ, Path.home())))


def serves(host: str, port: int, timeout_s: float = ASK_S) -> bool:
    """Whether TokenPak at this address accepts new requests."""
    return answer_of(f"http://{host}:{port}", "/readyz", timeout_s) == (HTTPStatus.OK, READY)


def await_instance(settings: Settings, failing: Callable[[], bool]) -> Settings | None:
    """Wait until the instance of this state directory carries requests; what it runs with, which may not be `settings`.

    None when `failing` says that it is no use, or at the deadline.
    """
    deadline = time.monotonic() + stop_times.service_s(settings.drain_s) + BOOT_S
    while time.monotonic() < deadline and not failing():
        running = _running(settings)
        if running is not None and serves(running.host, running.port):
            return running
        time.sleep(POLL_S)
    return None


def _refuse_elsewhere(settings: Settings) -> None:
    """Not where a stranger has the port, nor beside an instance that serves on another one."""
    running = _running(settings)
    if running is not None and running.port != settings.port:
        raise NotServing(
            f"TokenPak runs at {running.url} and not at {settings.url}. Use that address, or stop it with "
            "`tokenpakctl stop` and start it anew."
        )
    if holders(settings.paths):  # processes of ours, coming or going, have the port or wait for it
        return
    if is_open(settings.host, settings.port, ASK_S) and answer_of(
        f"http://{settings.host}:{settings.port}", "/livez", ASK_S
    ) != (
        200,
        READY,
    ):
        raise NotServing(
            f"port {settings.port} is taken by {holder_of(settings.port)}, which is not TokenPak. "
            "Stop it, or give TokenPak another port in its configuration."
        )


def _running(settings: Settings) -> Settings | None:
    if instance_pid(settings.paths) is None:
        return None
    try:
        return read_settings({SETTINGS_VARIABLE: str(settings.paths.settings_file)})
    except ConfigError:  # it has not written them yet
        return None


def _start(settings: Settings, owner: Owner) -> str:
    if not owner.answers():  # asked here, as what `install` advises then is what is done here anyway
        return _start_in_background(settings, f"{owner.name} does not answer in this session")
    try:
        return _start_as_service(settings, owner)
    except (CannotInstall, OwnerRefused) as error:
        return _start_in_background(settings, str(error))


def _start_as_service(settings: Settings, owner: Owner) -> str:
    plan = plan_install(settings, config_file(os.environ), os.environ, owner)
    if not _comes_up(plan, settings):  # left enabled it would be tried at every login, beside what starts instead
        remove_service(owner, stop_times.service_s(settings.drain_s))
        raise CannotInstall(f"{owner.name} could not start it; its words: {owner.log_hint()}")
    told = f"TokenPak was installed as a service ({plan.file}) and serves at {settings.url}; it comes back by itself."
    return " ".join((told, *plan.notes))


def _comes_up(plan: Plan, settings: Settings) -> bool:
    try:
        carry_out(plan, settings)
    except OwnerRefused:
        return False
    return await_instance(settings, plan.owner.failing) is not None


def _start_in_background(settings: Settings, why: str) -> str:
    prepare(settings.paths)
    command = serve_command(settings, config_file(os.environ), os.environ).words
    log = settings.paths.logs / "serve.log"
    patience_s = stop_times.service_s(settings.drain_s) + BOOT_S
    try:
        serving = start_detached(command, log, patience_s)
    except DidNotStart as error:
        raise NotServing(f"TokenPak did not start: {str(error).strip() or 'it said nothing'} (see {log})") from error
    return (
        f"TokenPak was started in the background and serves at {serving.url}. It will not come back after a reboot by "
        f"itself. (Not as a service: {why.removesuffix('.')}.)"
    )
