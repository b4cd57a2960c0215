"""What an integration would write: worked out from the client's file and the journal, and carried out as it was worked out.

The difficulty is doing it again. Where the file is exactly what TokenPak left, the text before is restored first and edited
anew, so that any number of applications is one and an undo leads to the first text. Where somebody has written in between,
values of ours are brought up to date where they stand, and anything else counts as theirs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tokenpak.config.paths import Paths
from tokenpak.integrations import files, journal
from tokenpak.integrations.addresses import may_be_kept, origin, plain, same_place
from tokenpak.integrations.errors import CannotIntegrate, NotForThatServer, NothingToWrite, Unreadable, WouldNotWork
from tokenpak.integrations.formats import FormatName
from tokenpak.integrations.integration import Integration, Place, Setup, Wanted
from tokenpak.integrations.journal import Entry
from tokenpak.integrations.setting import Change, put, read, shown
from tokenpak.integrations.splices import Splice, reversed_splices, spliced
from tokenpak.integrations.standing import standing


class Plan(NamedTuple):
    """shown: the file as the client names it; file: behind every link. before, after: None for no file.

    entry: what the journal will hold; None if nothing is to be written.
    """

    client: str
    shown: Path
    file: Path
    before: bytes | None
    after: bytes | None
    entry: Entry | None
    notes: tuple[str, ...]


class _Site(NamedTuple):
    """A client's file as it was found. entry: what the journal holds of it."""

    client: str
    place: Place
    file: Path
    data: bytes | None
    entry: Entry | None

    @property
    def held(self) -> Entry | None:
        """The entry that left the file exactly so."""
        return self.entry.holding(self.data) if self.entry is not None and self.data is not None else None


class _Base(NamedTuple):
    """The text that is edited, and what the journal says of it. before: hash of the file it stood in, empty: not known.

    mixed: somebody has written after TokenPak; of whom each value is, is all that can be told. earlier: the entry that led
    from this text to the present one.
    """

    text: str
    existed: bool
    before: str
    directories: tuple[str, ...]
    ours: tuple[str, ...] = ()
    earlier: Entry | None = None
    mixed: Entry | None = None


class _Edited(NamedTuple):
    text: str
    splices: tuple[Splice, ...]
    changes: tuple[Change, ...]


def plan(integration: Integration, setup: Setup, entry: Entry | None) -> Plan:
    """Work out what is to be written. entry: what the journal holds of this client. Raises CannotIntegrate."""
    refusal = integration.refusal(setup.machine)
    if refusal is not None:
        raise WouldNotWork(refusal)
    if integration.place is None:
        raise NothingToWrite(f"{integration.title} keeps its base URL where TokenPak does not write")
    place = integration.place(setup.machine)
    file = files.real(place.file)
    if entry is not None and entry.file != str(file):
        raise CannotIntegrate(
            f"{integration.title} was integrated in {entry.file} and reads {file} now. Undo that first: "
            f"`tokenpak integrate {integration.name} --undo`"
        )
    files.refuse_unwritable(file)
    try:
        return _planned(integration, setup, _Site(integration.name, place, file, files.read(file), entry))
    except Unreadable as error:
        raise CannotIntegrate(f"{place.file}: {error}. Mend it, and do this again.") from error


def carry_out(planned: Plan, paths: Paths) -> None:
    """Write the journal, then the file; the lock of the journal is held by the caller. Raises CannotIntegrate."""
    if planned.entry is None or planned.after is None:
        return
    journal.save(paths, planned.entry)
    files.sweep(planned.file)
    files.replace(planned.file, planned.before, planned.after)


def _planned(integration: Integration, setup: Setup, site: _Site) -> Plan:
    base = _base(site)
    wanted, spared = _targets(site.place, setup, base)
    if not wanted:
        what = "; ".join(spared) or "it holds no setting of a provider that TokenPak could stand in for"
        raise NothingToWrite(f"{site.place.file}: {what}")
    edited = _edited(site.place.format, base.text, wanted, setup.root)
    _refuse_another_server(integration, setup, site.place, base.text, wanted)
    if base.mixed is not None:
        edited = edited._replace(splices=(), changes=_inherited(site.place.format, base, edited.changes))
    after = files.encoded(edited.text, site.data)
    entry = None if after == site.data else _entry(site, base, edited, after)
    notes = (*_notes(setup, wanted, edited.changes), *spared, *integration.remarks(setup.machine, base.text))
    return Plan(site.client, site.place.file, site.file, site.data, after, entry, notes)


