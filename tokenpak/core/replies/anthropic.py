"""Replies of the Anthropic Messages API, streamed or not, and of count_tokens.

Input classes come disjoint. The difficulty is cache writes: `message_start` splits them by lifetime, the cumulative
`message_delta` at the end gives their total only, and either may be missing. The split is kept; what the last total has
beyond it, or a total without any split, is `cache_write_other`, because a lifetime nobody named is not known.

Two things are billed that the classes do not hold: searches of the web, by the piece, and passes listed in `iterations`
that the totals leave out: those that compact the context, and those of an adviser, which is another model (SDK,
types/beta/beta_usage.py; totals without the adviser's: the recorded exchange of one). They stand beside the usage. A
fetch from the web costs no more than its tokens.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from tokenpak.core.echo import SAYS
from tokenpak.core.replies.reading import (
    MOST_BESIDE,
    Beside,
    Paths,
    Reading,
    Usage,
    count,
    follow,
    pick,
    plus,
    strings,
    word,
)

PATHS: Final[Paths] = {
    "input": (("input_tokens",),),
    "read": (("cache_read_input_tokens",),),
    "write": (("cache_creation_input_tokens",),),
    "5m": (("cache_creation", "ephemeral_5m_input_tokens"),),
    "1h": (("cache_creation", "ephemeral_1h_input_tokens"),),
    "output": (("output_tokens",),),
    "thinking": (("output_tokens_details", "thinking_tokens"),),
}

_BESIDE = frozenset({"compaction", "advisor_message"})
"""Passes that the totals leave out. Passes of other kinds lie inside them, or nobody has said that they do not."""

_QUIET = frozenset({b"ping", b"content_block_stop"})


class _Said(msgspec.Struct):
    """An event or a document, its large parts unread."""

    type: object = None
    model: object = None
    usage: object = None
    error: object = None
    delta: object = None
    index: object = None
    stop_reason: object = None
    input_tokens: object = None
    message: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()
    content_block: msgspec.Raw = msgspec.Raw()


_DECODER = msgspec.json.Decoder(_Said)


class Anthropic(Reading):
    """Reads Messages replies."""

    def event(self, name: bytes, data: bytes) -> None:
        """Read one event. Blocks of content and their deltas are decoded only while words are watched."""
        if name in _QUIET:
            return
        if name.startswith(b"content_block_") or (not name and b'"content_block_' in data[:64]):
            if self.watch.wants:
                self._listen(_DECODER.decode(data))
            return
        said = _DECODER.decode(data)
        self._note(_DECODER.decode(said.message) if said.type == "message_start" and said.message else said)
        if said.type == "message_stop":
            self.finished = True
        elif self.watch.wants:
            self._listen(said)

    def document(self, data: bytes) -> None:
        """Read a whole message, an error, or the answer of count_tokens."""
        said = _DECODER.decode(data)
        self._note(said)
        self.finished = True
        if said.type is None and said.usage is None:
            self.answered = count(said.input_tokens)
        if self.watch.wants and SAYS in data and said.content:
            blocks = msgspec.json.decode(said.content)
            for at, block in enumerate(blocks if isinstance(blocks, list) else [blocks]):
                self._hear(at, block)

    def classes(self) -> Usage:
        """The counts as disjoint classes."""
        return _classes(self.counts)

    def _note(self, said: _Said) -> None:
        self.note_model(said.model)
        self.take(PATHS, said.usage)
        self.note_searches(follow(said.usage, ("server_tool_use", "web_search_requests")))
        passes = follow(said.usage, ("iterations",))
        if isinstance(passes, list):
            self.beside = tuple(_beside(passes))
        self.note_stop(said.stop_reason)
        self.note_stop(follow(said.delta, ("stop_reason",)))
        if said.type == "error" or said.error is not None:
            self.note_error({} if said.error is None else said.error)

    def _listen(self, said: _Said) -> None:
        at = said.index if isinstance(said.index, int) else -1
        if said.content_block:
            self._hear(at, msgspec.json.decode(said.content_block))
        text, json = follow(said.delta, ("text",)), follow(said.delta, ("partial_json",))
        if isinstance(text, str):
            self.watch.said(at, text)
        elif isinstance(json, str):  # whatever else a delta holds, thinking above all, is not watched
            self.watch.argued(at, json)

    def _hear(self, at: int, block: object) -> None:
        """A block of content: its text, or the strings of a tool's input."""
        for key in ("text", "input"):
            for words in strings(follow(block, (key,))):
                self.watch.said(at, words)


def _classes(known: Mapping[str, int]) -> Usage:
    short, long, other = _lifetimes(known.get("write"), known.get("5m"), known.get("1h"))
    return Usage(
        uncached=known.get("input"),
        cache_read=known.get("read"),
        cache_write_5m=short,
        cache_write_1h=long,
        cache_write_other=other,
        output=known.get("output"),
        reasoning=known.get("thinking"),
    )


def _beside(passes: list[object]) -> Iterator[Beside]:
    for one in passes[:MOST_BESIDE]:
        kind = follow(one, ("type",))
        if isinstance(kind, str) and kind in _BESIDE:
            yield Beside(kind, word(follow(one, ("model",))), _classes(pick(PATHS, one)))


def _lifetimes(total: int | None, short: int | None, long: int | None) -> tuple[int | None, int | None, int | None]:
    """Cache writes of 5 minutes, of 1 hour, and of unknown lifetime."""
    split = plus(short, long)
    if split is None:
        return None, None, total
    if total is None or total == split:
        return short, long, None
    if total > split:
        return short, long, total - split
    # The total came later and is smaller: the split told of something else. One lifetime alone still names the total's.
    if not long:
        return total, long, None
    if not short:
        return short, total, None
    return (0, 0, None) if total == 0 else (None, None, total)
