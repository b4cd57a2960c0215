"""The only place that knows what an error of ours looks like over HTTP.

Each provider's clients read one shape of error and act on its status: they retry some, show others, and give up on a
few. So a refusal takes the shape of the provider that was asked, with a status its SDKs treat the right way, and a
sentence that says what is wrong, where, and what to do. A provider's own errors never come here; they pass untouched.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tokenpak.core.headers import Line
from tokenpak.core.patch import Format
from tokenpak.core.refusal import Fault, Refuse


class _Case(NamedTuple):
    status: int
    kind: str
    """Anthropic's word for this class of error; the others derive theirs."""
    message: str


_CASES: dict[Fault, _Case] = {
    "foreign_host": _Case(
        403,
        "permission_error",
        "The host header names {detail!r}, which is not this machine. TokenPak serves local programs only; use its "
        "address, such as http://127.0.0.1:8766, as base URL.",
    ),
    "foreign_origin": _Case(
        403,
        "permission_error",
        "The request comes from a web page of origin {detail!r}. TokenPak serves local programs and pages of this "
        "machine only.",
    ),
    # 403 and not 401, upon which clients with a login of their own renew it, or throw it away.
    "no_token": _Case(
        403,
        "permission_error",
        "This TokenPak asks its clients for a token, and {detail}. Send the one made for this client in the header "
        "x-tokenpak-token; your provider's key stays where it is.",
    ),
    "too_many": _Case(
        429,
        "rate_limit_error",
        "Not sent, because of a limit of yours: {detail}. Send the request again when another one has ended, or change "
        "the limit in TokenPak's configuration.",
    ),
    "forward_proxy": _Case(
        400,
        "invalid_request_error",
        "The request asks for {detail!r} as from an HTTP proxy. TokenPak is a base URL, not a proxy: unset HTTP_PROXY "
        "for this client and set its base URL to TokenPak's address.",
    ),
    "websocket": _Case(
        426,
        "invalid_request_error",
        "WebSocket is not spoken here. Send the same request over HTTP; responses stream as server-sent events.",
    ),
    "unknown_path": _Case(
        404,
        "not_found_error",
        "No provider owns the path {detail!r}. Put the provider before it, as in /anthropic/…, /openai/…, /google/…, "
        "/ollama/… or /<name of a configured upstream>/….",
    ),
    # Nothing that a client would send again: the SDKs retry 408, 409, 429 and 5xx, and take 401 and 403 for a matter of
    # the login.
    "over_budget": _Case(
        402,
        "billing_error",
        "Not sent, because of a spending limit of yours: {detail}. Nothing was charged.",
    ),
    "secret_found": _Case(
        400,
        "invalid_request_error",
        "Not sent, because it holds what must not leave this machine: {detail}. Take it out of the conversation, or "
        "change [redaction] in TokenPak's configuration.",
    ),
    "unsearched": _Case(
        400,
        "invalid_request_error",
        "Not sent, because it cannot be searched for secrets: {detail}. Send it smaller and without content coding, or "
        "change [redaction] in TokenPak's configuration.",
    ),
    "busy": _Case(
        503,
        "overloaded_error",
        "Too many requests are under way through TokenPak at this moment. Send the request again in a second.",
    ),
    "stopping": _Case(
        503,
        "api_error",
        "TokenPak is stopping and the response did not come in time. Send the request again.",
    ),
    "upstream_unreachable": _Case(
        502,
        "api_error",
        "TokenPak cannot connect to {detail}. Check the network and the upstream's base URL in TokenPak's settings.",
    ),
    "upstream_silent": _Case(
        504,
        "api_error",
        "{detail} did not answer within TokenPak's read timeout. Send the request again, or raise read_timeout_s.",
    ),
    "upstream_broken": _Case(
        502,
        "api_error",
        "{detail} closed the connection without a complete answer. Send the request again.",
    ),
    "internal": _Case(
        500,
        "api_error",
        "TokenPak failed on this request by a defect of its own; its log has the details. Send the request again, or "
        "use the provider directly.",
    ),
}

