"""Agents for journeys: small HTTP clients on trio and h11 that notice everything a real client would trip over."""

import json
import time
from dataclasses import dataclass, field

import h11
import trio


class BrokenError(Exception):
    """What a client would call an error: refused, reset, cut short, or not answered in time."""


@dataclass
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def complete(self) -> bool:
        """Whether a stream came to its own end: Anthropic's last event, or OpenAI's."""
        return b"event: message_stop" in self.body or b"data: [DONE]" in self.body or b"response.completed" in self.body


@dataclass(frozen=True)
class Break:
    """A connection that ended in the middle of a request. Times are of `time.monotonic`, which all processes share.

    port: the client's own, None where no connection came about. again: the request was then sent once more, unnoticed.
    """

    port: int | None
    opened_at: float
    at: float
    again: bool
    words: str


@dataclass
class Agent:
    """One client with one kept-alive connection; opens a new one when the server closes it between requests."""

    port: int
    deadline_s: float = 60.0
    sent: int = 0
    errors: list[str] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    _stream: trio.SocketStream | None = None
    _own_port: int | None = None
    _opened_at: float = 0.0
    _state: h11.Connection | None = None
    _answered: bool = False

    async def post(self, path: str, body: dict | bytes, headers: dict[str, str] | None = None) -> Reply:
        """One request to its end. Raises BrokenError."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {
            "host": f"127.0.0.1:{self.port}",
            "content-type": "application/json",
            "content-length": str(len(raw)),
            "x-api-key": "sk-ant-journey",
            "authorization": "Bearer sk-journey",
            "anthropic-version": "2023-06-01",
            **(headers or {}),
        }
        if path.startswith(("/v1/chat", "/v1/responses")):
            del lines["x-api-key"], lines["anthropic-version"]
        else:
            del lines["authorization"]
        self.sent += 1
        try:
            with trio.fail_after(self.deadline_s):
                kept = self._stream is not None
                try:
                    return await self._exchange(path, raw, lines)
                except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError) as error:
                    # A server may close an idle connection just when it is used again: every HTTP client tries once more
                    # on a new one, as long as nothing of an answer has come.
                    if not kept or self._answered:
                        raise
                    self._broke(error, again=True)
                    await self.close()
                    self.sent += 1
                    return await self._exchange(path, raw, lines)
        except (OSError, trio.BrokenResourceError, h11.RemoteProtocolError, trio.TooSlowError) as error:
            self._broke(error, again=False)
            await self.close()
            raise BrokenError(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, path: str, raw: bytes, lines: dict[str, str]) -> Reply:
        if self._stream is None or self._state is None:
            self._own_port, self._opened_at = None, time.monotonic()
            self._stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            self._own_port = self._stream.socket.getsockname()[1]
            self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        stream, state = self._stream, self._state
        head = state.send(h11.Request(method="POST", target=path, headers=list(lines.items())))
        body = state.send(h11.Data(data=raw)) or b""
        await stream.send_all((head or b"") + body + (state.send(h11.EndOfMessage()) or b""))
        status, headers, pieces = 0, [], []
        self._answered = False
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                data = await stream.receive_some(1 << 16)
                self._answered = self._answered or bool(data)
                state.receive_data(data)
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("closed before the end")
        if state.our_state is h11.MUST_CLOSE or state.their_state is not h11.DONE:
            await self.close()
        else:
            state.start_next_cycle()
        return Reply(status, headers, b"".join(pieces))

    def _broke(self, error: Exception, *, again: bool) -> None:
        words = f"{type(error).__name__}: {error}"
        self.breaks.append(Break(self._own_port, self._opened_at, time.monotonic(), again, words))

    async def close(self) -> None:
        """Let go of the connection."""
        stream, self._stream, self._state = self._stream, None, None
        if stream is not None:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()
