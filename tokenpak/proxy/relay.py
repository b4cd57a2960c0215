"""A response on its way to the client: every piece as it arrives, and beside it a tap that only listens.

The tap is fed after a piece has been sent, so it can delay the next piece at most, never this one. Nothing is decoded,
joined or cut for the client's side.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx

from tokenpak.core.headers import Line, relayed
from tokenpak.core.patch import Format
from tokenpak.core.refusal import Refuse
from tokenpak.proxy import refuse

Send = Callable[[Any], Awaitable[None]]

_TAIL = 4
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
_LINE_ENDS = (b"\n",)


class Tap(Protocol):
    """Reads along."""

    def feed(self, chunk: bytes) -> None:
        """Take note of a piece. Never raises."""


class Relay:
    """How far a response has come. size: bytes of its body that were passed on."""

    def __init__(self, response: httpx.Response, own: list[Line]) -> None:
        self._response = response
        self._own = own
        self._tail = b""
        self.size = 0

    async def pass_on(self, send: Send, tap: Tap) -> None:
        """Head and body, but not the end. Raises httpx.TransportError when the body breaks off."""
        response = self._response
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "reason": response.extensions.get("reason_phrase", b""),
                "headers": relayed(response.headers.raw, self._own),
            }
        )
        async for chunk in response.stream:  # type: ignore[union-attr]  # ours is asynchronous
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self.size += len(chunk)
            self._tail = chunk[-_TAIL:] if len(chunk) >= _TAIL else (self._tail + chunk)[-_TAIL:]
            tap.feed(chunk)

    async def finish(self, send: Send) -> None:
        """The end: without it the client sees the response broken off."""
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def last_event(self, refused: Refuse, form: Format | None) -> bytes | None:
        """How the stream itself can say why it ends here; None where the client would not read it as an event."""
        headers = self._response.headers
        if "content-length" in headers or headers.get("content-encoding", "identity").lower() != "identity":
            return None
        kind = headers.get("content-type", "").encode("latin-1")
        event = refuse.last_event(refused, form, kind)
        ends = _LINE_ENDS if event is not None and event.endswith(b"}\n") else _EVENT_ENDS
        return event if not self.size or self._tail.endswith(ends) else None
