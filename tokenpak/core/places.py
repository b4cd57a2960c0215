"""Where cache marks stand in an Anthropic request, and where one may be put: its blocks as a provider's cache sees them.

Every block becomes a `Place`: the hash and the size of the request up to its end, the client's marks on it, and whether a
mark of ours may stand there. The hash is over decoded values with keys in the order they came, marks left out and a string
taken for the one text block it equals; that is what a provider compares, while the same turn's bytes differ from one
request to the next. The difficulty is speed: this runs in the front, on bodies of a megabyte. Elements are known
again by a hash of all before them and their bytes, and a client that marks its tail itself is told at a glance.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

import msgspec

from tokenpak.core import ledger
from tokenpak.core.body import Unreadable, read
from tokenpak.core.body.marks import KEY, life_of, marks_in
from tokenpak.core.body.spans import Span, elements, members
from tokenpak.core.ledger import Life, Prefix
from tokenpak.core.patch import Format

TOKEN_BYTES = 4
IMAGE_TOKENS = 1500

_ANY = msgspec.json.Decoder()
_PLAIN = msgspec.json.Encoder()
_TAIL_MESSAGES = 2
"""A mark in one of the last so many messages moves with the conversation."""
_ELSEWHERE = ("tool_choice", "thinking")
"""Members a change of which ends the entries behind tools and system."""
_TELLING = ("system", "context_management")
"""Members that tell whether a request is to be left alone."""
_PICTURES = frozenset({"image", "document"})


class Place(NamedTuple):
    """One block. prefix: the request up to its end. marks: lives of the client's marks on it or in it.

    fit: a mark of ours may stand there.
    """

    prefix: Prefix
    marks: tuple[Life, ...]
    fit: bool


Memo = MutableMapping[bytes, tuple[Place, ...]]
"""The places of an element by a hash of all before it and its bytes. Only an optimisation."""


class Element(NamedTuple):
    """A tool, a system block, a message: its section, its span in the body, the number of its blocks."""

    section: str
    span: Span
    blocks: int


class Layout(msgspec.Struct, frozen=True):
    """A request as far as marks care.

    places: its blocks. elements: what they lie in, in order. head: number of blocks in tools and system. answered: the
    model has said something. covered: the client's own marks reach the tail. kept: why marks are out of the question, one
    word, or None: no byte may be touched, or the server itself takes text out of the history and so ends entries.
    """

    places: tuple[Place, ...]
    elements: tuple[Element, ...]
    head: int
    answered: bool
    covered: bool
    kept: str | None

    @property
    def prefixes(self) -> list[Prefix]:
        return [place.prefix for place in self.places]

    @property
    def client_marks(self) -> dict[int, Life]:
        """The client's marks by position; where a block has several, the one it would be found under by its provider."""
        return {index: place.marks[0] for index, place in enumerate(self.places) if place.marks}


class BlockRead(NamedTuple):
    """One block of an element. key: what a provider hashes of it, marks aside."""

    key: bytes
    tokens: int
    marks: tuple[Life, ...]
    fit: bool


class _Top(msgspec.Struct):
    messages: list[msgspec.Raw]
    cache_control: object = None


_TOP = msgspec.json.Decoder(_Top)


def seems_covered(body: bytes) -> bool:
    """True when a mark stands on the request or near its end, at a glance. Raises Unreadable."""
    if KEY not in body:
        return False
    try:
        top = _TOP.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not_a_request") from error
    return top.cache_control is not None or any(KEY in bytes(each) for each in top.messages[-_TAIL_MESSAGES:])


def lay_out(body: bytes, scope: bytes, memo: Memo | None = None) -> Layout:
    """The layout of a body. scope: what its cache depends on that is not in the blocks. Raises Unreadable."""
    top = members(body, (0, len(body)))
    walk = _Walk(body, ledger.first_digest(scope), {} if memo is None else memo)
    walk.take("tools", top.get("tools"))
    walk.take("system", top.get("system"))
    head = len(walk.places)
    walk.digest = ledger.digest_after(walk.digest, _PLAIN.encode([_value(body, top.get(name)) for name in _ELSEWHERE]))
    walk.take("messages", top.get("messages"))
    tail = sum(each.blocks for each in walk.elements[-_TAIL_MESSAGES:] if each.section == "messages")
    covered = life_of(_value(body, top.get("cache_control"))) is not None or any(
        place.marks for place in walk.places[len(walk.places) - tail :]
    )
    view = read(Format.ANTHROPIC, alone({name: body[slice(*top[name])] for name in _TELLING if name in top}))
    return Layout(tuple(walk.places), tuple(walk.elements), head, walk.answered, covered, view.keep or view.unreferable)


