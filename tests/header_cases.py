"""More than two hundred odd but lawful messages, each with what must have become of it on the other side.

Expectations are written down here line by line, not computed by the rules under test.
"""

import itertools
from typing import NamedTuple

TIP = (
    *(b"x-tokenpak-tip-version", b"x-tokenpak-profile", b"x-tokenpak-request-id", b"x-tokenpak-cache-origin"),
    b"x-tokenpak-capability",
)

KEPT = [
    [(b"X-Odd-CASE", b"Mixed")],
    [(b"x-lower", b"a"), (b"X-LOWER", b"b"), (b"X-Lower", b"a")],
    [(b"x-empty", b"")],
    [(b"x-empty", b""), (b"x-empty", b"")],
    [(b"x-latin", b"\xe9\xff\x80")],
    [(b"x-utf8", "日本語 ✓".encode())],
    [(b"x-control", b"a\x01b\x7fc")],
    [(b"x-tab", b"a\tb  c")],
    [(b"x-long", b"v" * 4000)],
    [(b"x-longer", b"w" * 30000)],
    [(b"n" * 200, b"long name")],
    [(b"!#$%&'*+-.^_`|~09az", b"every token character")],
    [(b"x-colon", b"a:b: c")],
    [(b"x-comma", b"a,,b, ,c")],
    [(b"x-quoted", b'"a, \\"b\\"; c"')],
    [(b"Cookie", b"a=1; b=2"), (b"Cookie", b"c=3")],
    [(b"Authorization", b"Bearer sk-ant-oat01-x")],
    [(b"x-api-key", b"sk-ant-api03-y")],
    [(b"anthropic-beta", b"one,two"), (b"anthropic-beta", b"three"), (b"anthropic-version", b"2023-06-01")],
    [(b"X-Stainless-Lang", b"js"), (b"X-Stainless-Retry-Count", b"0"), (b"X-Stainless-Timeout", b"600")],
    [(b"User-Agent", b"claude-cli/2.1.197 (external, sdk-cli)"), (b"x-app", b"cli")],
    [(b"X-Claude-Code-Session-Id", b"6f1d"), (b"session-id", b"s"), (b"originator", b"codex_exec")],
    [(b"Accept-Encoding", b"gzip, deflate, br, zstd")],
    [(b"Accept-Encoding", b"identity;q=1, *;q=0")],
    [(b"Accept", b"*/*"), (b"Accept", b"text/event-stream")],
    [(b"Content-Type", b"application/json; charset=utf-8")],
    [(b"If-None-Match", b'W/"x"'), (b"Range", b"bytes=0-1")],
    [(b"Forwarded", b"for=127.0.0.1"), (b"X-Forwarded-For", b"10.0.0.1"), (b"Via", b"1.1 other")],
    [(b"Idempotency-Key", b"k"), (b"x-client-request-id", b"r")],
    [(b"openai-organization", b"org-1"), (b"openai-beta", b"responses_websockets=2026-02-06")],
    [(b"Pragma", b"no-cache"), (b"Cache-Control", b"no-store, no-cache")],
    [(b"Date", b"Tue, 24 Nov 2026 00:00:00 GMT"), (b"Server", b"not hypercorn")],
    [(b"Close", b"not a connection header"), (b"Trailers", b"x"), (b"Connection-Id", b"7")],
    [(b"x-zero", b"0"), (b"x-space-inside", b"a" + b" " * 50 + b"b")],
    [(b"X-Tokenpakish", b"not ours")],
    [(f"x-many-{number}".encode(), b"%d" % number) for number in range(80)],
]
"""Lines that pass in both directions as they are."""

GONE_BOTH_WAYS = [
    [(b"Connection", b"keep-alive")],
    [(b"Connection", b"X-Private, keep-alive"), (b"X-Private", b"1"), (b"x-private", b"2")],
    [(b"connection", b"x-a"), (b"CONNECTION", b"x-b"), (b"X-A", b"1"), (b"X-B", b"2")],
    [(b"Keep-Alive", b"timeout=5, max=100")],
    [(b"Proxy-Connection", b"keep-alive")],
    [(b"TE", b"trailers"), (b"Trailer", b"X-Sum")],
    [(b"Proxy-Authorization", b"Basic eA=="), (b"Proxy-Authenticate", b"Basic")],
]
GONE_FROM_REQUESTS = [
    [(b"Upgrade", b"h2c"), (b"Connection", b"Upgrade, HTTP2-Settings"), (b"HTTP2-Settings", b"AAMAAABkAAQAAP__")],
    [(b"Expect", b"100-continue")],
    [(b"X-TokenPak-Session", b"s"), (b"x-tokenpak-bypass", b"1"), (b"X-TPK-Key", b"k")],
]
GONE_FROM_RESPONSES = [
    [(b"X-TokenPak-Profile", b"of another one"), (b"x-tokenpak-cache-origin", b"proxy")],
]

