"""Secrets and personal data as a step of a request: on whose terms a body is searched, and what comes of it.

It runs in the front, before a worker sees the body, so that a secret never gets into jobs, plans or their memory. What
was searched once is known again by the hash of its bytes, kept without the findings' text; a turn costs its new part.

The key behind the placeholders is random and belongs to this installation: without it a placeholder tells nothing, and
with it the same secret has the same one after a restart. Where it cannot be kept, one is made for this process: secrets
stay out all the same, and a restart costs each conversation its cached prefix.
"""

from collections import Counter
from pathlib import Path

from tokenpak.core import redact
from tokenpak.core.body import Unreadable, read
from tokenpak.core.patch import Format
from tokenpak.core.redact import Blocked, Clean, Place, Redacted, Verdict, Warned
from tokenpak.core.redaction_terms import Policy, Terms, resolved
from tokenpak.services.newest import Newest
from tokenpak.services.own_key import own_key

ELEMENTS = 32_768
"""Elements of requests known again; some 150 bytes each, and 100 for a finding."""
_BILLED = b"cch="


class Redaction:
    """Searches bodies. key_file: where the key is kept, made when first needed."""

    def __init__(self, policy: Policy, key_file: Path) -> None:
        self._policy = policy
        self._memos: dict[tuple[str, ...], Newest[bytes, tuple[Place, ...]]] = {}
        self._counts = Counter({"searched": 0, "warned": 0, "redacted": 0, "blocked": 0})
        self._found: Counter[str] = Counter()
        self._key, self._kept = own_key(key_file) if policy.redacts else (b"", True)

    def terms(self, client: str | None) -> Terms:
        """What is looked for in a client's requests."""
        return resolved(self._policy, client)

    def search(self, fmt: Format | None, body: bytes, client: str | None) -> Verdict:
        """What becomes of a body without content coding. fmt: None where it is no format that is read."""
        terms = self.terms(client)
        kinds = terms.kinds
        if not kinds:
            return Clean()
        memo = self._memos.setdefault(kinds, Newest(ELEMENTS))
        places = redact.search(body, kinds, self._key, memo)
        self._found.update(place.kind for place in places)
        return self._counted(redact.judge(body, places, terms, lambda: _bills_bytes(fmt, body)))

    def statistics(self) -> dict[str, object]:
        """Bodies searched, and what came of them; findings by detector, again at every turn; elements known; whether the
        key outlives this process.
        """
        known = sum(map(len, self._memos.values()))
        return {**self._counts, "found": dict(self._found), "elements": known, "key_kept": self._kept}

    def _counted(self, verdict: Verdict) -> Verdict:
        self._counts["searched"] += 1
        match verdict:
            case Warned():
                self._counts["warned"] += 1
            case Redacted():
                self._counts["redacted"] += 1
            case Blocked():
                self._counts["blocked"] += 1
            case Clean():
                pass
        return verdict


def _bills_bytes(fmt: Format | None, body: bytes) -> bool:
    """Whether the client's bill depends on the body's bytes; where that cannot be read, it is taken for true."""
    if fmt is None or _BILLED not in body:
        return False
    try:
        return read(fmt, body).keep is not None
    except Unreadable:
        return True
