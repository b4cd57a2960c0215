"""`tokenpak prices`: the prices that bills are told by, what would change with others, and the way to install others.

No network: a newer table comes with the next release, or is a file of the user's own. What is shown is what is in force:
the user's own prices first, then the installed or the shipped table, less what was promised until a day that is over.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from cyclopts import App, Parameter

from tokenpak.cli.options import Switch, wanted_settings
from tokenpak.cli.render import table
from tokenpak.config import prices
from tokenpak.config.paths import prepare
from tokenpak.config.prices import KEYS, SEARCH, Prices, TableFile
from tokenpak.config.rules import Unusable
from tokenpak.config.settings import ConfigError, Settings
from tokenpak.core.cost import ModelPrices, PriceTable, price_of_class

app = App(name="prices", help="Show, compare or replace the prices that bills are told by.")

STDIN = Path("-")
EVERYWHERE = "any"
"""Stands for the provider of a price the user states for all of them."""

TableAt = Annotated[Path | None, Parameter(allow_leading_hyphen=True)]
Heading = tuple[str, ...]
HEADING: Heading = ("PROVIDER", "MODEL", "INPUT", "READ", "WRITE 5M", "WRITE 1H", "WRITE", "OUTPUT", "SEARCH", "FROM")
COLUMNS = (*KEYS, SEARCH)
"""The prices of a row, by what they are called where they are written."""


class Row(NamedTuple):
    """A model's prices in force. above: input tokens from which on it is billed by these; None: by default."""

    provider: str
    model: str
    prices: ModelPrices
    source: str
    above: int | None = None


@app.default
@app.command
def show(
    model: str | None = None, /, *, json: Switch = False, state_dir: Path | None = None, config: Path | None = None
) -> int:
    """Show the prices in force.

    In dollars for a million tokens, or for 1,000 searches of the web.

    Parameters
    ----------
    model
        A model by any name a provider knows it by. Default: all models.
    json
        Print everything that is known as JSON.
    state_dir
        State directory of the instance. Default: the user's state directory.
    config
        Configuration file that holds your own prices.

    """
    found = _in_force(_settings(state_dir, config))
    rows = list(_rows(found.table) if model is None else _named(found.table, model))
    if json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(_everything(found, rows)), indent=2).decode() + "\n")
    elif rows:
        sys.stdout.write(f"{_headline(found)}\n\n{table(HEADING, [_cells(row) for row in rows])}\n")
    else:
        sys.stdout.write(
            f"{model}: no price{_over(found, str(model))}. Its cost is left open, never taken for nothing.\n"
        )
        sys.stdout.write(f'State its prices in the configuration: [prices."{model}"]\n')
    return 0 if rows or model is None else 1


@app.command
def diff(file: TableAt = None, /, *, state_dir: Path | None = None, config: Path | None = None) -> int:
    """Show how the prices in force differ from the shipped table.

    Or, with a file, what that would change in them.

    Parameters
    ----------
    file
        A table of prices, or - for standard input. Default: what is in force against the shipped table.
    state_dir
        State directory of the instance. Default: the user's state directory.
    config
        Configuration file that holds your own prices.

    """
    settings = _settings(state_dir, config)
    now = _in_force(settings).table
    if file is None:
        before, after = prices.in_force(prices.shipped(), {}, _today()), now
    else:
        before, after = now, prices.in_force(_parsed(file, _contents(file)), settings.prices, _today())
    _tell_changes(before, after)
    return 0


@app.command
def update(
    file: TableAt = None, /, *, undo: Switch = False, state_dir: Path | None = None, config: Path | None = None
) -> int:
    """Use a table of prices from a file from now on.

    The one before is kept. Nothing is downloaded.

    Parameters
    ----------
    file
        A table of prices no older than the shipped one, or - for standard input.
    undo
        Take the last update back instead.
    state_dir
        State directory of the instance. Default: the user's state directory.
    config
        Configuration file that names the state directory.

    """
    if undo == (file is not None):
        raise ConfigError("name a file with a table of prices (or - for standard input), or --undo, and not both.")
    settings = _settings(state_dir, config)
    before = _in_force(settings).table
    if file is None:
        if not prices.undo(settings.paths):
            raise ConfigError("no table of prices is installed: there is nothing to undo.")
    else:
        _install(file, settings)
    _tell_changes(before, _in_force(settings).table)
    sys.stdout.write("Running processes use it after `tokenpakctl restart`.\n")
    return 0


def _install(file: Path, settings: Settings) -> None:
    raw = _contents(file)
    prepare(settings.paths)
    try:
        prices.install(raw, settings.paths)
    except Unusable as error:
        raise ConfigError(f"{file}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{settings.paths.prices}: {error.strerror}. The prices are what they were.") from error


def _settings(state_dir: Path | None, config: Path | None) -> Settings:
    return wanted_settings(state_dir, config, None, (), None)


