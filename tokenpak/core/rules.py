"""Which terms a request is compressed on: what holds for all, refined by the user's rules for its client and its model.

Rules are read from the first to the last, and each that fits the request sets what it names; so the last one to name
a thing decides it, and a rule never has to repeat what it does not change. The difficulty is that both selectors are
claims: the client's name comes from its headers and the model from its body. They may choose terms, which are all
safe, and nothing else. Terms bind new blocks only: what was sent keeps its form under any rule.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated

import msgspec

from tokenpak.core.ledger import stated_minimum
from tokenpak.core.patch import Level, Policy

PATTERNS = 256
"""Compiled patterns kept; a configuration holds a handful."""


class Terms(msgspec.Struct, frozen=True):
    """What a request is compressed on. cache_marks: may cache marks be placed where the client's own leave a gap.

    response_cache: may an answer be given again (core/recall), for response_cache_s seconds at most, None: as long as any.
    single_flight: does a request wait for the answer to the same one that is under way.
    """

    policy: Policy = Policy()
    cache_marks: bool = True
    response_cache: bool = False
    response_cache_s: int | None = None
    single_flight: bool = False


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refinement for some requests. None: fits any, or leaves as it is.

    client: pattern for the client's name as core/client.py tells it. model: pattern for the model asked for.
    level, passes, floor_tokens: as in Policy. without: passes taken away from those that hold by then. The rest as in Terms.
    """

    client: str | None = None
    model: str | None = None
    level: Level | None = None
    passes: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    floor_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    cache_marks: bool | None = None
    response_cache: bool | None = None
    response_cache_s: Annotated[int, msgspec.Meta(ge=1)] | None = None
    single_flight: bool | None = None


_AS_THEY_ARE = ("cache_marks", "response_cache", "response_cache_s", "single_flight")
"""What a rule sets by the same name."""


def resolved(rules: Iterable[Rule], base: Terms, client: str | None, model: str | None) -> Terms:
    """The terms for a request: `base`, refined by every rule that fits, in order. None: not known.

    Whatever is set, the floor is no lower than the smallest prefix that is cached for a model known to need a long one.
    """
    terms = base
    for rule in rules:
        if fits(rule, client, model):
            terms = refined(terms, rule)
    least = stated_minimum(model or "")
    if terms.policy.floor_tokens >= least:
        return terms
    return msgspec.structs.replace(terms, policy=msgspec.structs.replace(terms.policy, floor_tokens=least))


def fits(rule: Rule, client: str | None, model: str | None) -> bool:
    """True when both patterns match. What is not known is the empty name, which `*` matches and no name does."""
    return matches(rule.client, client or "") and matches(rule.model, model or "")


def refined(terms: Terms, rule: Rule) -> Terms:
    """The terms with what the rule names, whatever it is meant for."""
    old = terms.policy
    passes = old.passes if rule.passes is None else rule.passes
    policy = Policy(
        level=rule.level or old.level,
        passes=tuple(name for name in passes if name not in rule.without),
        floor_tokens=old.floor_tokens if rule.floor_tokens is None else rule.floor_tokens,
    )
    named = {name: value for name in _AS_THEY_ARE if (value := getattr(rule, name)) is not None}
    return msgspec.structs.replace(terms, policy=policy, **named)


def matches(pattern: str | None, name: str) -> bool:
    """True where the whole name matches; no pattern fits any."""
    return pattern is None or _compiled(pattern).fullmatch(name) is not None


@lru_cache(PATTERNS)
def _compiled(pattern: str) -> re.Pattern[str]:
    """`*` stands for any characters, `?` for one; all else for itself, since names of models may hold brackets."""
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(char) or re.escape(char) for char in pattern), re.IGNORECASE | re.DOTALL)
