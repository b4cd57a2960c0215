"""HTTP at the level of bytes, for both ends of a relay: what was said is compared as it was said.

Deliberately naive: it knows just enough of HTTP/1.1 to find where a message ends, and normalises nothing.
"""

import socket
import struct
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import trio

PATIENCE_S = 10


class Message(NamedTuple):
    """start: first line. lines: header lines as (name, value), blanks around values removed. body: chunks joined."""

    start: bytes
    lines: list
    body: bytes
    chunks: list

    def values(self, name):
        return [value for key, value in self.lines if key.lower() == name.lower().encode()]

    def value(self, name):
        (value,) = self.values(name)
        return value

    @property
    def status(self):
        return int(self.start.split(b" ")[1])


class Broken(Exception):  # noqa: N818 an event, not an error
    """The peer ended the connection inside a message; carries what had come by then."""


class Peer:
    """One end of a connection."""

    def __init__(self, stream):
        self.stream = stream
        self.rest = b""

    async def send(self, data):
        await self.stream.send_all(data)

    async def more(self):
        with trio.fail_after(PATIENCE_S):
            data = await self.stream.receive_some(65536)
        self.rest += data
        return data

    async def until(self, mark):
        while mark not in self.rest:
            if not await self.more():
                raise Broken(self.rest)
        found, _, self.rest = self.rest.partition(mark)
        return found

    async def exactly(self, size):
        while len(self.rest) < size:
            if not await self.more():
                raise Broken(self.rest)
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    async def head(self):
        start, *lines = (await self.until(b"\r\n\r\n")).split(b"\r\n")
        pairs = [line.split(b":", 1) for line in lines]
        return start, [(name, value.strip(b" \t")) for name, value in pairs]

    async def message(self, bodiless=False):
        """The next message. bodiless: a response without body whatever its header says (HEAD, 204, 304)."""
        start, lines = await self.head()
        values = {name.lower(): value for name, value in lines}
        if bodiless or start.startswith(b"HTTP/1.1 1"):
            return Message(start, lines, b"", [])
        if values.get(b"transfer-encoding", b"").lower() == b"chunked":
            chunks = []
            while size := int((await self.until(b"\r\n")).split(b";")[0], 16):
                chunks.append(await self.exactly(size))
                await self.exactly(2)
            while await self.until(b"\r\n"):
                pass
            return Message(start, lines, b"".join(chunks), chunks)
        if b"content-length" in values:
            body = await self.exactly(int(values[b"content-length"]))
        elif start.startswith(b"HTTP/"):
            while await self.more():
                pass
            body, self.rest = self.rest, b""
        else:
            body = b""
        return Message(start, lines, body, [body])

    async def ended(self):
        """Whether the peer ends the connection with nothing more said: "fin" or "reset"."""
        try:
            data = await self.more()
        except trio.BrokenResourceError:
            return "reset"
        if data:
            raise Broken(self.rest)
        return "fin"

    def reset(self):
        self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()

    async def close(self):
        await self.stream.aclose()


class Provider:
    """A provider on a free port. `answer(peer, number)` serves connection `number`, from 1; `requests` are its to fill."""

    def __init__(self, answer):
        self.answer = answer
        self.connections = 0
        self.requests = []
        self.port = 0
        self.closed = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, stream):
        self.connections += 1
        try:
            await self.answer(Peer(stream), self.connections)
        except (Broken, trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            self.closed += 1
            await stream.aclose()


@asynccontextmanager
async def provider(answer):
    it = Provider(answer)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        it.port = listener.socket.getsockname()[1]
        nursery.start_soon(partial(trio.serve_listeners, it.serve, [listener], handler_nursery=nursery))
        yield it
        nursery.cancel_scope.cancel()


async def connect(port):
    return Peer(await trio.open_tcp_stream("127.0.0.1", port))


async def wait_until(condition, patience_s=PATIENCE_S):
    """Return once the condition holds; fail when it does not in time."""
    with trio.fail_after(patience_s):
        while not condition():  # noqa: ASYNC110 what is waited for does not know of us
            await trio.sleep(0.005)
