"""What there is on this machine: which clients, and where each of them calls now."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tokenpak.integrations import files
from tokenpak.integrations.addresses import origin, plain, same_place
from tokenpak.integrations.catalog import INTEGRATIONS
from tokenpak.integrations.errors import CannotIntegrate
from tokenpak.integrations.integration import Integration
from tokenpak.integrations.machine import Machine, package_version
from tokenpak.integrations.setting import read, shown


class Configured(msgspec.Struct, frozen=True):
    """A base URL that a client is set to. url: without a password or a query. where: the file, or `$NAME` for a variable of this shell. key: in the file."""

    client: str
    url: str
    where: str
    key: str


class Listed(msgspec.Struct, frozen=True):
    """A client as `integrate list` shows it. version: None where no file tells it. ours: calls this instance."""

    name: str
    title: str
    found: bool
    version: str | None
    ours: bool
    written: bool
    urls: tuple[Configured, ...]
    trouble: str | None = None


def configured(home: Path, environ: Mapping[str, str]) -> tuple[Configured, ...]:
    """Every base URL that a client reads from its file, or from a variable where it has no file.

    A file that cannot be read says nothing here; whoever integrates is told.
    """
    machine = Machine(home, environ)
    return tuple(each for integration in INTEGRATIONS for each in _quietly(integration, machine))


def pointed(integration: Integration, machine: Machine) -> tuple[Configured, ...]:
    """Of one client, variables that count more than its file first. Raises CannotIntegrate for a file that cannot be read."""
    names = dict.fromkeys((*integration.overriding, *integration.read_from))
    variables = (
        Configured(integration.name, plain(value), f"${name}", name)
        for name, value in machine.exported(tuple(names))
        if origin(value)
    )
    return (*variables, *_in_file(integration, machine))


def listed(integration: Integration, machine: Machine, root: str, *, written: bool) -> Listed:
    """One line of the list. root: of the instance; written: whether the journal knows of it."""
    try:
        urls, trouble = pointed(integration, machine), None
    except CannotIntegrate as error:
        urls, trouble = (), str(error)
    return Listed(
        integration.name,
        integration.title,
        is_found(integration, machine),
        package_version(machine.program(integration.programs), integration.package),
        any(same_place(each.url, root) for each in urls),
        written,
        urls,
        trouble,
    )


def is_found(integration: Integration, machine: Machine) -> bool:
    """Whether the client has been installed or used here."""
    place = integration.place(machine).file if integration.place else None
    homes = (*integration.homes(machine), *([place] if place else []))
    return machine.program(integration.programs) is not None or any(each.exists() for each in homes)


def _quietly(integration: Integration, machine: Machine) -> tuple[Configured, ...]:
    try:
        return pointed(integration, machine)
    except CannotIntegrate:
        return ()


def _in_file(integration: Integration, machine: Machine) -> tuple[Configured, ...]:
    if integration.place is None:
        return ()
    place = integration.place(machine)
    try:
        text = files.decoded(files.read(place.file))
        keys = [each.key for each in place.keys(text)]
        held = [(key, read(place.format, text, key)) for key in keys]
    except CannotIntegrate as error:
        raise CannotIntegrate(f"{place.file}: {error}") from error
    return tuple(
        Configured(integration.name, plain(value), str(place.file), shown(key))
        for key, value in held
        if isinstance(value, str) and value
    )
