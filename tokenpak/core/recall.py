"""Which answers of a provider may be given again: to what request, for whom, for how long, and with which header lines.

A stored answer is given to exactly the request it was for. Exact is: the same method, provider, address with its query, body
bytes as the client sent them, credential, and header lines. The difficulty is the header lines: a gateway may read any
of them, so every one that goes to the provider counts, but for a closed list of those that only name a request, time it
or speak to caches (`_ONLY_NAMES`). Too many lines in the key cost a hit; too few would give a wrong answer.

The credential counts as a hash under a key of this installation, so that neither a stored answer nor its key tells it.
The rest of the key is a hash as well, over that one: what was asked cannot be guessed from the file either.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from tokenpak.core.headers import Line, tokens
from tokenpak.core.route import UNREAD, Route
from tokenpak.core.usage import Observation

MIB: Final = 1024 * 1024
KEY_BYTES: Final = 32
"""SHA-256."""

Kind = Literal["messages", "chat", "responses", "embeddings"]
"""What is asked of a model and answered by it alone; everything else is never stored."""

Bar = Literal["unreadable", "stored_by_provider", "server_state", "background", "pre_warm"]
"""Why a request is neither answered from the store nor its answer kept. unreadable: no JSON object of the fields known
here. stored_by_provider: `store` keeps the answer at the provider, under an id that is good for one. server_state: the
answer depends on what the provider holds. background: the answer is a receipt. pre_warm: it is sent for its effect."""

_EMBEDDINGS = frozenset({b"/v1/embeddings", b"/embeddings"})
_CREDENTIALS = frozenset(
    {b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"x-amz-security-token", b"cookie"}
)
_ONLY_NAMES = frozenset(
    {
        *(b"host", b"content-length", b"transfer-encoding", b"cache-control", b"pragma", b"date"),
        *(b"idempotency-key", b"request-id", b"x-request-id", b"x-client-request-id", b"x-correlation-id"),
        *(b"traceparent", b"tracestate", b"baggage", b"sentry-trace", b"b3"),
        *(b"x-claude-code-session-id", b"session-id", b"session_id", b"thread-id", b"conversation_id"),
        *(b"x-session-id", b"x-session-affinity", b"x-codex-window-id", b"x-codex-turn-metadata"),
    }
)
"""Lines that do not change what is answered: host and length are in the address and the body; the rest names a request or a
conversation (facts/clients.md 2.1), or speaks to caches."""
_ONLY_NAMES_BEGIN = (b"x-stainless-",)
"""What SDKs tell of themselves: language, versions, the number of this attempt."""

_OF_ONE_ANSWER = frozenset(
    {
        *(b"date", b"age", b"expires", b"last-modified", b"set-cookie", b"set-cookie2", b"retry-after"),
        *(b"x-amzn-requestid", b"x-amz-cf-id", b"x-amzn-trace-id", b"apim-request-id", b"cf-ray", b"cf-cache-status"),
        *(b"x-oai-request-id", b"x-correlation-id", b"x-trace-id", b"traceresponse", b"traceparent", b"tracestate"),
        *(b"server-timing", b"x-runtime", b"x-response-time", b"x-process-time", b"openai-processing-ms"),
        *(b"x-envoy-upstream-service-time", b"x-kong-upstream-latency", b"x-kong-proxy-latency"),
        *(b"alt-svc", b"nel", b"report-to", b"transfer-encoding"),
    }
)
_OF_ONE_ANSWER_WITHIN = (b"ratelimit", b"rate-limit", b"request-id", b"x-tokenpak-")
"""Lines of a response that are true of it alone: when it came, under which id, how long it took, what its sender may
still send, whom it logged in. They are left out before an answer is stored."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """max_bytes: of all stored answers together. max_entry_bytes: of one. max_age_s: seconds after which none is given."""

    max_bytes: Annotated[int, msgspec.Meta(ge=MIB, le=1024 * MIB)] = 64 * MIB
    max_entry_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 * MIB)] = MIB
    max_age_s: Annotated[int, msgspec.Meta(ge=1)] = 86_400


class Asked(NamedTuple):
    """A request as the client sent it. target: scheme, host, path and query it goes to. lines: those that go there."""

    method: str
    provider: str
    target: bytes
    lines: Sequence[Line]
    body: bytes


class Told(msgspec.Struct):
    """What a body says that decides whether its answer may be kept; everything else in it is skipped."""

    model: str | None = None
    store: bool | None = None
    background: bool | None = None
    max_tokens: int | None = None
    previous_response_id: object = None
    conversation: object = None
    container: object = None


class Wish(NamedTuple):
    """What a client says to caches. read, store: may be done. max_age_s: it takes no answer that is older."""

    read: bool = True
    store: bool = True
    max_age_s: int | None = None


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """An answer. at_ns: when it was complete, of the epoch. lines, pieces: head and body, piece by piece as they came.

    seen: what a tap had seen in it, for the money.
    """

    key: bytes
    at_ns: int
    reason: bytes
    lines: tuple[Line, ...]
    pieces: tuple[bytes, ...]
    seen: Observation

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))


_TOLD = msgspec.json.Decoder(Told)


def kind_of(method: str, route: Route) -> Kind | None:
    """What is asked, if its answer may be stored at all."""
    match route.kind:
        case "messages" | "chat" | "responses":
            return route.kind
        case "count_tokens":
            return None
        case "other":
            embeds = route.upstream_path in _EMBEDDINGS and method == "POST" and route.provider not in UNREAD
            return "embeddings" if embeds else None


def read(body: bytes) -> Told | None:
    """What a body without content coding says; None where it is no JSON object, or says it in another type."""
    try:
        return _TOLD.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def bar(kind: Kind, told: Told | None) -> Bar | None:
    """Why this request has nothing to do with stored answers; None: it may have.

    OpenAI's responses are stored by the provider unless the request says `"store": false`; the other formats only
    where it says true.
    """
    if told is None:
        return "unreadable"
    if told.store or (kind == "responses" and told.store is None):
        return "stored_by_provider"
    if any(each is not None for each in (told.previous_response_id, told.conversation, told.container)):
        return "server_state"
    if told.background:
        return "background"
    return "pre_warm" if told.max_tokens == 0 else None


def wish_of(lines: Iterable[Line]) -> Wish:
    """The client's `cache-control` (RFC 9111 section 5.2.1), of which `no-store`, `no-cache` and `max-age` count here."""
    said: set[bytes] = set()
    for name, value in lines:
        if name.lower() in (b"cache-control", b"pragma"):
            said |= tokens(value)
    ages = [int(word[8:]) for word in said if word.startswith(b"max-age=") and word[8:].isdigit()]
    store = b"no-store" not in said
    return Wish(store and b"no-cache" not in said, store, min(ages, default=None))