def _base(site: _Site) -> _Base:
    text, entry, held = files.decoded(site.data), site.entry, site.held
    if held is not None:
        before = spliced(text, reversed_splices(held.splices))
        earlier = msgspec.structs.replace(held, earlier=None)
        return _Base(before, held.existed, held.before, held.directories, held.ours, earlier)
    written = entry is not None and site.data is not None and not entry.is_before(site.data)
    if entry is not None and written and standing(site.place.format, text, entry):
        return _Base(text, entry.existed, "", entry.directories, entry.ours, mixed=entry)
    made = entry.directories if entry is not None and not entry.existed else ()
    directories = dict.fromkeys((*made, *map(str, files.missing_directories(site.file))))
    return _Base(text, site.data is not None, files.digest(site.data or b""), tuple(directories))


def _targets(place: Place, setup: Setup, base: _Base) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
    """The keys to be set, and notes on those that are spared because they call a server of their own."""
    wanted, notes = [], []
    for each in place.keys(base.text):
        held = read(place.format, base.text, each.key)
        if place.spares and isinstance(held, str) and held not in base.ours and not _is_known(held, each, setup):
            notes.append(f"{shown(each.key)} calls a server of its own and is left alone")
        else:
            wanted.append(each)
    return tuple(wanted), tuple(notes)


def _edited(name: FormatName, text: str, wanted: Sequence[Wanted], root: str) -> _Edited:
    splices: tuple[Splice, ...] = ()
    changes: tuple[Change, ...] = ()
    for each in wanted:
        value = root + each.suffix
        held = read(name, text, each.key)
        if held == value:
            continue
        if isinstance(held, str) and not may_be_kept(held):
            raise CannotIntegrate(
                f"what stands at {shown(each.key)} is not a plain base URL: it may carry a key or a password, and TokenPak "
                "does not copy those. Take it out by hand (and keep it), then do this again."
            )
        proposal, change = put(name, text, each.key, value)
        text, splices, changes = spliced(text, proposal), (*splices, *proposal), (*changes, change)
    return _Edited(text, splices, changes)


def _refuse_another_server(
    integration: Integration, setup: Setup, place: Place, text: str, wanted: Sequence[Wanted]
) -> None:
    """A credential that stands beside a base URL is for the server there; the provider's own must not be shown it."""
    for each in wanted:
        stood = read(place.format, text, each.key)
        beside = [key for key in each.shown_there if read(place.format, text, key)]
        if not isinstance(stood, str) or _is_known(stood, each, setup) or not beside:
            continue
        server = _server(stood) if origin(stood) else "https://..."
        raise NotForThatServer(
            f"{shown(each.key)} is {plain(stood)}, and {shown(beside[0])} in the same file is for that server. TokenPak "
            f"sends requests of {each.provider} to {setup.upstreams.get(each.provider, 'nowhere')}, which would be shown it.",
            (
                f'write into the configuration file of TokenPak, below a line [upstreams]: {each.provider} = "{server}"',
                "tokenpakctl reload (tokenpakctl start, if it does not run)",
                f"tokenpak integrate {integration.name} --apply",
            ),
        )


def _inherited(name: FormatName, base: _Base, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes of a text that holds values of ours: what stood there before those is what it was."""
    first = dict(standing(name, base.text, base.mixed)) if base.mixed is not None else {}
    now = {each.key: each.value for each in changes}
    again = (msgspec.structs.replace(was, key=key, value=now.get(key, was.value)) for key, was in first.items())
    return (*again, *(each for each in changes if each.key not in first))


def _entry(site: _Site, base: _Base, edited: _Edited, after: bytes) -> Entry:
    return Entry(
        client=site.client,
        file=str(site.file),
        format=site.place.format,
        existed=base.existed,
        before=base.before,
        after="" if base.mixed is not None else files.digest(after),
        splices=edited.splices,
        changes=edited.changes,
        ours=tuple(dict.fromkeys((*base.ours, *(each.value for each in edited.changes)))),
        directories=base.directories,
        earlier=base.earlier,
    )


def _notes(setup: Setup, wanted: Sequence[Wanted], changes: Sequence[Change]) -> tuple[str, ...]:
    """What a user must know who had another base URL there: requests will not go to it by themselves."""
    notes = []
    for each in wanted:
        held = next((c.was for c in changes if c.key == each.key), None)
        stood = (held or "").strip("'\"`")
        if not stood or same_place(stood, setup.root) or _is_known(stood, each, setup):
            continue
        notes.append(
            f"{shown(each.key)} was {plain(stood)}. TokenPak sends requests of {each.provider} to "
            f"{setup.upstreams.get(each.provider, 'nowhere')}; to have them go where they went, start it with "
            f"--upstream {each.provider}={_server(stood)}"
        )
    return tuple(notes)


def _is_known(url: str, wanted: Wanted, setup: Setup) -> bool:
    """Whether a base URL calls TokenPak, or the server it would send such requests to."""
    upstream = setup.upstreams.get(wanted.provider, "")
    return not url or same_place(url, setup.root) or same_place(url, upstream)


def _server(url: str) -> str:
    """A base URL as an upstream is named: without the version that requests bring along."""
    return url.rstrip("/").removesuffix("/v1")
