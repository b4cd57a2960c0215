"""Secrets and personal data in a request: what was found and where, and the edits that put placeholders in its place.

A redaction is the edit kind `redact`: inside the characters of one JSON string, and declared not invertible. It comes
before everything else, so that compression, its proofs, its memory and its rows are all about a request that has no
secret any more. The difficulty is the provider's cache: the same secret must leave as the same bytes at every turn. So a
placeholder is a function of the secret and of a key of this installation, and what is found in a string depends on that
string alone.

Where an edit is safe is an allow-list: text that a person, a tool or a model wrote, and the arguments of tool calls. A
finding anywhere else (a tool's definition, a name, an id, a field nobody knows) is fixed: it can be told of or refused,
never rewritten. What the provider itself has sealed (thinking, signatures, encrypted reasoning) and encoded pictures are
not looked into. Decision record: docs/decisions/007-redaction.md.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from tokenpak.core.body import Unreadable
from tokenpak.core.body.spans import Span, elements, members, offsets, string
from tokenpak.core.detectors import Detector, find, possible
from tokenpak.core.patch import Edit
from tokenpak.core.redaction_terms import Terms
from tokenpak.core.splice import spliced

KIND: Final = "redact"
"""The name of these edits."""

DIGITS: Final = 12
"""Hexadecimal digits that tell secrets apart: two of a thousand meet once in 500 million installations."""


class Place(NamedTuple):
    """One finding in an element of a body. start, end: its bytes, relative to the element. fixed: may not be edited."""

    start: int
    end: int
    kind: str
    new: bytes
    fixed: bool = False


Memo = MutableMapping[bytes, tuple[Place, ...]]
"""Findings by a hash of an element's bytes and its section. Only an optimisation: it holds no secret, and saves time."""


class Clean(NamedTuple):
    """Nothing was found."""


class Warned(NamedTuple):
    """The request goes as it is. found: findings by detector."""

    found: Counter[str]


class Redacted(NamedTuple):
    """The request goes with placeholders. found: findings by detector that are only told of. body, edits: what goes."""

    body: bytes
    edits: tuple[Edit, ...]
    found: Counter[str]


class Blocked(NamedTuple):
    """The request may not go. found: what forbids it, findings by detector. why: the user wants them refused; or wants
    them redacted, which cannot be done where they stand, or would change the client's bill.
    """

    found: Counter[str]
    why: Literal["wanted", "fixed", "billed"]


Verdict = Clean | Warned | Redacted | Blocked


