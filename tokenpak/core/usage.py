"""The tap: what a reply says about itself, read from a copy of its bytes while they pass.

A tap is chosen by route, content type and coding, fed with the chunks as they came from the provider, and closed when
the stream ends for whatever reason. The difficulty is that it stands beside live traffic: nothing it reads may make it
raise, wait or grow. So a coding it does not know, a bomb, garbage and oversized events only blind it, in part or for
good, and are counted in `lost`; and where the content type does not say what comes, or says it wrongly, the first byte
decides.
"""

from typing import Final, NamedTuple, Protocol

import msgspec

from tokenpak.core.content_coding import CodingError, Decoder, decoder_for
from tokenpak.core.echo import EchoWatch, NoEcho, Watch
from tokenpak.core.ndjson import Document, Elements, Lines
from tokenpak.core.replies.anthropic import Anthropic
from tokenpak.core.replies.gemini import Gemini
from tokenpak.core.replies.ollama import Ollama
from tokenpak.core.replies.openai import OpenAI
from tokenpak.core.replies.reading import Basis, Beside, Reading, Usage
from tokenpak.core.sse import Event, Events

__all__ = ["Basis", "Beside", "EchoWatch", "NoEcho", "Observation", "Tap", "Usage", "tap_for"]

HEAD_CAP = 4096
"""Bytes of blank space at the beginning of a reply after which it is no format read here."""

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_EVENT_STREAM = b"text/event-stream"
_LINE_TYPES = frozenset({b"application/x-ndjson", b"application/ndjson", b"application/x-jsonlines"})
_FIELDS = (b"data", b"event", b"id", b"retry", b":")
"""How an event stream begins, if nothing says that it is one."""


class Observation(msgspec.Struct, frozen=True):
    """What a tap has seen.

    usage, model, stop_reason: as the provider told them; the output of a reply that was cut off is None. basis: "provider"; "count" for the answer to a question for a
    count, whose `usage` was used by nobody; "estimate" where words passed and no usage came (OpenAI's formats): then
    `usage` is an output alone, made from their size; None when nothing was told. beside: tokens billed beside `usage`.
    web_searches: billed by the piece; None where none were told of. echo: marker grammar in the model's words.
    error: kind of an error the provider reported in this body, in a stream under status 200 too. truncated: the body
    ended before the end its format has. lost: events, codings and documents that could not be read.
    """

    usage: Usage = Usage()
    model: str | None = None
    basis: Basis | None = None
    echo: bool = False
    error: str | None = None
    stop_reason: str | None = None
    truncated: bool = False
    lost: int = 0
    beside: tuple[Beside, ...] = ()
    web_searches: int | None = None