def scope_of(lines: Iterable[Line], secret: bytes) -> bytes:
    """Who asks: a hash of the credentials under this installation's key."""
    mac = hmac.new(secret, digestmod=hashlib.sha256)
    for part in _parts(line for line in lines if line[0].lower() in _CREDENTIALS):
        mac.update(part)
    return mac.digest()


def key_of(asked: Asked, scope: bytes) -> bytes:
    """What a stored answer is kept under. Each part goes in with its length, so that no two requests run together."""
    digest = hashlib.sha256(scope)
    for part in (asked.method.encode(), asked.provider.encode(), asked.target, asked.body):
        digest.update(b"%d:" % len(part) + part)
    for part in _parts(line for line in asked.lines if _decides(line[0].lower())):
        digest.update(part)
    return digest.digest()


def may_keep(status: int, seen: Observation, lines: Iterable[Line]) -> bool:
    """Whether an answer that reached its end may be given again.

    It has to be one: read by the tap down to the end its format has, and neither an error, nor a count, nor an answer in
    which the model repeats a marker of ours. `no-store` is obeyed; `no-cache` is what streams say everywhere, and the
    user's rule stands above it.
    """
    forbidden = any(name.lower() == b"cache-control" and b"no-store" in tokens(value) for name, value in lines)
    whole = not (seen.truncated or seen.lost or seen.error or seen.echo)
    answers = seen.basis != "count" and not (seen.basis is None and seen.model is None)
    return status == 200 and whole and answers and not forbidden


def kept_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines of a response that are as true the next time."""
    return tuple(line for line in lines if not _is_of_one_answer(line[0].lower()))


def is_fresh(stored: Stored, age_s: float, now_ns: int) -> bool:
    """Whether an answer is young enough. One from the future is not: a clock was set, and its age is not known."""
    return 0 <= now_ns - stored.at_ns <= age_s * 1e9


def _decides(name: bytes) -> bool:
    return name not in _ONLY_NAMES and name not in _CREDENTIALS and not name.startswith(_ONLY_NAMES_BEGIN)


def _parts(lines: Iterable[Line]) -> Iterable[bytes]:
    """Lines in one order of names; lines of one name stay in theirs."""
    for name, value in sorted(((name.lower(), value) for name, value in lines), key=lambda line: line[0]):
        yield b"%d:%d:" % (len(name), len(value)) + name + value


def _is_of_one_answer(name: bytes) -> bool:
    return name in _OF_ONE_ANSWER or any(word in name for word in _OF_ONE_ANSWER_WITHIN)
