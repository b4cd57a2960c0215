"""The canonical request: the provider's cache order (tools, system, messages) as blocks of decoded text.

Every decision downstream is a function of what stands here: decoded text, kinds, ids. Offsets are the one thing that
lives in the client's bytes, and they are kept relative to their unit (one tool, one message, one input item), so that a
unit parsed once can be found again at another place of a later body. `cache_control` is no part of a block, a string
equals one text block, and the order of keys is not seen: clients change all three from turn to turn.
"""

import hashlib
from collections.abc import Iterable, MutableMapping
from enum import Enum, auto

import msgspec

from tokenpak.core.body.marks import Life
from tokenpak.core.patch import CHAIN_BYTES, Format

IMAGE_SIZE = 6000
"""Characters that stand for an image or a document in sizes: about 1,500 tokens."""


class Kind(Enum):
    """What a block is, as far as compression cares. Everything unknown is OPAQUE and never touched."""

    TOOL = auto()
    SYSTEM = auto()
    USER = auto()
    ASSISTANT = auto()
    CALL = auto()
    RESULT = auto()
    OPAQUE = auto()


class Text(msgspec.Struct, frozen=True, array_like=True):
    """One JSON string: its decoded text, and the span of its characters (quotes excluded) from the unit's start."""

    text: str
    start: int
    end: int


class Block(msgspec.Struct, frozen=True):
    """One block. texts: the editable strings, in order. shape: hash of all else that makes the block what it is.

    digest: hash of shape and texts. size: characters, for position estimates. call_id joins a RESULT to its CALL;
    a CALL has its tool's name and its string arguments.
    """

    kind: Kind
    shape: bytes
    texts: tuple[Text, ...]
    digest: bytes
    size: int
    call_id: str = ""
    name: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """The blocks of one top-level element, and whether it is a message of the user's.

    marks: the client's cache marks: index of the block, life ("5m", "1h"). They are no part of the canonical request.
    """

    blocks: tuple[Block, ...]
    user: bool = False
    marks: tuple[tuple[int, Life], ...] = ()


class View(msgspec.Struct, frozen=True):
    """A request as read. units: (offset in the body, key of the unit's bytes, unit) in canonical order.

    keep: why no new edit may be made at all, one word, or None. unreferable: why no reference may be made (the server
    may remove a source), or None.
    """

    format: Format
    units: tuple[tuple[int, bytes, Unit], ...]
    keep: str | None = None
    unreferable: str | None = None


class Unreadable(Exception):  # noqa: N818 - it is an answer, not a fault of ours: the body goes out as it came
    """The body is not a request of this format that can be read exactly. The message is one word for the row."""


Memo = MutableMapping[bytes, Unit]
"""Units by key of their bytes. Only an optimisation: without it the same view is read."""


def digest_of(shape: bytes, texts: Iterable[str]) -> bytes:
    """The digest of a block with these texts in its places."""
    return shape_of(shape, *texts)


def shape_of(*parts: str | bytes) -> bytes:
    """A hash over parts; no two different sequences of parts give the same bytes to hash."""
    raw = [part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part for part in parts]
    lengths = ",".join([str(len(each)) for each in raw])
    return hashlib.sha256(b"".join([lengths.encode(), b";", *raw])).digest()[:CHAIN_BYTES]


def chain_after(chain: bytes, block_digest: bytes) -> bytes:
    """The chain hash of a block, from the chain before it."""
    return hashlib.sha256(chain + block_digest).digest()[:CHAIN_BYTES]


def first_chain(fmt: Format) -> bytes:
    """The chain before the first block."""
    return shape_of("chain", fmt.value)


def blocks_of(view: View) -> Iterable[Block]:
    """The canonical sequence."""
    for _, _, unit in view.units:
        yield from unit.blocks


def chains_of(view: View) -> list[bytes]:
    """The chain hash of every block, in order."""
    chain, out = first_chain(view.format), []
    for block in blocks_of(view):
        chain = chain_after(chain, block.digest)
        out.append(chain)
    return out


def canonical(view: View) -> tuple[bytes, ...]:
    """What two requests have in common exactly when they are the same canonical request."""
    return tuple(block.digest for block in blocks_of(view))
