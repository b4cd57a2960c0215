"""The reference of the configuration, written from the settings: every key, what it may hold, and what it does.

    python tests/bench/configuration_page.py docs/reference/configuration.md

Type, bounds and default are those that a value is checked by; the words stand beside them (`tokenpak/config`). A key that
has no words is an error, and so are words about a key that is not there.
"""

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

sys.path[:0] = [str(Path(__file__).parents[2])]

import msgspec  # noqa: E402 - the path above makes the rest importable when run as a script

from tokenpak.config import budgets, prices, redaction, rules  # noqa: E402 - see above
from tokenpak.config.keys import RESPONSE_CACHE  # noqa: E402 - see above
from tokenpak.config.settings import DEFAULT_UPSTREAMS, IN_TOML, PREFIX, UPSTREAM_PREFIX, Settings  # noqa: E402 - see above
from tokenpak.config.words import Words, words_of  # noqa: E402 - see above
from tokenpak.control.reload import AT_START  # noqa: E402 - see above
from tokenpak.control.serve_command import CARRIED  # noqa: E402 - see above
from tokenpak.core import recall, redaction_terms  # noqa: E402 - see above
from tokenpak.core.budget import Budget  # noqa: E402 - see above
from tokenpak.core.rules import Rule  # noqa: E402 - see above

INTRODUCTION = """# Configuration reference

Every key, made from the settings themselves (`python tests/bench/configuration_page.py`). Where they stand, which of them
wins, and how rules and prices are written is told in the [guide](../configuration.md).

A key that is left out has its default. The variable of each is looked for where the service is started; a list is words
between commas there, a table is TOML. Keys marked **at the start** are taken in by `tokenpakctl stop` and `tokenpakctl
start`, all others by `tokenpakctl reload` too.
"""

OPTIONS = {**CARRIED, "upstreams": "--upstream"}
DEFAULTS = {
    "state_dir": "the user's state directory",
    "upstreams": ", ".join(f"`{name}`: {url}" for name, url in DEFAULT_UPSTREAMS.items()),
    "passes": "all",
    "requests_per_client": "any number",
    "requests_per_session": "any number",
    "redaction": "the table's, below",
    "response_cache": "the table's, below",
}
"""Defaults that are no value, or none that says it."""
MIB, WIDTH = 1024 * 1024, 120
KINDS = {
    msgspec.inspect.IntType: "whole number",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "`true` or `false`",
    msgspec.inspect.StrType: "text",
}


class Table(NamedTuple):
    """Keys inside a table. struct: what a value is checked by; None: by its reader alone. absent: what a missing key means."""

    title: str
    words: Mapping[str, Words]
    struct: type[msgspec.Struct] | None
    absent: str = "none"


TABLES: Mapping[str, tuple[Table, ...]] = {
    "rules": (Table("Each rule", rules.WORDS, Rule, "unchanged"),),
    "prices": (Table("Each model", prices.WORDS, None),),
    "budgets": (Table("Each budget", budgets.WORDS, Budget),),
    "redaction": (
        Table("The table", redaction.WORDS, redaction_terms.Terms),
        Table("Each `[[redaction.rules]]`", redaction.OF_RULE, redaction_terms.Rule, "unchanged"),
    ),
    "response_cache": (Table("The table", RESPONSE_CACHE, recall.Bounds),),
}


def page() -> str:
    words, fields = words_of(Settings), {field.name: field for field in msgspec.structs.fields(Settings)}
    _same("the settings", words, fields)
    parts = [INTRODUCTION, _index(fields, words)]
    parts += [_section(fields[name], words[name]) for name in fields]
    return "\n".join(parts)


def _index(fields: Mapping[str, Any], words: Mapping[str, Words]) -> str:
    rows = [f"| [`{name}`](#{name}) | {_default_of(fields[name])} | {words[name].unit} |" for name in fields]
    return "\n".join(["| key | default | unit |", "|---|---|---|", *rows, ""])


