"""Hostile requests from lawful ones: number `n` of a seed is the same bytes for ever, so a failure is told by its number.

Three layers are bent, each by itself and together: the body (its bytes, its JSON, its text), the head (lines that lie about
the body, the client or the connection), and the frame (lengths, chunks, and at last any byte of the whole).
"""

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import h11

from tests.chunking import chunked
from tests.core.hostile import LINES
from tests.core.readings import anthropic, responses
from tests.header_cases import KEPT
from tests.journeys.storm import turns

Line = tuple[bytes, bytes]


class Hostile(NamedTuple):
    """One connection's bytes. bent: which layers were."""

    data: bytes
    method: bytes
    bent: str


LONG = "\n".join(
    f"line {n} of a file that is read again and again, long enough to be worth a marker" for n in range(60)
)


def _chat(text: str, **more: Any) -> bytes:
    return json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more}).encode()


SEEDS: tuple[tuple[bytes, bytes, bytes], ...] = (
    *((b"POST", b"/v1/messages?beta=true", json.dumps(body).encode()) for body in turns("fuzz", 12, 4)),
    (b"POST", b"/v1/messages", anthropic(LONG, LONG, LONG, max_tokens=64)),
    (b"POST", b"/v1/messages/count_tokens", anthropic(LONG, LONG)),
    (b"POST", b"/anthropic/v1/messages", anthropic(LONG, "short", LONG, max_tokens=0)),
    (b"POST", b"/v1/chat/completions", _chat("hello", stream=True)),
    (b"POST", b"/openai/v1/chat/completions", _chat(LONG, tools=[])),
    (b"POST", b"/v1/responses", responses(LONG, LONG, stream=True)),
    (b"POST", b"/v1beta/models/gemini-2.5-pro:generateContent", b'{"contents":[{"parts":[{"text":"hi"}]}]}'),
    (b"POST", b"/api/chat", b'{"model":"q","messages":[{"role":"user","content":"hi"}]}'),
    (b"POST", b"/v1/embeddings", b'{"model":"e","input":["a","b"]}'),
    (b"GET", b"/v1/models", b""),
    (b"HEAD", b"/", b""),
)
"""Method, target and body of what real clients send."""

WORDS: tuple[bytes, ...] = (
    *(b'"' + json.dumps(line)[1:-1].encode() + b'"' for line in LINES),
    b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc3", b"\xf4\x90\x80\x80",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\\q"', b'"\\u12"',
    b"1e999", b"-0", b"01", b"NaN", b"-Infinity", b"1" * 400, b"0." + b"3" * 400, b"1E+9999999999",
    b"[" * 600, b'{"a":' * 600, b"]" * 50, b"}" * 50, b"null", b"true", b"{}", b"[]", b'""', b",", b":", b"\\", b'"',
    b'"messages":[]', b'"messages":null', b'"model":7', b'"model":"http://evil.example/"', b'"max_tokens":-1',
    b'"content":[{"type":"tool_result"}]', b'"cache_control":{"type":"ephemeral"}', b'"stream":"yes"', b'"role":["user"]',
    b"x-anthropic-billing-header: cch=abc;", b'"context_management":{"edits":[{"type":"clear_tool_uses"}]}',
    b" " * 5000, b"\r\n" * 50, b"/*", b"//", b"'", b"\xe2\x80\xa8",
)  # fmt: skip
"""What breaks readers of JSON, and words that decide something here."""

ODD_LINES: tuple[Line, ...] = (
    *(line for lines in KEPT for line in lines),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Encoding", b"br"),
    (b"Content-Encoding", b"zstd, gzip"),
    (b"Content-Encoding", b"deflate"),
    (b"Content-Encoding", b"x" * 2000),
    (b"Content-Type", b"multipart/form-data; boundary=x"),
    (b"Content-Type", b"\xff/\xfe"),
    (b"Accept-Encoding", b"gzip"),
    (b"Expect", b"100-continue"),
    (b"Expect", b"nonsense"),
    (b"Connection", b"close"),
    (b"Connection", b"x-api-key, content-type, " * 50),
    (b"Upgrade", b"h2c"),
    (b"Upgrade", b"websocket"),
    (b"Origin", b"https://evil.example"),
    (b"Sec-Fetch-Site", b"cross-site"),
    (b"Host", b"evil.example"),
    (b"anthropic-version", b""),
    (b"x-goog-api-key", b"k"),
    (b"X-Claude-Code-Session-Id", b"s" * 5000),
    (b"X-TokenPak-Request-Id", b"\x01\xff" * 40),
    (b"X-TokenPak-Token", b"t"),
    (b"User-Agent", b"claude-cli/" + b"9" * 3000),
    (b"User-Agent", b""),
    (b"originator", b"codex\xff"),
    (b"TE", b"trailers, deflate;q=0.5"),
    (b"Range", b"bytes=0-"),
)

METHODS = (b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"X" * 300, b"get")
TARGETS = (
    b"*",
    b"/",
    b"//",
    b"/v1",
    b"/%00",
    b"/v1/../..",
    b"http://127.0.0.1:1/",
    b"/" + b"a" * 9000,
    b"/v1/messages%",
)


