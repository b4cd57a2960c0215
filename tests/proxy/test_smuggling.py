"""Requests whose end two readers could see in two places, byte by byte through the real accept loop to a real provider.

Whatever the front makes of such bytes, three things hold: the provider gets no request that the front did not answer, none
it gets can be read in two ways, and what stood behind the doubtful place is never taken for a request.
"""

import re

import lab
import pytest
import trio
import wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: k\r\n\r\n"
POST = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\n"


class Provider:
    """Answers everything and keeps every byte it got."""

    def __init__(self):
        self.seen, self.raw = [], b""

    async def __call__(self, peer, number):
        more = peer.more

        async def kept():
            data = await more()
            self.raw += data
            return data

        peer.more = kept
        while True:
            self.seen.append(await peer.message())
            await peer.send(OK)


async def said(port, data):
    """All answers to some bytes on one connection, until the front ends it or has nothing more to say."""
    client = await wire.connect(port)
    with trio.move_on_after(2):
        try:
            await client.send(data)
            await client.stream.send_eof()
            while await client.more():
                pass
        except trio.BrokenResourceError:
            pass
    await client.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", client.rest)]


def chunks(body=b"hello"):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


REFUSED = {
    "CL.TE": (POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" + SMUGGLED, 400),
    "TE.CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunks(SMUGGLED), 400),
    "CL.TE equal": (POST + b"Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(), 400),
    "two lengths": (POST + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + SMUGGLED, 400),
    "two lengths in one": (POST + b"Content-Length: 0, 60\r\n\r\n" + SMUGGLED, 400),
    "signed length": (POST + b"Content-Length: +5\r\n\r\nhello", 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED, 400),
    "hexadecimal length": (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
    "empty length": (POST + b"Content-Length: \r\n\r\n" + SMUGGLED, 400),
    "length of words": (POST + b"Content-Length: 5 bytes\r\n\r\nhello", 400),
    "length beyond numbers": (POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + SMUGGLED, 400),
    "other digits": (POST + b"Content-Length: \xd9\xa3\r\n\r\nabc", 400),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + chunks(), 501),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, 501),
    "chunked, identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunks(), 501),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks(), 501),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(), 501),
    "chunked and another": (POST + b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n" + chunks(), 501),
    "vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunks(), 400),
    "quoted": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + chunks(), 501),
    "blank before colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n" + chunks(), 400),
    "blank before colon of length": (POST + b"Content-Length : 5\r\n\r\nhello", 400),
    "blank before name": (b"POST /v1/x HTTP/1.1\r\n Host: localhost\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "coding in HTTP/1.0": (
        b"POST /v1/x HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(SMUGGLED),
        400,
    ),
    "carriage return in a value": (POST + b"X: a\rTransfer-Encoding: chunked\r\n\r\n" + chunks(), 400),
    "carriage return for a line": (POST + b"Content-Length: 5\rX: y\r\n\r\nhello", 400),
    "zero byte": (POST + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nhello", 400),
    "no colon": (POST + b"Content-Length 5\r\n\r\nhello", 400),
    "no name": (POST + b": 5\r\n\r\nhello", 400),
    "odd name": (POST + b"Content\xadLength: 5\r\n\r\nhello", 400),
    "two hosts": (POST + b"Host: localhost\r\n\r\n" + SMUGGLED, 400),
    "no host": (b"POST /v1/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, 400),
    "no version": (b"GET /v1/x\r\n\r\n" + SMUGGLED, 400),
    "two blanks": (b"GET  /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "tabs": (b"GET\t/v1/x\tHTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "blank in the path": (b"GET /v1/x y HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "line end in the path": (b"GET /v1/x\rHTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "small letters": (b"GET /v1/x http/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "long version": (b"GET /v1/x HTTP/1.10\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "tunnel to a path": (b"CONNECT /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 400),
    "other version": (b"GET /v1/x HTTP/2.0\r\nHost: localhost\r\n\r\n" + SMUGGLED, 505),
}
"""Refused before anything is asked of a provider, and nothing behind it is read."""


@pytest.mark.parametrize("name", REFUSED)
async def test_a_doubtful_head_is_refused_and_nothing_behind_it_is_a_request(name):
    data, status = REFUSED[name]
    upstream = Provider()
    async with wire.provider(upstream) as provider, lab.front(provider.url) as front:
        statuses = await said(front.port, data)
        assert statuses == [status]
        assert provider.connections == 0
        assert front.recorder.events == []


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN_OFF = {
    "signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "blank before size": b" 5\r\nhello\r\n0\r\n\r\n",
    "size beyond numbers": b"F" * 21 + b"\r\n" + SMUGGLED,
    "underscored": b"1_0\r\nhello\r\n0\r\n\r\n",
    "no line end behind data": b"5\r\nhelloXX0\r\n\r\n" + SMUGGLED,
    "too much data": b"5\r\nhello" + SMUGGLED + b"0\r\n\r\n",
    "line feed in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    "line feeds only": b"5\nhello\n0\n\n" + SMUGGLED,
    "bad trailer": b"5\r\nhello\r\n0\r\nno colon\r\n\r\n" + SMUGGLED,
    "endless extension": b"5;" + b"x" * 300_000 + b"\r\nhello\r\n0\r\n\r\n",
    "endless trailer": b"5\r\nhello\r\n0\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
    "cut": b"5\r\nhel",
}
"""A chunked body that goes wrong on the way: its request ends, whatever of it was on its way to the provider."""


@pytest.mark.parametrize("name", BROKEN_OFF)
async def test_a_broken_chunked_body_ends_its_request_and_is_no_other(name):
    upstream = Provider()
    async with wire.provider(upstream) as provider, lab.front(provider.url) as front:
        statuses = await said(front.port, CHUNKED + BROKEN_OFF[name])
        assert statuses in ([400], [431], []), statuses
        await wire.wait_until(lambda: front.app.statistics().under_way == 0)
        assert b"smuggled" not in upstream.raw
        assert upstream.seen == []


READ_ONE_WAY = {
    "chunk extension": (CHUNKED + b'5;a=b;c="d;e"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    "capital size with zeros": (CHUNKED + b"0000A\r\nhellohello\r\n0\r\n\r\n", b"hellohello"),
    "trailers of framing": (CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n", b"hello"),
    "folded coding": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks(), b"hello"),
    "capitals": (POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + chunks(), b"hello"),
    "one length said twice": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "one length in a list": (POST + b"Content-Length: 5, 5\r\n\r\nhello", b"hello"),
    "length with zeros": (POST + b"Content-Length: 0005\r\n\r\nhello", b"hello"),
    "length nominated away": (POST + b"Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "coding nominated away": (
        POST + b"Connection: Transfer-Encoding, Host\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(),
        b"hello",
    ),
    "line feeds for line ends": (b"POST /v1/x HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello", b"hello"),
    "a header behind a line feed": (POST + b"X: a\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "a body that looks like a request": (POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, SMUGGLED),
}
"""Odd, but with one meaning: the provider gets that one, and the frame says it once."""


@pytest.mark.parametrize("name", READ_ONE_WAY)
async def test_what_has_one_meaning_reaches_the_provider_in_one_frame(name):
    data, body = READ_ONE_WAY[name]
    upstream = Provider()
    async with wire.provider(upstream) as provider, lab.front(provider.url) as front:
        # twice on one connection: whoever reads the end elsewhere loses the second request
        client = await wire.connect(front.port)
        for _ in range(2):
            await client.send(data)
            assert (await client.message()).body == b"ok"
        await client.close()
    assert [seen.body for seen in upstream.seen] == [body, body]
    for seen in upstream.seen:
        frames = [*seen.values("content-length"), *seen.values("transfer-encoding")]
        assert len(frames) == 1
        assert seen.value("host") == f"127.0.0.1:{provider.port}".encode()
    assert upstream.raw.count(b"\n") == upstream.raw.count(b"\r\n")  # no line end is left to be read another way


async def test_a_folded_line_arrives_as_one():
    upstream = Provider()
    async with wire.provider(upstream) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(POST + b"X: a\r\n Transfer-Encoding: chunked\r\n\tb\r\n\r\n")
        assert (await client.message()).status == 200
        await client.close()
    assert upstream.seen[0].value("x") == b"a Transfer-Encoding: chunked b"
    assert upstream.seen[0].values("transfer-encoding") == []


@pytest.mark.parametrize("frame", [b"Content-Length: %d\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_the_body_of_a_refused_request_is_no_request(frame):
    upstream = Provider()
    async with wire.provider(upstream) as provider, lab.front(provider.url) as front:
        head = b"POST /nobody/owns/this HTTP/1.1\r\nHost: localhost\r\n"
        body = SMUGGLED if b"%d" in frame else chunks(SMUGGLED)
        frame = frame % len(SMUGGLED) if b"%d" in frame else frame
        client = await wire.connect(front.port)
        await client.send(head + frame + body + POST + b"Content-Length: 5\r\n\r\nhello")
        assert [(await client.message()).status for _ in range(2)] == [404, 200]
        await client.close()
    assert [seen.body for seen in upstream.seen] == [b"hello"]


async def test_the_rest_of_a_body_is_no_request_when_the_provider_answers_early():
    async def early(peer, number):
        head = await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        heads.append(head)
        await peer.more()

    heads = []
    async with wire.provider(early) as provider, lab.front(provider.url, read_cap=1000) as front:
        client = await wire.connect(front.port)
        body = b"x" * 4_000_000 + SMUGGLED
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert (await client.message()).status in {413, 502}  # by what a reset left of the answer
        await client.send(POST + b"Content-Length: 5\r\n\r\nhello")
        assert (await client.message()).status == 413
        await client.close()
        await wire.wait_until(lambda: len(front.recorder.closed) == 2)
    assert {head[0] for head in heads} == {b"POST /v1/x HTTP/1.1"}
    assert [event.path for event in front.recorder.opened] == ["/v1/x", "/v1/x"]


# From the provider's side


async def test_what_a_provider_says_beyond_its_answer_is_nobodys_answer():
    async def talkative(peer, number):
        while True:
            await peer.message()
            await peer.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    async with wire.provider(talkative) as provider, lab.front(provider.url) as front:
        bodies = []
        for _ in range(4):
            client = await wire.connect(front.port)
            await client.send(POST + b"Content-Length: 5\r\n\r\nhello")
            bodies.append((await client.message()).body)
            await client.close()
    assert bodies == [b"ok"] * 4


@pytest.mark.parametrize(
    "head",
    [
        b"X: a\rb",
        b"X : a",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Transfer-Encoding: xchunked",
        b"X: a\x00b",
    ],
)
async def test_an_answer_that_is_no_http_is_no_answer(head):
    async def broken(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\nok")

    async with wire.provider(broken) as provider, lab.front(provider.url) as front:
        assert await said(front.port, POST + b"Content-Length: 5\r\n\r\nhello") in ([502], [])


async def test_an_answer_with_two_frames_is_passed_on_in_one():
    async def doubtful(peer, number):
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks())

    async with wire.provider(doubtful) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(POST + b"Content-Length: 5\r\n\r\nhello")
        reply = await client.message()
        assert (reply.body, reply.values("content-length")) == (b"hello", [])
        await client.close()
