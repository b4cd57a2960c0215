"""The vocabulary of the patch contract: what crosses between front and worker, and what memory keeps.

A worker never returns a body. It returns `Patch.edits`, byte ranges inside the characters of one JSON string each, and
`Patch.forms`, the decision it took for every block it saw for the first time. The front applies the edits and keeps the
forms; the next job hands them back. The difficulty is that both sides must mean the same block although the client
re-encodes its history: a block is named by its chain (a hash over everything up to and including it, in decoded form),
and a change is placed by character offsets in the block's decoded text. Only `Edit` speaks of bytes.
"""

from enum import Enum
from typing import Literal

import msgspec

CHAIN_BYTES = 16
"""Length of a block's chain hash."""


class Format(Enum):
    """The API formats whose bodies are read; the values are the words of the command line."""

    ANTHROPIC = "anthropic"
    OPENAI_CHAT = "openai"
    OPENAI_RESPONSES = "responses"


NUMBERS = -1
"""The `cut` of a range whose line numbers lose their padding."""

Level = Literal["off", "lossless"]

PASSES = (
    "whole-texts",
    "line-runs",
    "reminders",
    "first-lines",
    "padding",
    "paths",
    "prefixes",
    "json-space",
    "json-tables",
)
"""The passes by name, in the order in which they see a text."""


FLOOR_TOKENS = 2048
"""Tokens before a block, from where on it may be edited, unless the user says otherwise."""


class Policy(msgspec.Struct, frozen=True, array_like=True):
    """What a user allows. Affects blocks seen for the first time only; planned blocks keep the form they were sent in.

    level: "off" makes no new edits. passes: names of the passes that may make new edits, in order.
    floor_tokens: original tokens (estimated) that must stand before a block for it to be edited.
    """

    level: Level = "lossless"
    passes: tuple[str, ...] = PASSES
    floor_tokens: int = FLOOR_TOKENS


class Change(msgspec.Struct, frozen=True, array_like=True):
    """A replacement inside one text of a block, in characters of its decoded text.

    part: index of the text within the block. start, end: half-open range. new: replacement text.
    name: the pass. saved: tokens this change saves net of its marker, as counted when it was made (at least).
    cut: what becomes of the range itself: 0, nothing of it stays; n > 0, its lines follow `new`, each without its first
    n characters; NUMBERS, they follow with their displayed numbers no longer padded.
    """

    part: int
    start: int
    end: int
    new: str
    name: str
    saved: int
    cut: int = 0


class Form(msgspec.Struct, frozen=True, array_like=True):
    """How a block was sent: chain hash of the block, and its changes (none: literally)."""

    chain: bytes
    changes: tuple[Change, ...] = ()


class Edit(msgspec.Struct, frozen=True, array_like=True):
    """Replace bytes [start, end) of the client's body by `new`; all inside the characters of one JSON string."""

    start: int
    end: int
    new: bytes
    name: str


class Job(msgspec.Struct, frozen=True, array_like=True):
    """What a worker gets beside the body: the format, the policy, and every form known for this conversation.

    count: whether the whole request is to be counted, which costs about as much as deciding it.
    """

    format: Format
    policy: Policy
    forms: tuple[Form, ...]
    count: bool = False


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """What one pass did in the body as sent, planned edits included: edits, and tokens saved net of markers."""

    name: str
    edits: int
    saved: int


class Trace(msgspec.Struct, frozen=True, array_like=True):
    """One block as a cache sees it. chain: hash of the request up to its end as the client sent it; sent: as it leaves.

    tokens: of the block as it leaves, estimated. saved: tokens that edits took out of it, counted.
    """

    chain: bytes
    sent: bytes
    tokens: int
    saved: int


class Footprint(msgspec.Struct, frozen=True, array_like=True):
    """A request as a cache sees it. head: number of blocks of tools and system. marks: the client's, position and life."""

    blocks: tuple[Trace, ...] = ()
    head: int = 0
    marks: tuple[tuple[int, Literal["5m", "1h"]], ...] = ()


class Patch(msgspec.Struct, frozen=True, array_like=True):
    """A worker's answer.

    edits: sorted, not overlapping. forms: decisions for blocks that had none, in block order.
    check: crc32 of the patched body (of the body itself without edits). plan: 16-byte hash over the forms of all
    blocks, so that a row names the decisions it was sent with. tallies: per pass. reasons: why text was left alone,
    counted by reason word. defects: proposals whose expansion was wrong and which were therefore dropped.
    counter: name of the tokenizer behind every `saved`, or "estimate". footprint: the request as a cache sees it, None
    where it could not be read. counted: tokens of the whole request as the client sent it, by `counter`, where the job
    asked for them.
    """

    edits: tuple[Edit, ...]
    forms: tuple[Form, ...]
    check: int
    plan: bytes
    tallies: tuple[Tally, ...]
    reasons: dict[str, int]
    defects: int
    counter: str
    footprint: Footprint | None = None
    counted: int | None = None