def hostile(seed: int, number: int) -> Hostile:
    """Case `number` of a seed."""
    rng = Random(f"{seed}:{number}")
    method, target, body = rng.choice(SEEDS)
    bent = []
    if body and rng.random() < 0.85:
        body = bent_body(body, rng)
        bent.append("body")
    lines = [(b"Host", b"localhost"), (b"x-api-key", b"sk-ant-fuzz"), (b"Content-Type", b"application/json")]
    if rng.random() < 0.5:
        lines += rng.choices(ODD_LINES, k=rng.choice((1, 1, 2, 3, 30)))
        rng.shuffle(lines)
        bent.append("lines")
    if rng.random() < 0.06:
        method, target = rng.choice((method, *METHODS)), rng.choice((target, *TARGETS))
        bent.append("start")
    framing, coded = framed(body, rng)
    if rng.random() < 0.08:
        framing, coded = rng.choice(FRAMES)(body, rng)
        bent.append("frame")
    start = method + b" " + target + b" HTTP/1.1\r\n"
    data = start + b"".join(b"%s: %s\r\n" % line for line in [*lines, *framing]) + b"\r\n" + coded
    if rng.random() < 0.05:
        data = bent_bytes(data, rng, 4)
        bent.append("bytes")
    return Hostile(data, data.partition(b" ")[0], "+".join(bent) or "nothing")


def bent_body(body: bytes, rng: Random) -> bytes:
    """A body with a few things wrong with it; some stay JSON, most do not."""
    way = rng.randrange(6)
    if way == 0:
        return bent_json(body, rng)
    if way == 1:
        return gzip.compress(bent_json(body, rng), 1)[: rng.choice((20, None))]
    return bent_bytes(body, rng, rng.choice((1, 1, 2, 5)))


def bent_bytes(data: bytes, rng: Random, times: int) -> bytes:
    """Bytes flipped, cut, doubled, moved, and words put between."""
    out = bytearray(data)
    for _ in range(times):
        at = rng.randrange(len(out) + 1)
        end = min(len(out), at + rng.choice((1, 3, 20, 200)))
        match rng.randrange(6):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:end]
            case 2:
                out[at:at] = out[at:end] * rng.choice((1, 2, 40))
            case 3:
                del out[at:]
            case 4:
                out[at:end] = rng.choice(WORDS)
            case _:
                out[at:at] = rng.choice(WORDS)
    return bytes(out)


def bent_json(body: bytes, rng: Random) -> bytes:
    """JSON still, of another shape: a value somewhere is another one, or a part stands where it should not."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    for _ in range(rng.choice((1, 1, 3))):
        holder, key = _place(value, rng)
        if holder is not None:
            holder[key] = rng.choice((None, True, -1, 1e300, "", "\ud800", [], {}, [[]], LONG, LINES[8], value))
    try:
        return json.dumps(
            value, ensure_ascii=rng.random() < 0.5, separators=rng.choice(((",", ":"), (" , ", " : ")))
        ).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # it was put inside itself
        return body


def _place(value: Any, rng: Random) -> tuple[Any, Any]:
    holder, key = None, None
    for _ in range(rng.randrange(1, 8)):
        if isinstance(value, dict) and value:
            holder, key = value, rng.choice(list(value))
        elif isinstance(value, list) and value:
            holder, key = value, rng.randrange(len(value))
        else:
            break
        value = holder[key]
    return holder, key


def framed(body: bytes, rng: Random) -> tuple[list[Line], bytes]:
    """A lawful frame."""
    if not body:
        return [], b""
    if rng.random() < 0.7:
        return [(b"Content-Length", b"%d" % len(body))], body
    return [(b"Transfer-Encoding", b"chunked")], in_chunks(body, rng)


def in_chunks(body: bytes, rng: Random) -> bytes:
    """Cut anywhere, sizes written in many ways, extensions and trailers now and then."""
    out = []
    for piece in chunked(body, rng, rng.choice((7, 500, 5000))):
        if piece:
            size = rng.choice((b"%x", b"%X", b"0%x")) % len(piece)
            out.append(size + rng.choice((b"", b"", b"", b";a=b", b';a="b;c"')) + b"\r\n" + piece + b"\r\n")
    trailer = rng.choice((b"", b"", b"", b"X-Sum: 1\r\n", b"Content-Length: 9\r\n"))
    return b"".join(out) + b"0\r\n" + trailer + b"\r\n"


Framing = Callable[[bytes, Random], tuple[list[Line], bytes]]

FRAMES: tuple[Framing, ...] = (
    lambda body, rng: ([(b"Content-Length", b"%d" % max(0, len(body) + rng.choice((-5, -1, 1, 900))))], body),
    lambda body, _: ([(b"Content-Length", b"%d" % len(body)), (b"Transfer-Encoding", b"chunked")], body),
    lambda body, _: ([(b"Content-Length", b"1"), (b"Content-Length", b"%d" % len(body))], body),
    lambda body, rng: ([(b"Content-Length", rng.choice((b"-1", b"+5", b"", b"x", b"9" * 30, b"5, 6")))], body),
    lambda body, rng: (
        [(b"Transfer-Encoding", rng.choice((b"xchunked", b"gzip, chunked", b"identity", b"\x0bchunked")))],
        in_chunks(body, rng),
    ),
    lambda body, rng: ([(b"Transfer-Encoding", b"chunked")], bent_bytes(in_chunks(body, rng), rng, 2)),
    lambda body, rng: ([(b"Transfer-Encoding ", b"chunked")], in_chunks(body, rng)),
    lambda body, _: ([], body),
    lambda body, _: ([(b"X", b"v" * 70_000), (b"Content-Length", b"%d" % len(body))], body),
    lambda body, _: ([*[(b"x", b"")] * 600, (b"Content-Length", b"%d" % len(body))], body),
)
"""Frames that lie, or that are too much."""


def extent(data: bytes) -> str:
    """Whether the bytes hold a "whole" first request, only a "part" of one, or "none" that could be read."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    try:
        http.receive_data(data)
        while True:
            event = http.next_event()
            if isinstance(event, h11.EndOfMessage):
                return "whole"
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):  # closed: not one byte
                return "part"
    except h11.RemoteProtocolError:
        return "none"
