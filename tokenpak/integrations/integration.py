"""What one client is to TokenPak: its profile on the wire, where its base URL stands, and what a user must be told.

One value a client, each in a file of its own. A client that keeps its base URL in a file has a `place`; one that does not
has `steps`, for the user to follow.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tokenpak.integrations.formats import FormatName, Key
from tokenpak.integrations.machine import Machine


class Profile(NamedTuple):
    """How requests of a client look. The rules are in core/client; this names their outcome and what else is known.

    wire: names that `identify` gives its requests, the surest first; a name may stand for an SDK it is built on. session:
    where its session key is. quirks: what a proxy has to live with. products: user agents that the table does not know and
    that are kept as they are.
    """

    wire: tuple[str, ...]
    session: str | None
    quirks: tuple[str, ...] = ()
    products: tuple[str, ...] = ()


class Wanted(NamedTuple):
    """A base URL to be set. provider: whose API is called there. suffix: what the client wants behind the root.

    shown_there: keys of the same file whose value the client shows to that server.
    """

    key: Key
    provider: str
    suffix: str = ""
    shown_there: tuple[Key, ...] = ()


class Setup(NamedTuple):
    """What an integration is done with. root: the instance's URL. upstreams: where it sends, by provider."""

    machine: Machine
    root: str
    upstreams: Mapping[str, str]


class Place(NamedTuple):
    """The file a client reads, and the keys to be set in a text of it.

    keys: of what the file holds; may look at the text, which is known to be readable. Raises CannotIntegrate. spares: whether
    a base URL of a server that TokenPak does not know is left alone, because other models beside it may be served.
    """

    file: Path
    format: FormatName
    keys: Callable[[str], tuple[Wanted, ...]]
    spares: bool = False


class Probe(NamedTuple):
    """The cheapest real call of a client: the words of a command, without asking for anything, in an empty directory."""

    words: tuple[str, ...]


class Integration(NamedTuple):
    """One client.

    programs: by which it is found on PATH; package: what its version is read from. homes: directories that exist where it
    has been used. place: None if nothing can be written. refusal: why it must not be done here, or None. overriding:
    variables that count more than the file. also: other variables and files worth a word, told after looking.
    read_from: variables that hold its base URL where no file does. steps: what to do by hand.
    """

    name: str
    title: str
    profile: Profile
    programs: tuple[str, ...] = ()
    package: str = ""
    homes: Callable[[Machine], tuple[Path, ...]] = lambda _machine: ()
    place: Callable[[Machine], Place] | None = None
    refusal: Callable[[Machine], str | None] = lambda _machine: None
    overriding: tuple[str, ...] = ()
    remarks: Callable[[Machine, str], tuple[str, ...]] = lambda _machine, _text: ()
    read_from: tuple[str, ...] = ()
    steps: Callable[[str], tuple[str, ...]] = lambda _root: ()
    probe: Probe | None = None


def fixed(*wanted: Wanted) -> Callable[[str], tuple[Wanted, ...]]:
    """Keys that do not depend on what the file holds."""
    return lambda _text: wanted