def alone(values: Mapping[str, bytes]) -> bytes:
    """A request of nothing but these members."""
    told = {"messages": b"[]", **values}
    return b"{" + b",".join(b'"' + name.encode() + b'":' + value for name, value in told.items()) + b"}"


class _Walk:
    """Goes over the elements of a body in the provider's order and hashes them."""

    def __init__(self, body: bytes, digest: bytes, memo: Memo) -> None:
        self._body, self._memo = body, memo
        self.digest = digest
        self.places: list[Place] = []
        self.elements: list[Element] = []
        self.answered = False

    def take(self, section: str, span: Span | None) -> None:
        """A section: a list of objects, or a string that stands for the list, or nothing. Raises Unreadable."""
        first = self._body[span[0] : span[0] + 1] if span else b"n"
        if span is None or first == b"n":
            return
        listed = first == b"["
        for start, end in elements(self._body, span) if listed else [span]:
            if self._body[start : start + 1] != (b"{" if listed else b'"'):
                raise Unreadable("not_a_request")
            self._element(section, (start, end))

    def _element(self, section: str, span: Span) -> None:
        piece = self._body[span[0] : span[1]]
        key = ledger.digest_after(self.digest, section.encode() + piece)
        if key not in self._memo:
            self._memo[key] = tuple(self._read(section, piece))
        places = self._memo[key]
        if not self.answered and section == "messages":
            self.answered = b'"assistant"' in piece and _ANY.decode(piece).get("role") == "assistant"
        self.places += places
        self.elements.append(Element(section, span, len(places)))
        if places:
            self.digest = places[-1].prefix.digest

    def _read(self, section: str, piece: bytes) -> Iterator[Place]:
        digest, tokens = self.digest, self.places[-1].prefix.tokens if self.places else 0
        for block in blocks_in(section, piece):
            digest, tokens = ledger.digest_after(digest, block.key), tokens + block.tokens
            yield Place(Prefix(digest, tokens), block.marks, block.fit)


def blocks_in(section: str, piece: bytes) -> list[BlockRead]:
    """The blocks of an element, or of the list that stands in an element's place. Raises Unreadable."""
    try:
        content = value = _ANY.decode(piece)
        role, shared = None, list[Any]([section])
        if section == "messages":
            content, role = value.get("content"), value.get("role")
            shared += [[key, value[key]] for key in sorted(value) if key not in ("content", "cache_control")]
        if isinstance(content, str):
            content = {"type": "text", "text": content}
        return [_block(section, role, shared, part) for part in (content if isinstance(content, list) else [content])]
    except (msgspec.DecodeError, UnicodeError, RecursionError, AttributeError, TypeError) as error:
        raise Unreadable("not_a_request") from error


def _block(section: str, role: object, shared: list[Any], block: Any) -> BlockRead:
    key = _PLAIN.encode([*shared, block])
    if KEY not in key:
        return BlockRead(key, _size(block, key), (), _is_fit(section, role, block))
    key = _PLAIN.encode([*shared, _unmarked(block)])
    # a member that is null is no mark, but a second one of that name must not be added
    return BlockRead(key, _size(block, key), tuple(marks_in(block)), fit=False)


def _is_fit(section: str, role: object, block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    if section == "tools":
        return kind in (None, "custom") and not block.get("defer_loading")
    if section == "messages" and role != "user":
        return False
    if kind == "text":
        text = block.get("text")
        return isinstance(text, str) and bool(text.strip())
    return kind in _PICTURES or (kind == "tool_result" and bool(block.get("content")))


def _size(block: Any, key: bytes) -> int:
    """Tokens, roughly: marks are priced by it, and nothing is billed. A picture's bytes are not what is paid for."""
    pictures = [part for part in (block, *_parts(block)) if isinstance(part, dict) and part.get("type") in _PICTURES]
    if not pictures:
        return len(key) // TOKEN_BYTES
    left = len(key) - sum(len(_PLAIN.encode(part)) for part in pictures)
    return max(0, left) // TOKEN_BYTES + IMAGE_TOKENS * len(pictures)


def _parts(block: Any) -> list[Any]:
    content = block.get("content") if isinstance(block, dict) else None
    return content if isinstance(content, list) else []


def _unmarked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmarked(each) for key, each in value.items() if key != "cache_control"}
    return [_unmarked(each) for each in value] if isinstance(value, list) else value


def _value(raw: bytes, span: Span | None) -> Any:
    """A member's value, None where there is none. Raises Unreadable."""
    if span is None:
        return None
    try:
        return _ANY.decode(raw[slice(*span)])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable("not_a_request") from error