def _section(field: Any, words: Words) -> str:
    lines = [
        f"## {field.name}\n",
        f"{textwrap.fill(words.text, WIDTH, break_long_words=False, break_on_hyphens=False)}\n",
        f"- holds: {_holds(words, field.type)}",
        f"- default: {_default_of(field)}{_in_mib(field.default) if words.unit == 'bytes' else ''}",
        f"- variable: {_variable(field.name)}",
    ]
    lines += [f"- option of `tokenpak serve`: `{OPTIONS[field.name]}`"] if field.name in OPTIONS else []
    lines += ["- taken in: **at the start**"] if field.name in AT_START else []
    lines += [f"\n```toml\n{words.example}\n```\n"]
    lines += [_table(each) for each in TABLES.get(field.name, ())]
    return "\n".join(lines)


def _table(table: Table) -> str:
    types = {field.name: field for field in msgspec.structs.fields(table.struct)} if table.struct else {}
    if table.struct:
        _same(table.title, table.words, types)
    head = [f"{table.title}:\n", "| key | holds | default | what it does |", "|---|---|---|---|"]
    return "\n".join([*head, *_rows(table, types), ""])


def _rows(table: Table, fields: Mapping[str, Any]) -> Iterator[str]:
    for name, words in table.words.items():
        field = fields.get(name)
        absent = "any" if words.kind == "pattern" else table.absent
        default = _default(field, absent) if field else absent
        yield f"| `{name}` | {_holds(words, field.type if field else None)} | {default} | {words.text} |"


def _same(what: str, words: Mapping[str, Words], fields: Mapping[str, object]) -> None:
    if different := words.keys() ^ fields.keys():
        raise ValueError(f"{what}: {', '.join(sorted(different))} has words and is no key, or has none")


def _holds(words: Words, hint: Any) -> str:
    """Kind, unit and bounds, as far as they say something."""
    kind, bounds = _of_type(hint)
    parts = (words.kind or kind, words.unit, words.range or bounds)
    return ", ".join(part for part in parts if part)


def _of_type(hint: Any) -> tuple[str, str]:
    """What a type is called, and its bounds."""
    if hint is None:
        return "", ""
    if choices := _choices(hint):
        return ", ".join(f'`"{value}"`' for value in choices), ""
    info = msgspec.inspect.type_info(hint)
    while isinstance(info, msgspec.inspect.Metadata | msgspec.inspect.UnionType):
        info = info.type if isinstance(info, msgspec.inspect.Metadata) else info.types[0]
    return KINDS.get(type(info), ""), _bounds(info)


def _choices(hint: Any) -> tuple[str, ...]:
    """The words one of which is written, in the order they were given in, which msgspec does not keep."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for each in get_args(hint) if (found := _choices(each))), ())


def _bounds(info: Any) -> str:
    low, high = getattr(info, "ge", None), getattr(info, "le", None)
    if low is not None and high is not None:
        return f"{low:,} to {high:,}"
    return f"at least {low:,}" if low is not None else ""


def _default_of(field: Any) -> str:
    return DEFAULTS.get(field.name) or _default(field)


def _default(field: Any, absent: str = "none") -> str:
    value = field.default
    if field.required:
        return "must be there"
    if value is msgspec.NODEFAULT or value is None or value == ():
        return absent
    return f"`{msgspec.json.encode(value).decode()}`"


def _in_mib(count: int) -> str:
    return f" ({count // MIB:,} MiB)" if count % MIB == 0 else ""


def _variable(name: str) -> str:
    if name == "upstreams":
        return f"`{UPSTREAM_PREFIX}<NAME>`, one for each"
    example = f", such as `{PREFIX}{name.upper()}='{IN_TOML[name]}'`" if name in IN_TOML else ""
    return f"`{PREFIX}{name.upper()}`{example}"


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: configuration_page.py PAGE")
    Path(sys.argv[1]).write_text(page())


if __name__ == "__main__":
    main()