def _in_force(settings: Settings) -> Prices:
    return prices.load(settings.paths, settings.prices, _today())


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _contents(file: Path) -> bytes:
    try:
        if file == STDIN:
            return sys.stdin.buffer.read(prices.LARGEST_BYTES + 1)
        with file.open("rb") as stream:
            return stream.read(prices.LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}. Name a file with a table of prices.") from error


def _parsed(file: Path, raw: bytes) -> TableFile:
    try:
        return prices.parsed(raw)
    except Unusable as error:
        raise ConfigError(f"{file}: {error}") from error


def _rows(known: PriceTable) -> Iterator[Row]:
    """Every model of a table as it is found, then what the user states besides."""
    shown = set()
    for provider, entries in known.entries.items():
        for model in entries:
            found = known.find(provider, model)
            if found is not None:
                shown.add(found.model)
                yield from _lengths(provider, model, found.prices, found.source)
    for name, own in known.overrides.items():
        if name not in shown:
            yield from _lengths(*_owner(name), own, "config")


def _named(known: PriceTable, model: str) -> Iterator[Row]:
    """A model at every provider that knows it by that name; what the user states for all of them, once."""
    stated = dict.fromkeys(_owner(name)[0] for name in known.overrides)
    for provider in dict.fromkeys([*known.entries, *stated, EVERYWHERE]):
        found = known.find(provider, model)
        if found is None:
            continue
        if found.source == "table":
            yield from _lengths(provider, found.model, found.prices, found.source)
        elif provider in (_owner(found.model)[0], EVERYWHERE):
            yield from _lengths(*_owner(found.model), found.prices, found.source)


def _owner(name: str) -> tuple[str, str]:
    """Provider and model of a price that the user states."""
    provider, slash, model = name.partition("/")
    return (provider, model) if slash else (EVERYWHERE, name)


def _over(found: Prices, model: str) -> str:
    """Until when a price was promised that the table has, but that no longer holds; "" where it has none."""
    ever = prices.in_force(found.file, {}, "")
    for provider, family in found.file.families.items():
        past = ever.find(provider, model)
        if past is not None:
            return f" any more: the one in the table was promised until {family.entries[past.model].until}"
    return ""


def _lengths(provider: str, model: str, found: ModelPrices, source: str) -> Iterator[Row]:
    yield Row(provider, model, found, source)
    if found.long is not None:
        yield Row(provider, model, found.long, source, found.above)


def _cells(row: Row) -> list[str]:
    length = "" if row.above is None else f" > {row.above // 1000}k"
    return [row.provider, row.model + length, *_dollars(row.prices), row.source]


def _dollars(found: ModelPrices) -> list[str]:
    tokens = [_dollar(price_of_class(found, name), prices.PICO_IN_DOLLAR_A_MILLION) for name in KEYS.values()]
    return [*tokens, _dollar(found.web_search, prices.PICO_IN_DOLLAR_A_THOUSAND)]


def _dollar(pico: int | None, pico_in_dollar: int) -> str:
    """Dollars for so many, with no more digits than it takes; - for none."""
    return "-" if pico is None else f"{Decimal(pico) / pico_in_dollar:f}"


def _headline(found: Prices) -> str:
    lines = [
        f"Prices {found.table.id} ({found.origin} table of {found.file.date}), dollars for a million tokens, or 1,000 searches"
    ]
    lines += [f"  {provider}: {family.source}, read {family.read}" for provider, family in found.file.families.items()]
    if found.trouble:
        lines.append(f"! The installed table is not used. {found.trouble}")
    return "\n".join(lines)


def _everything(found: Prices, rows: list[Row]) -> dict[str, object]:
    sources = {name: {"source": family.source, "read": family.read} for name, family in found.file.families.items()}
    return {
        "id": found.table.id,
        "date": found.file.date,
        "origin": found.origin,
        "trouble": found.trouble or None,
        "sources": sources,
        "prices": [
            {
                "provider": row.provider,
                "model": row.model,
                "from": row.source,
                "above": row.above,
                **{key: price_of_class(row.prices, name) for key, name in KEYS.items()},
                SEARCH: row.prices.web_search,
            }
            for row in rows
        ],
        "unit": "pico-dollars a token, or a search",
    }


def _tell_changes(before: PriceTable, after: PriceTable) -> None:
    lines = list(_changes(_by_name(before), _by_name(after))) or ["No price differs."]
    sys.stdout.write(f"{before.id} -> {after.id}\n" + "".join(f"{line}\n" for line in lines))


def _by_name(known: PriceTable) -> dict[str, list[str]]:
    return {" ".join(cells[:2]): cells[2:-1] for cells in map(_cells, _rows(known))}


def _changes(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield f"- {name}"
        elif name not in before:
            yield f"+ {name}: " + ", ".join(
                f"{key} {new}" for key, new in zip(COLUMNS, after[name], strict=True) if new != "-"
            )
        elif before[name] != after[name]:
            pairs = zip(COLUMNS, before[name], after[name], strict=True)
            yield f"~ {name}: " + ", ".join(f"{key} {old} -> {new}" for key, old, new in pairs if old != new)
