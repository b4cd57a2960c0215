"""What is to be looked for in requests, as a user writes it: [redaction], and [[redaction.rules]] for some clients.

A detector that is misspelt would not be left out, and a level that is misread would let a secret go. So every word is
checked, and a refusal says which one and what was probably meant.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tokenpak.config.rules import Unusable, check_client, converted, meant
from tokenpak.config.words import Words
from tokenpak.core.detectors import NAMES
from tokenpak.core.redaction_terms import Policy, Rule, Terms

WORDS: Mapping[str, Words] = {
    "secrets": Words("Keys, tokens, passwords: not looked for, told of in the row, replaced, or not sent."),
    "pii": Words("The same for personal data."),
    "without": Words("Detectors left out.", kind="list of names"),
    "billed": Words("What `redact` means where the client's bill depends on the bytes of its body."),
}
"""What the table may hold, and each of its rules."""
OF_RULE: Mapping[str, Words] = {
    "client": Words("Pattern for the name by which a client is known; left out, it fits all.", kind="pattern"),
    **WORDS,
}

_BASE = {field.name: field.type for field in msgspec.structs.fields(Terms)}
_OF_RULE = {field.name: field.type for field in msgspec.structs.fields(Rule)}


def redaction_in(value: object) -> Policy:
    """The policy from a table. Raises Unusable, naming a rule by its place, counted from 1."""
    if not isinstance(value, Mapping):
        raise Unusable("redaction must be a table. Write [redaction] above its keys.")
    base = {key: each for key, each in value.items() if key != "rules"}
    terms = msgspec.convert(_checked(base, _BASE, (*_BASE, "rules")), Terms)
    rules = value.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(each, Mapping) for each in rules):
        raise Unusable("rules must be a list of tables. Write [[redaction.rules]] above each.")
    out = []
    for number, each in enumerate(rules, 1):
        try:
            out.append(_rule(each))
        except Unusable as error:
            raise Unusable(f"rule {number}: {error}") from error
    return Policy(terms, tuple(out))


def _rule(table: Mapping[str, object]) -> Rule:
    rule = msgspec.convert(_checked(table, _OF_RULE, _OF_RULE), Rule)
    if table.keys() <= {"client"}:
        raise Unusable(f"it changes nothing. Add one of: {', '.join(_BASE)}.")
    if rule.client is not None:
        check_client(rule.client)
    return rule


def _checked(table: Mapping[str, Any], types: Mapping[str, Any], known: Any) -> Mapping[str, Any]:
    for key, value in table.items():
        if key not in types:
            raise Unusable(f"unknown key {key!r}. {meant(key, known)}")
        converted(key, value, types[key])
    for name in table.get("without") or ():
        if name not in NAMES:
            raise Unusable(f"without: unknown detector {name!r}. {meant(name, NAMES)}")
    return table