class Framing(Protocol):
    """Cuts a body into events."""

    skipped: int

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end within `chunk`."""

    def close(self) -> list[Event]:
        """The event the body ended in, if any."""


class Shape(NamedTuple):
    """What the replies of a route are like.

    ends: whether a stream of them says where it ends. bare: how an object is framed that came without a content type.
    """

    reading: type[Reading]
    ends: bool
    bare: type[Document | Lines] = Document


_BY_KIND: Final = {
    "messages": Shape(Anthropic, ends=True),
    "count_tokens": Shape(Anthropic, ends=True),
    "chat": Shape(OpenAI, ends=True),
    "responses": Shape(OpenAI, ends=True),
}
_BY_PROVIDER: Final = {
    "anthropic": Shape(Anthropic, ends=False),
    "google": Shape(Gemini, ends=True),
    "ollama": Shape(Ollama, ends=True, bare=Lines),
}
_ELSE: Final = Shape(OpenAI, ends=False)
"""Whoever is not named here is taken to imitate OpenAI."""


def tap_for(
    provider: str, kind: str, content_type: bytes, content_encoding: bytes, watch: Watch | None = None
) -> "Tap":
    """A tap for one response; arguments are the route's words and the response's header values (empty: none).

    watch: an EchoWatch of this response alone, where its request held markers.
    """
    shape = _BY_KIND.get(kind) or _BY_PROVIDER.get(provider, _ELSE)
    media_type = content_type.partition(b";")[0].strip().lower()
    return Tap(shape, media_type, content_encoding, watch or NoEcho())


class Tap:
    """Reads one response beside its stream. `feed` never raises, and holds no more than one event or document."""

    def __init__(self, shape: Shape, media_type: bytes, content_encoding: bytes, watch: Watch) -> None:
        self._shape, self._media_type = shape, media_type
        self._reading = shape.reading(watch)
        self._head = b""
        self._framing: Framing | None = None
        self._decoder: Decoder | None = None
        self._blind = False
        self._unreadable = 0
        self._closed: Observation | None = None
        try:
            self._decoder = decoder_for(content_encoding) if content_encoding else None
        except CodingError:
            self._go_blind()

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes of the body, as they came over the wire."""
        if self._blind:
            return
        if self._decoder is None:
            self._read(chunk)
            return
        try:
            for piece in self._decoder.feed(chunk):
                self._read(piece)
        except CodingError:
            self._go_blind()

    def close(self) -> Observation:
        """The body has ended, or was cut off. Further calls give the same."""
        if self._closed is None:
            self._closed = self._observe()
        return self._closed

    def _go_blind(self) -> None:
        self._blind = True
        self._unreadable += 1

    def _read(self, piece: bytes) -> None:
        if self._framing is None:
            self._head += piece
            piece = self._head.removeprefix(_BOM)
            self._framing = self._sniff()
            if self._framing is None:
                return
            self._head = b""
        for event in self._framing.feed(piece):
            if not self._tell(event):
                self._unreadable += 1

    def _sniff(self) -> Framing | None:
        """The framing by what the body begins with; None: not seen yet, or none at all, and then the tap is blind."""
        begin = self._head.removeprefix(_BOM).lstrip(_BLANK)
        if not begin or _BOM.startswith(begin):
            self._blind = len(self._head) > HEAD_CAP
            return None
        if begin.startswith(b"{"):
            return Lines() if self._media_type in _LINE_TYPES else self._bare()
        if begin.startswith(b"["):
            return Elements()
        untyped = not self._media_type
        if self._media_type == _EVENT_STREAM or (untyped and begin.startswith(_FIELDS)):
            return Events()
        self._blind = not (untyped and any(field.startswith(begin) for field in _FIELDS))
        return None

    def _bare(self) -> Framing:
        return Document() if self._media_type else self._shape.bare()

    def _tell(self, event: Event) -> bool:
        """Let the reading have an event; False if it makes nothing of it."""
        try:
            if isinstance(self._framing, Document):
                self._reading.document(event.data)
            else:
                self._reading.event(event.name, event.data)
        except (ValueError, RecursionError):  # what msgspec raises for data that is not what it should be
            return False
        return True

    def _observe(self) -> Observation:
        whole = self._blind or not self._head.strip(_BLANK)  # else what stands there could still have become anything
        if self._framing is not None and not self._blind:
            # What cannot be read at the very end was cut off, not garbled.
            whole = all(self._tell(event) for event in self._framing.close())
        reading, lost = self._reading, self._unreadable + (self._framing.skipped if self._framing else 0)
        coded = self._decoder is None or self._decoder.ended
        ended = reading.finished or not self._shape.ends or isinstance(self._framing, Document | None)
        observation = Observation(
            usage=self._usage(),
            model=reading.model,
            basis=reading.basis(),
            echo=reading.watch.heard,
            error=reading.error,
            stop_reason=reading.stop_reason,
            truncated=not lost and not (whole and coded and ended),
            lost=lost,
            beside=reading.beside,
            web_searches=reading.searches,
        )
        self._blind, self._framing = True, None
        return observation

    def _usage(self) -> Usage:
        """As told. Several providers tell the output so far with every piece, or with the first: of a reply that was cut off
        that is not what was made and billed.
        """
        usage = self._reading.usage()
        if self._reading.basis() != "provider" or self._reading.is_over or not self._shape.ends:
            return usage
        return msgspec.structs.replace(usage, output=None, reasoning=None)
