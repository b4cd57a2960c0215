import httpx
import pytest

from tokenpak.core.patch import Format
from tokenpak.core.refusal import Refuse
from tokenpak.proxy.relay import Relay

STOP = Refuse("stopping", provider="anthropic")
SSE = {"content-type": "text/event-stream; charset=utf-8"}
LINES = {"content-type": "application/x-ndjson"}


class Stream(httpx.AsyncByteStream):
    def __init__(self, *chunks):
        self.chunks = list(chunks)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.chunks:
            raise StopAsyncIteration
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


class Log:
    """The client and the tap, in one list: what came to whom in which order."""

    def __init__(self):
        self.said = []

    async def send(self, event):
        self.said.append(event.get("body", event.get("status")))

    def feed(self, chunk):
        self.said.append(("tap", chunk))


def relay_of(*chunks, headers=()):
    return Relay(httpx.Response(200, headers=headers, stream=Stream(*chunks)), [])


async def test_the_tap_hears_a_piece_after_the_client():
    log, relay = Log(), relay_of(b"ab", b"c")
    await relay.pass_on(log.send, log)
    await relay.finish(log.send)
    assert log.said == [200, b"ab", ("tap", b"ab"), b"c", ("tap", b"c"), b""]
    assert relay.size == 3


async def test_a_response_that_breaks_off_is_not_finished():
    log, relay = Log(), relay_of(b"ab", httpx.ReadError("x"))
    with pytest.raises(httpx.ReadError):
        await relay.pass_on(log.send, log)
    assert log.said == [200, b"ab", ("tap", b"ab")]
    assert relay.size == 2


@pytest.mark.parametrize(
    ("headers", "chunks", "speaks"),
    [
        (SSE, [], True),
        (SSE, [b"data: 1\n\n"], True),
        (SSE, [b"data: 1\r\n\r\n"], True),
        (SSE, [b"data: 1\n", b"\n"], True),
        (SSE, [b"data: 1", b"\n", b"\n"], True),
        (SSE, [b"data: 1\n"], False),
        (SSE, [b"data: 1"], False),
        (LINES, [b"{}\n"], True),
        (LINES, [b"{}"], False),
        ({**SSE, "content-encoding": "gzip"}, [], False),
        ({**SSE, "content-encoding": "identity"}, [], True),
        ({**SSE, "content-length": "99"}, [], False),
        ({"content-type": "application/json"}, [], False),
        ({}, [], False),
    ],
)
async def test_a_last_event_only_where_it_is_read_as_one(headers, chunks, speaks):
    log, relay = Log(), relay_of(*chunks, headers=headers)
    await relay.pass_on(log.send, log)
    assert (relay.last_event(STOP, Format.ANTHROPIC) is not None) is speaks