_LONGEST_DETAIL = 200

_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    426: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
}
_OPENAI_KINDS = {429: "rate_limit_error"}
_GOOGLE_STATUS |= {500: "INTERNAL", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}

_MALFORMED = {
    408: "The request did not come in time: its head, or the next piece of its body, is missing. Send it again.",
    431: "The request's headers are larger than TokenPak takes in. Send fewer or shorter headers.",
    501: "The request uses a transfer coding that TokenPak does not know. Send the body chunked or with its length.",
    505: "Only HTTP/1.1 is spoken here.",
}

_RETRY = ((b"retry-after", b"1"),)


class Refusal(NamedTuple):
    """A complete response."""

    status: int
    headers: list[Line]
    body: bytes


def refusal(refuse: Refuse) -> Refusal:
    """The response to a request that is not forwarded, or could not be."""
    case = _CASES[refuse.fault]
    body = msgspec.json.encode(_shape(refuse.provider)(refuse.fault, case, _message(refuse)))
    headers = framing(body)
    if case.status in {429, 503}:
        headers += _RETRY
    if case.status == 426:  # RFC 9110 section 15.5.22: name what to speak instead
        headers += [(b"connection", b"upgrade"), (b"upgrade", b"HTTP/1.1")]
    return Refusal(case.status, headers, body)


def last_event(refuse: Refuse, form: Format | None, content_type: bytes) -> bytes | None:
    """How a stream that began well says that it ends badly, to be sent between two of its events.

    None where the content type has no such form: then only the broken connection tells.
    """
    case = _CASES[refuse.fault]
    error = msgspec.json.encode(_shape(refuse.provider)(refuse.fault, case, _message(refuse)))
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"application/x-ndjson":
        return error + b"\n"
    if kind != b"text/event-stream":
        return None
    if refuse.provider == "anthropic":
        return b"event: error\ndata: " + error + b"\n\n"
    if form is Format.OPENAI_RESPONSES:
        typed = {"type": "error", "code": _code(refuse.fault), "message": _message(refuse), "param": None}
        whole = {**typed, **_openai(refuse.fault, case, _message(refuse))}
        return b"event: error\ndata: " + msgspec.json.encode(whole) + b"\n\n"
    return b"data: " + error + b"\n\n"


def malformed(status: int) -> bytes:
    """The body of an answer to what is not an HTTP request, before anything is known about it."""
    message = _MALFORMED.get(status, "The request is not valid HTTP/1.1. Check the client, or what stands before it.")
    return msgspec.json.encode(_openai("internal", _Case(status, "invalid_request_error", ""), f"TokenPak: {message}"))


def framing(body: bytes) -> list[Line]:
    """The headers that describe a body of ours."""
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


def _message(refuse: Refuse) -> str:
    detail = refuse.detail[:_LONGEST_DETAIL]
    return "TokenPak: " + _CASES[refuse.fault].message.format(detail=detail)


def _code(fault: Fault) -> str:
    return f"tokenpak_{fault}"


def _shape(provider: str | None) -> Callable[[Fault, _Case, str], dict[str, object]]:
    return {"anthropic": _anthropic, "google": _google, "ollama": _ollama}.get(provider or "", _openai)


def _anthropic(_fault: Fault, case: _Case, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": case.kind, "message": message}}


def _openai(fault: Fault, case: _Case, message: str) -> dict[str, object]:
    kind = "server_error" if case.status >= 500 else _OPENAI_KINDS.get(case.status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": _code(fault)}}


def _google(_fault: Fault, case: _Case, message: str) -> dict[str, object]:
    return {"error": {"code": case.status, "message": message, "status": _GOOGLE_STATUS[case.status]}}


def _ollama(_fault: Fault, _case: _Case, message: str) -> dict[str, object]:
    return {"error": message}
