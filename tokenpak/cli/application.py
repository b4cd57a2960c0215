"""What both commands share: the version before anything is imported, lazy subcommands, errors in one line.

An error a user can act on is an exception named by what is the case; it becomes one line and exit code 1 here. Any
other exception is a defect and keeps its traceback.

Whoever reads the output may stop reading (`| head`): that ends any command quietly. The difficulty is that it is noticed
in three places: in a command's own writing, at the last flush, and inside what draws `--help`.
"""

import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

VERSION_FLAGS = ("--version", "-V")
HELP_FLAGS = ("--help", "-h")

FAILED = 1
NOT_UNDERSTOOD = 64
"""EX_USAGE of sysexits.h: no other outcome of a command has this code, as 2 has that of `status` and of what takes a yes."""


class Command(NamedTuple):
    """A subcommand: where it is, as "module:function", and what it does, for the list of commands."""

    target: str
    about: str


def run(name: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> None:
    """Run one command line and exit with its code. commands: by the word they are called by."""
    with reader_may_leave():
        _run(name, about, commands, arguments)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End quietly where nobody reads standard output any more, with the exit code that a command has told by then, or 0."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError as gone:
        if not _is_unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        told = gone.__context__
        sys.exit(told.code if isinstance(told, SystemExit) else 0)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # what draws `--help` makes an error of it
            sys.exit(0)
        raise


def _is_unread() -> bool:
    """Whether the output leads nowhere; a pipe of the command's own may have broken, too."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # errors and ends alone
    return bool(output.poll(0))


def _run(name: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> None:
    if len(arguments) == 1 and arguments[0] in VERSION_FLAGS:
        from tokenpak import __version__

        sys.stdout.write(f"{name} {__version__}\n")
        return
    import cyclopts

    try:
        application(name, about, commands, arguments)(arguments, exit_on_error=False)
    except cyclopts.CycloptsError:  # it has been printed
        sys.exit(NOT_UNDERSTOOD)
    except _known_errors() as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(FAILED)


def application(name: str, about: str, commands: Mapping[str, Command], arguments: Sequence[str]) -> "App":
    """The parser of a command line. Only the command that is called tells of itself with all its docstring says."""
    import cyclopts

    from tokenpak import __version__

    app = cyclopts.App(
        name=name,
        help=about,
        version=f"{name} {__version__}",
        help_format="plaintext",
        error_formatter=_misread,
    )
    words = [word for word in arguments if word not in HELP_FLAGS]
    for word, command in commands.items():
        app.command(command.target, name=word, help=None if [word] == words[:1] else command.about)
    if len(words) < len(arguments):
        _explain(app, name, words)
    return app


def _misread(error: "CycloptsError") -> object:
    from tokenpak.cli.misread import panel

    return panel(error)


def _explain(app: "App", name: str, words: Sequence[str]) -> None:
    """Let `--help` say what is beside the options, and break its lines where the terminal ends. words: all but that."""
    from tokenpak.cli.manual import epilogue, flowed, page_of
    from tokenpak.cli.pages import PAGES

    page = page_of(name, words, PAGES)
    app.help_epilogue = None if page is None else epilogue(page)
    for part in _parts(app, words):
        function = part.default_command
        if function is not None and function.__doc__:
            function.__doc__ = flowed(function.__doc__)


def _parts(app: "App", words: Sequence[str]) -> "Iterator[App]":
    """The command that is called and its own commands; none where there is no such command."""
    if not words or words[0] not in app:
        return
    called = app[words[0]]
    yield called
    yield from (called[each] for each in called if not each.startswith("-"))


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
