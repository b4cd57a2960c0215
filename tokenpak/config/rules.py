"""Passes and rules as a user writes them, checked word by word.

A rule that misses its mark does so in silence: a misspelt pass is never left out, a misspelt client never met. So every
word that can be checked is, and a refusal names the rule by its number, the word, and what was probably meant.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tokenpak.config.demands import mistake
from tokenpak.config.words import Words
from tokenpak.core.client import NAMES
from tokenpak.core.patch import PASSES
from tokenpak.core.rules import Rule

WORDS: Mapping[str, Words] = {
    "client": Words("Pattern for the name by which a client is known; left out, it fits all.", kind="pattern"),
    "model": Words("Pattern for the model that a request asks for; left out, it fits all.", kind="pattern"),
    "level": Words("Their [level](#level)."),
    "passes": Words("Their [passes](#passes), whatever earlier rules took away.", kind="list of names"),
    "without": Words("Passes taken away from those that hold by then.", kind="list of names"),
    "floor_tokens": Words("Their [floor](#floor_tokens).", unit="tokens"),
    "cache_marks": Words("Whether [cache marks](#cache_marks) are placed in them."),
    "response_cache": Words("Whether an answer may be given again to exactly the same request."),
    "response_cache_s": Words("For how long; left out, as long as `response_cache.max_age_s`.", unit="seconds"),
    "single_flight": Words("Whether a request waits for the answer to the same one that is under way."),
}
"""What a rule may hold."""

_FIELDS = {field.name: field.type for field in msgspec.structs.fields(Rule)}
_SELECTORS = ("client", "model")
_CHANGES = tuple(name for name in _FIELDS if name not in _SELECTORS)
_ABOVE = "What is meant for all requests stands above the first [[rules]]."
_WILD = frozenset("*?")
CLIENTS = NAMES
"""The names of the clients that are known by their headers."""


class Unusable(ValueError):  # noqa: N818 - said of a value; who reads the source names it in the error a user sees
    """A value no rule can be made of; the message says which word and what to do."""


def passes_in(names: Sequence[str]) -> tuple[str, ...]:
    """The passes named, in the order in which passes see a text, whatever the order given. Raises Unusable."""
    for name in names:
        if name not in PASSES:
            raise Unusable(f"unknown pass {name!r}. {meant(name, PASSES)}")
    return tuple(name for name in PASSES if name in names)


def rules_in(value: object) -> tuple[Rule, ...]:
    """Rules from a list of tables. Raises Unusable, naming a rule by its place, counted from 1."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise Unusable("rules must be a list of tables. Write [[rules]] above each.")
    out = []
    for number, each in enumerate(value, 1):
        try:
            out.append(_rule(each))
        except Unusable as error:
            raise Unusable(f"rule {number}: {error}") from error
    return tuple(out)


def meant(word: str, known: Iterable[str]) -> str:
    """What to write instead of a word that is not known."""
    known = tuple(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


def _rule(table: Mapping[str, object]) -> Rule:
    for key, value in table.items():
        if key not in _FIELDS:
            raise Unusable(f"unknown key {key!r}. {meant(key, _FIELDS)} {_ABOVE}")
        converted(key, value, _FIELDS[key])
    if table.keys().isdisjoint(_CHANGES):
        raise Unusable(f"it changes nothing. Add one of: {', '.join(_CHANGES)}.")
    rule = msgspec.convert(table, Rule)
    if rule.client is not None:
        check_client(rule.client)
    passes = None if rule.passes is None else passes_in(rule.passes)
    return msgspec.structs.replace(rule, passes=passes, without=passes_in(rule.without))


def converted(key: str, value: object, kind: Any) -> Any:
    """What stands at a key of a table, as a value of its type. Raises Unusable."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unusable(mistake(key, value, kind)) from error


def check_client(pattern: str) -> None:
    """A name nobody has is fine, if it does not look like one that somebody has: then it is a slip."""
    if _WILD & set(pattern) or pattern.lower() in CLIENTS:
        return
    near = difflib.get_close_matches(pattern.lower(), CLIENTS, n=1, cutoff=0.75)
    if near:
        raise Unusable(
            f"client = {pattern!r}: no client has this name. Did you mean {near[0]!r}? "
            f"If a client of yours is called so, write {pattern + '*'!r}."
        )
