"""Drives the cases of `header_cases` through a front and compares both sides."""

import header_cases
import wire
from header_cases import BODY, TIP, framed, written

REPLY = b'{"ok":true}'


class Script:
    """The provider's side: answers every request by the case under way and keeps what it saw."""

    def __init__(self):
        self.case = None
        self.seen = None

    async def __call__(self, peer, number):
        while True:
            self.seen = await peer.message()
            case = self.case
            lines, body = framed(case.response_frame, REPLY)
            body = b"" if case.bodiless else body
            start = b"HTTP/1.1 %d %s" % (case.status, case.reason)
            await peer.send(case.before + written(start, [*case.response, *lines], body))
            if case.response_frame == "close":
                return


async def drive(port, script, case, host):
    """One case over a connection of its own; `host` is what the provider must be called."""
    script.case, script.seen = case, None
    lines, body = framed(case.request_frame, BODY)
    client = await wire.connect(port)
    start = case.method + b" /anthropic/v1/messages?beta=true HTTP/1.1"
    await client.send(written(start, [(b"HOST", b"localhost:1"), *case.request, *lines], body))
    reply = await client.message(bodiless=case.bodiless)
    while reply.status == 100:  # to an expectation
        reply = await client.message(bodiless=case.bodiless)
    await client.close()
    seen = script.seen
    assert seen.start == case.method + b" /v1/messages?beta=true HTTP/1.1"
    assert sorted(seen.lines) == sorted([(b"HOST", host), *case.sent, *lines])
    assert seen.body == (b"" if case.request_frame == "none" else BODY)
    assert reply.start == b"HTTP/1.1 %d %s" % (case.status, case.reason)
    own = [line for line in reply.lines if line[0] in TIP]
    assert sorted(name for name, _ in own) == sorted(TIP)
    theirs = [line for line in reply.lines if line[0] not in TIP]
    assert sorted(theirs) == sorted([*case.got, *frame_back(case)])
    assert reply.body == (b"" if case.bodiless else REPLY)


def frame_back(case):
    """The frame's lines as the client must see them."""
    if case.response_frame == "length":
        return framed("length", REPLY)[0]
    if case.response_frame == "bare" and case.method != b"HEAD":
        return []
    return [(b"Transfer-Encoding", b"chunked")]


def test_there_are_enough():
    names = [case.name for case in header_cases.cases()]
    assert len(names) == len(set(names)) > 200
