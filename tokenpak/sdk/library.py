"""The library calls: what the proxy does to a body, as functions of bytes. `import tokenpak` shows them as its own.

Given the vocabulary on this machine they are pure: no network, no store, nothing remembered from call to call but token
counts. So it is the caller who keeps what the proxy would keep: the forms of a conversation. Without them a second turn
is decided anew, and a text that was sent literally may now be sent as a marker, which costs the provider's cache.
"""

import threading
import zlib
from collections.abc import Iterable
from functools import cache

from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Form, Format, Job, Patch, Policy
from tokenpak.core.splice import BadEdits, apply_edits
from tokenpak.services.compress import Compressor
from tokenpak.services.tokens import Counter, load_counter, search_path

_TURN = threading.Lock()
"""Counts are remembered by one thread at a time; counting holds the interpreter anyway."""


def compress(body: bytes, format: str, forms: Iterable[Form] = (), policy: Policy | None = None) -> Patch:  # noqa: A002 - the word callers know
    """The patch for a request body; what cannot be read or edited gets one without edits, its reason in `reasons`.

    body: the request as JSON bytes. format: "anthropic", "openai" (chat completions) or "responses".
    forms: those of every patch this conversation was sent with before, oldest first; blocks that have one keep it.
    policy: None for the product's own, with its floor of 2,048 tokens before a block that may be edited.
    Raises ValueError for an unknown format, never for a body.
    """
    job = Job(format_named(format), policy or Policy(), tuple(forms))
    with _TURN:
        return Compressor(_counter()).run(job, body)


def apply(body: bytes, patch: Patch) -> bytes:
    """The body to be sent; the same object where the patch has no edits. Raises BadEdits for another patch's body."""
    sent = apply_edits(body, patch.edits)
    if zlib.crc32(sent) != patch.check:
        raise BadEdits("this patch was made for another body")
    return sent


def expand(sent: bytes, format: str) -> bytes:  # noqa: A002 - the word callers know
    """The request with every marker expanded, from the sent bytes alone; the same object where it has none.

    Raises Unreadable where the bytes are no request of this format, ValueError for an unknown format.
    """
    return expand_body(format_named(format), sent)


def format_named(name: str) -> Format:
    """The format of that name. Raises ValueError with the names there are."""
    try:
        return Format(name)
    except ValueError as error:
        known = ", ".join(repr(each.value) for each in Format)
        raise ValueError(f"unknown format {name!r}; known: {known}") from error


@cache
def _counter() -> Counter:
    """With the vocabulary found first, for the life of the process: loading it takes some tenths of a second."""
    return load_counter(search_path())