def placeholder(key: bytes, kind: str, secret: str) -> str:
    """What stands for a secret: it names the detector, and the same secret has the same one under the same key."""
    digest = hmac.new(key, f"{kind}\n{secret}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    return f"[redacted:{kind}:{digest[:DIGITS]}]"


def judge(body: bytes, places: Sequence[Place], terms: Terms, billed: Callable[[], bool]) -> Verdict:
    """What becomes of a body in which all this was found. billed: whether the client's bill depends on its bytes."""
    levels = {place.kind: terms.level(place.kind) for place in places}
    refused = Counter(place.kind for place in places if levels[place.kind] == "block")
    if refused:
        return Blocked(refused, "wanted")
    ours = [place for place in places if levels[place.kind] == "redact"]
    fixed = Counter(place.kind for place in ours if place.fixed)
    if fixed:
        return Blocked(fixed, "fixed")
    if ours and terms.billed == "block" and billed():
        return Blocked(Counter(place.kind for place in ours), "billed")
    told = Counter(place.kind for place in places if levels[place.kind] == "warn")
    if not ours:
        return Warned(told) if told else Clean()
    edits = tuple(Edit(place.start, place.end, place.new, KIND) for place in ours)
    return Redacted(spliced(body, edits), edits, told)


def search(body: bytes, kinds: Collection[str], key: bytes, memo: Memo) -> list[Place]:
    """Every finding in a body, in order. A body that is no JSON object, or cannot be read exactly, is searched as it stands."""
    places: list[Place] = []
    try:
        parts = list(_parts(body))
    except Unreadable:
        parts = [(_WHOLE, (0, len(body)))]
    for section, (start, end) in parts:
        piece = body[start:end]
        name = hashlib.sha256(section.encode() + b":" + piece).digest()
        found = memo.get(name)
        if found is None:
            found = _searched(section, piece, kinds, key)
            memo[name] = found
        places += (place._replace(start=place.start + start, end=place.end + start) for place in found)
    return sorted(places)


_CONTENT = frozenset(
    {"system", "messages", "instructions", "input", "prompt", "contents", "system_instruction", "systemInstruction"}
)
"""Members of a request that hold what was said. All other members are looked into, and fixed."""

_TEXT = frozenset({"text", "content", "input", "output", "arguments"})
"""Members of what was said whose strings are text."""

_FREE = frozenset({"input", "arguments", "args", "response", "action"})
"""Members of a tool call or its result below which every string is text: arguments, as an object."""

_SHUT = frozenset(
    {"signature", "encrypted_content", "thoughtSignature", "thought_signature", "cache_control", "thinking"}
)
_SHUT_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning", "compaction", "base64"})
"""What the provider sealed, and encoded pictures: not looked into."""

_WHOLE = ""
"""The section of a body that cannot be taken apart."""
_BILLING = "x-anthropic-billing-header:"
_PICTURE = "data:"


def _parts(body: bytes) -> Iterator[tuple[str, Span]]:
    """The body in the pieces it grows by: elements of lists, and members. Raises Unreadable."""
    for name, span in members(body, (0, len(body))).items():
        if body[span[0] : span[0] + 1] == b"[":
            for element in elements(body, span):
                yield name, element
        else:
            yield name, span


def _searched(section: str, piece: bytes, kinds: Collection[str], key: bytes) -> tuple[Place, ...]:
    detectors = possible(piece, kinds)
    if not detectors:
        return ()
    if section != _WHOLE:
        with suppress(Unreadable):
            walk = _Walk(piece, detectors, key)
            walk.value((0, len(piece)), "text" if section in _CONTENT else "", fixed=section not in _CONTENT)
            return tuple(walk.places)
    text = piece.decode("utf-8", "replace")
    return tuple(Place(0, 0, found.kind, b"", fixed=True) for found in find(text, detectors))


class _Walk:
    """Through one element, value by value."""

    def __init__(self, piece: bytes, detectors: Sequence[Detector], key: bytes) -> None:
        self._piece, self._detectors, self._key = piece, detectors, key
        self.places: list[Place] = []

    def value(self, span: Span, name: str, *, fixed: bool, free: bool = False) -> None:
        """name: of the member whose value this is. fixed: nothing in it may be edited. free: every string in it may."""
        match self._piece[span[0] : span[0] + 1]:
            case b'"':
                self._string(span, fixed=fixed or not (free or name in _TEXT))
            case b"[":
                for element in elements(self._piece, span):
                    self.value(element, name, fixed=fixed, free=free)
            case b"{":
                self._object(span, fixed=fixed, free=free)
            case _:
                pass

    def _object(self, span: Span, *, fixed: bool, free: bool) -> None:
        found = members(self._piece, span)
        if free:
            for name, inner in found.items():
                self.value(inner, name, fixed=fixed, free=True)
            return
        kind = string(self._piece, found["type"]) if "type" in found else None
        if kind in _SHUT_TYPES:
            return
        for name, inner in found.items():
            if name not in _SHUT:
                is_object = self._piece[inner[0] : inner[0] + 1] == b"{"
                self.value(inner, name, fixed=fixed, free=is_object and name in _FREE)

    def _string(self, span: Span, *, fixed: bool) -> None:
        text = string(self._piece, span)
        if text is None:
            raise Unreadable("bad_string")
        found = [] if text.startswith(_PICTURE) else find(text, self._detectors)
        if not found:
            return
        start, end = span[0] + 1, span[1] - 1
        where = offsets(self._piece[start:end], [at for each in found for at in (each.start, each.end)], len(text))
        fixed = fixed or text.startswith(_BILLING)
        for index, each in enumerate(found):
            new = placeholder(self._key, each.kind, text[each.start : each.end]).encode()
            self.places.append(
                Place(start + where[2 * index], start + where[2 * index + 1], each.kind, b"" if fixed else new, fixed)
            )
