"""Tokens of this machine's clients, as a user writes them: `[tokens]`, a holder's name and the hash of its token each.

Only hashes stand in the configuration, so that whoever reads it cannot come in by it. They are plain SHA-256: a token is
made of random bytes, not of words somebody chose, and there is nothing to guess. What looks like the token itself is
refused without being repeated.
"""

import re
from collections.abc import Mapping

from tokenpak.config.rules import Unusable

ADVICE = 'Write name = "sha256:" and the 64 hexadecimal digits of the hash of its token.'

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The hash of no bytes at all; written out, as hashlib would put OpenSSL into every small process."""
_HASH = re.compile(r"sha256:([0-9a-fA-F]{64})")


def tokens_in(value: object) -> dict[str, str]:
    """The hash of each holder's token, in hexadecimal, small letters. Raises Unusable."""
    if not isinstance(value, Mapping):
        raise Unusable(f"tokens must be a table. {ADVICE}")
    found: dict[str, str] = {}
    for name, text in value.items():
        if not _NAME.fullmatch(name):
            raise Unusable(f"the name {name!r} must match {_NAME.pattern}.")
        matched = _HASH.fullmatch(text) if isinstance(text, str) else None
        if matched is None:
            raise Unusable(f"{name} has no hash that can be read. {ADVICE}")
        found[name] = matched[1].lower()
        if found[name] == _NOTHING:
            raise Unusable(f"{name} has the hash of an empty token, which everybody shows who shows none.")
    if len(set(found.values())) < len(found):
        raise Unusable("two names share one token, so they could not be told apart. Make one for each.")
    return found