BODY = b'{"model":"m","messages":[]}'
STATUSES = [
    200,
    201,
    202,
    206,
    301,
    400,
    401,
    403,
    404,
    408,
    409,
    413,
    418,
    422,
    429,
    451,
    500,
    501,
    502,
    503,
    504,
    520,
    529,
    599,
    999,
]
REQUEST_FRAMES = ("length", "chunked", "none")
RESPONSE_FRAMES = ("length", "chunked", "close")


class Case(NamedTuple):
    """One exchange. request, response: lines beside those of the frame; sent, got: those that must arrive."""

    name: str
    method: bytes
    request_frame: str
    request: list
    sent: list
    status: int
    reason: bytes
    before: bytes
    response_frame: str
    response: list
    got: list

    @property
    def bodiless(self):
        return self.method == b"HEAD" or self.status in {204, 304}


def case(name, **given):
    plain = {
        "method": b"POST",
        "request_frame": "length",
        "request": [],
        "status": 200,
        "reason": b"OK",
        "before": b"",
        "response_frame": "length",
        "response": [],
    }
    made = {**plain, **given}
    made.setdefault("sent", made["request"])
    made.setdefault("got", made["response"])
    return Case(name, **made)


def cases():
    for (number, lines), frame in itertools.product(enumerate(KEPT), ("length", "chunked")):
        yield case(f"request-{number}-{frame}", request=lines, request_frame=frame)
    for (number, lines), frame in itertools.product(enumerate(KEPT), RESPONSE_FRAMES):
        yield case(f"response-{number}-{frame}", response=lines, response_frame=frame)
    for number, lines in enumerate([*GONE_BOTH_WAYS, *GONE_FROM_REQUESTS]):
        around = [(b"x-before", b"1"), *lines, (b"x-after", b"2")]
        yield case(f"request-gone-{number}", request=around, sent=[around[0], around[-1]])
    for (number, lines), frame in itertools.product(
        enumerate([*GONE_BOTH_WAYS, *GONE_FROM_RESPONSES]), RESPONSE_FRAMES
    ):
        around = [(b"x-before", b"1"), *lines, (b"x-after", b"2")]
        yield case(
            f"response-gone-{number}-{frame}", response=around, got=[around[0], around[-1]], response_frame=frame
        )
    for status in STATUSES:
        yield case(
            f"status-{status}",
            status=status,
            reason=b"As It Came",
            response=[(b"Retry-After", b"7"), (b"request-id", b"r")],
        )
    for status in (204, 304):
        for method in (b"GET", b"POST"):
            yield case(
                f"bodiless-{status}-{method.decode()}",
                method=method,
                request_frame="none" if method == b"GET" else "length",
                status=status,
                response_frame="bare",
                response=[(b"ETag", b'"x"')],
            )
    for status, size in ((304, b"4711"), (204, b"0")):
        lines = [(b"Content-Length", size)]
        yield case(f"bodiless-{status}-length", status=status, response_frame="bare", response=lines)
    for status, frame in itertools.product((200, 404, 301), ("length", "bare")):
        yield case(f"head-{status}-{frame}", method=b"HEAD", request_frame="none", status=status, response_frame=frame)
    for method in (b"GET", b"DELETE", b"PUT", b"PATCH", b"OPTIONS", b"PROPFIND"):
        for frame in REQUEST_FRAMES:
            yield case(f"method-{method.decode()}-{frame}", method=method, request_frame=frame)
    for number, before in enumerate((b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </x>")):
        yield case(f"informational-{number}", before=b"HTTP/1.1 " + before + b"\r\n\r\n")
    yield case("empty-reason", reason=b"")
    yield case("odd-reason", reason=b"\xe9t\xe9 (ok)")


def framed(frame, body):
    """The frame's own lines, and the body in it."""
    if frame == "length":
        return [(b"Content-Length", b"%d" % len(body))], body
    if frame == "chunked":
        half = len(body) // 2
        pieces = [piece for piece in (body[:half], body[half:]) if piece]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        return [(b"Transfer-Encoding", b"chunked")], coded + b"0\r\n\r\n"
    return [], body if frame == "close" else b""


def written(start, lines, body):
    return start + b"\r\n" + b"".join(b"%s: %s\r\n" % line for line in lines) + b"\r\n" + body
