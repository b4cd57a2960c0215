"""What both commands share: the version before anything is imported, lazy subcommands, errors in one line.

An error a user can act on is an exception named by what is the case; it becomes one line and exit code 1 here. Any
other exception is a defect and keeps its traceback.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

VERSION_FLAGS = ("--version", "-V")

FAILED = 1


class Command(NamedTuple):
    """A subcommand: where it is, as "module:function", and what it does, for the list of commands."""

    target: str
    about: str


def run(name: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> None:
    """Run one command line and exit with its code. commands: by the word they are called by."""
    if len(arguments) == 1 and arguments[0] in VERSION_FLAGS:
        from tokenpak import __version__

        sys.stdout.write(f"{name} {__version__}\n")
        return
    import cyclopts

    from tokenpak import __version__

    app = cyclopts.App(name=name, help=about, version=f"{name} {__version__}", help_format="plaintext")
    for word, command in commands.items():
        app.command(command.target, name=word, help=command.about)
    try:
        app(arguments)
    except _known_errors() as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(FAILED)


def _known_errors() -> tuple[type[Exception], ...]:
    """Looked up only when something was raised. A module that was never imported cannot have raised its error."""
    named = {
        "tokenpak.config.paths": ("PathError",),
        "tokenpak.config.settings": ("ConfigError",),
        "tokenpak.control.instance": ("AlreadyRunning", "PortTaken"),
        "tokenpak.control.ensure": ("NotServing",),
        "tokenpak.control.install": ("CannotInstall",),
        "tokenpak.control.service_owner": ("OwnerRefused",),
        "tokenpak.control.purge": ("NotOurs",),
        "tokenpak.integrations.errors": ("CannotIntegrate",),
        "tokenpak.control.slots": ("TakeoverUnderWay",),
        "tokenpak.control.restart": ("RestartFailed",),
        "tokenpak.telemetry.queries": ("StoreUnreadableError",),
        "tokenpak.cli.commands.events": ("BadMoment",),
        "tokenpak.control.supervisor": ("NotRunning", "SupervisorFault", "UnknownProgram"),
    }
    loaded = ((sys.modules[module], names) for module, names in named.items() if module in sys.modules)
    return tuple(getattr(module, name) for module, names in loaded for name in names)
