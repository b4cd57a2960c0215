"""The provider itself: a request in, a reply out, and the state between requests. No socket, no clock of its own.

One table says which path is answered by what. The three formats that agents bill by go through one function, because
what differs between them is in their own files; the rest is answered shortly and never cached.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec

from tokenpak.core.content_coding import CodingError, unpack
from tokenpak.mock_provider import anthropic, cache, embeddings, gemini, ollama, openai_chat, openai_responses
from tokenpak.mock_provider.cache import Block, Reading, Shelf, Step, Used, estimate, prefixes
from tokenpak.mock_provider.call import Answer, Call, Json, Manner, Refusal
from tokenpak.mock_provider.faults import AnyFault, ErrorEvent, Refuse, Switchboard, refusal_of, with_error_event
from tokenpak.mock_provider.record import Received, Record
from tokenpak.mock_provider.reply import NDJSON, SSE, Headers, Manners, Reply, Request, plain

BODY_BOUND = 256 * 2**20
"""Bytes a coded request body may unpack to."""

ANSWERS_KEPT = 10_000

ANSWER = Answer(
    "I read the files and made the change: the totals are now rounded once, at the end, and the café example — the one "
    "with the “odd” quotes — has a test of its own. All tests pass. Shall I also update the changelog?"
)
"""What the model says when nothing else was put into its mouth."""

Clock = Callable[[], float]


class _Format(NamedTuple):
    """One billed API format."""

    name: str
    objection: Callable[[Json], Refusal | None]
    prompt: Callable[[Json], list[Block]]
    whole: Callable[[Call], bytes]
    events: Callable[[Call], Iterator[bytes]]
    refusal: Callable[[Refusal, str], bytes]
    broken: Callable[[str], bytes]


def _format(name: str, of: Any, refusal: Callable[[Refusal, str], bytes]) -> _Format:
    return _Format(name, of.objection, of.prompt, of.whole, of.events, refusal, of.broken)


_ANTHROPIC = _format("anthropic", anthropic, anthropic.refusal)
_CHAT = _format("openai", openai_chat, openai_chat.refusal)
_RESPONSES = _format("responses", openai_responses, openai_chat.refusal)


def usage_of(name: str, shelf: Shelf, body: Json, steps: list[Step], now: float) -> Reading:
    """What a request of format `name` ("anthropic", "openai", "responses") reads and writes under its rules."""
    if name == "anthropic":
        return cache.ask_marked(shelf, steps, anthropic.minimum_of(str(body.get("model"))), now)
    return cache.ask_automatic(shelf, steps, openai_chat.life_of(body), now)


class Statistics(msgspec.Struct, frozen=True):
    """Requests that met a fault; cache entries; answers still queued."""

    faults: int
    cache: cache.Statistics
    answers_queued: int


class Provider:
    """All that the mock remembers: prompt cache, record, faults, queued answers."""

    def __init__(self, clock: Clock, manner: Manner | None = None, faults: Iterable[AnyFault] = ()) -> None:
        self.record = Record()
        self.faults = Switchboard(faults)
        self.manner = manner or Manner()
        self.answers: deque[Answer] = deque(maxlen=ANSWERS_KEPT)
        self._clock = clock
        self._shelf = Shelf()
        self._calls = 0

    def reset(self) -> None:
        """As new, but for the numbers of requests, which go on."""
        self._shelf.clear()
        self.record.clear()
        self.faults.disarm()
        self.answers.clear()

    def statistics(self) -> Statistics:
        """Counts for the admin path."""
        return Statistics(self.faults.hits, self._shelf.statistics(), len(self.answers))

    def receive(self, request: Request) -> tuple[Reply, Received]:
        """The reply to a request, and its record, which the server completes. Raises nothing."""
        received = self.record.add(request.method, request.target, request.headers, request.body)
        method = "GET" if request.method == "HEAD" else request.method
        reply = self._answer(method, request, received.seq)
        received.status = reply.status
        return reply, received

    def _answer(self, method: str, request: Request, number: int) -> Reply:
        exact = _PATHS.get((method, request.path))
        if exact is not None:
            return exact(self, request, number)
        if request.path.startswith("/v1beta/models/") and ":" in request.path:
            return self._gemini(request, number)
        return plain(404, _refused(request, Refusal(404, "not_found_error", f"no such path: {request.path}"), number))

    # The billed formats

    def serve(self, fmt: _Format, request: Request, number: int) -> Reply:
        """A message, a completion or a response."""
        body = _parsed(request)
        objection = fmt.objection(body) if body is not None else _NOT_JSON
        streams = body is not None and body.get("stream") is True
        fault = self.faults.take(request.path, streams=streams)
        if isinstance(fault, Refuse):
            return self._refuse(fmt, refusal_of(fault), number, fault.retry_after)
        if body is None or objection is not None:
            return self._refuse(fmt, objection or _NOT_JSON, number)
        now = self._clock()
        scope = hashlib.sha256(f"{body['model']}\n{_credential(request)}".encode()).digest()
        reading = usage_of(fmt.name, self._shelf, body, prefixes(scope, fmt.prompt(body), estimate), now)
        call = self._call(body, reading.used, number)
        how = self._manners(request, fault)
        begun = partial(self._begin, reading)
        if not streams:
            return how.whole(fmt.whole(call), _ids(fmt.name, number), begun)
        events = fmt.events(call)
        if isinstance(fault, ErrorEvent):
            events = with_error_event(events, fault.after, fmt.broken(_request_id(number)))
        return how.stream(events, SSE, _ids(fmt.name, number), begun)

    def _begin(self, reading: Reading) -> None:
        cache.begin(self._shelf, reading, self._clock())

    def _call(self, body: Json, used: Used, number: int) -> Call:
        answer = self.answers.popleft() if self.answers else ANSWER
        return Call(number, str(body.get("model")), used, answer, self.manner.pieces, body)

    def _manners(self, request: Request, fault: AnyFault | None) -> Manners:
        return Manners(self.manner, fault, request.header("accept-encoding"))

    def _refuse(self, fmt: _Format, refusal: Refusal, number: int, retry_after: float | None = None) -> Reply:
        wait = [] if retry_after is None else [("retry-after", f"{retry_after:g}")]
        body = fmt.refusal(refusal, _request_id(number))
        return plain(refusal.status, body, [*_ids(fmt.name, number), *wait])

    def count(self, fmt: _Format, counted: Callable[[int], bytes], request: Request, number: int) -> Reply:
        """The tokens of a request, by the provider's own count; reads no cache and writes none."""
        body = _parsed(request)
        objection = fmt.objection(body) if body is not None else _NOT_JSON
        fault = self.faults.take(request.path, streams=False)
        if isinstance(fault, Refuse):
            return self._refuse(fmt, refusal_of(fault), number, fault.retry_after)
        if body is None or objection is not None:
            return self._refuse(fmt, objection or _NOT_JSON, number)
        total = sum(map(estimate, fmt.prompt(body)))
        return self._manners(request, fault).whole(counted(total), _ids(fmt.name, number))

    # The rest

    def small(
        self, read: Callable[[Json], str], write: Callable[[Call], bytes], request: Request, number: int
    ) -> Reply:
        """A reply in one piece whose only usage is the length of what was read."""
        body = _parsed(request)
        fault = self.faults.take(request.path, streams=False)
        if body is None:
            return plain(400, _refused(request, _NOT_JSON, number))
        if isinstance(fault, Refuse):
            return plain(fault.status, _refused(request, refusal_of(fault), number))
        call = self._call(body, _only(read(body)), number)
        return self._manners(request, fault).whole(write(call), _ids("openai", number))

    def ollama(self, request: Request, number: int) -> Reply:
        """Ollama's chat and generate: lines unless `stream` is false."""
        body = _parsed(request)
        if body is None or body.get("stream") is False:
            return self.small(ollama.prompt_text, ollama.whole, request, number)
        fault = self.faults.take(request.path, streams=True)
        if isinstance(fault, Refuse):
            return plain(fault.status, ollama.refusal(refusal_of(fault).message))
        lines = ollama.lines(self._call(body, _only(ollama.prompt_text(body)), number))
        if isinstance(fault, ErrorEvent):
            lines = with_error_event(lines, fault.after, ollama.broken())
        return self._manners(request, fault).stream(lines, NDJSON, ())

    def _gemini(self, request: Request, number: int) -> Reply:
        model, _, verb = request.path.removeprefix("/v1beta/models/").partition(":")
        body = _parsed(request)
        if body is None or verb not in {"generateContent", "streamGenerateContent", "countTokens"}:
            status = 400 if body is None else 404
            return plain(status, gemini.refusal(status, "cannot be served"))
        streams = verb.startswith("stream")
        fault = self.faults.take(request.path, streams=streams)
        if isinstance(fault, Refuse):
            return plain(fault.status, gemini.refusal(fault.status, refusal_of(fault).message))
        used, how = _only(gemini.prompt_text(body)), self._manners(request, fault)
        if verb == "countTokens":
            return how.whole(gemini.counted(used.total), ())
        call = msgspec.structs.replace(self._call(body, used, number), model=model)
        if not streams:
            return how.whole(gemini.whole(call), ())
        sse = "alt=sse" in request.query.split("&")
        return how.stream(gemini.events(call) if sse else gemini.array(call), SSE if sse else "application/json", ())

    def models(self, request: Request, number: int) -> Reply:
        """The models of OpenAI or Anthropic, told by the header that only one of them has."""
        if request.header("anthropic-version"):
            return plain(200, anthropic.models(), _ids("anthropic", number))
        return plain(200, openai_chat.models(), _ids("openai", number))

    def told(self, body: Callable[[], bytes], request: Request, number: int) -> Reply:  # noqa: ARG002 - of the table
        """Something that is always the same."""
        return plain(200, body())


_NOT_JSON = Refusal(400, "invalid_request_error", "The body is not a JSON object.")

_Handler = Callable[[Provider, Request, int], Reply]


def _served(fmt: _Format) -> _Handler:
    return lambda provider, request, number: provider.serve(fmt, request, number)


def _counted(fmt: _Format, counted: Callable[[int], bytes]) -> _Handler:
    return lambda provider, request, number: provider.count(fmt, counted, request, number)


def _small(read: Callable[[Json], str], write: Callable[[Call], bytes]) -> _Handler:
    return lambda provider, request, number: provider.small(read, write, request, number)


def _told(body: Callable[[], bytes]) -> _Handler:
    return lambda provider, request, number: provider.told(body, request, number)


_PATHS: dict[tuple[str, str], _Handler] = {
    ("POST", "/v1/messages"): _served(_ANTHROPIC),
    ("POST", "/v1/messages/count_tokens"): _counted(_ANTHROPIC, anthropic.counted),
    ("POST", "/v1/chat/completions"): _served(_CHAT),
    ("POST", "/v1/responses"): _served(_RESPONSES),
    ("POST", "/v1/responses/input_tokens"): _counted(_RESPONSES, openai_responses.counted),
    ("POST", "/v1/embeddings"): _small(embeddings.prompt_text, embeddings.whole),
    ("GET", "/v1/models"): Provider.models,
    ("GET", "/v1beta/models"): _told(gemini.models),
    ("POST", "/api/chat"): Provider.ollama,
    ("POST", "/api/generate"): Provider.ollama,
    ("POST", "/api/embed"): _small(ollama.prompt_text, ollama.embedded),
    ("GET", "/api/tags"): _told(ollama.tags),
    ("POST", "/api/show"): _told(ollama.shown),
    ("GET", "/"): _told(lambda: b'{"provider":"mock"}'),
}


def _parsed(request: Request) -> Json | None:
    try:
        found = msgspec.json.decode(unpack(request.body, request.header("content-encoding").encode(), BODY_BOUND))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, CodingError):
        return None  # answered as 400
    return found if isinstance(found, dict) else None


def _credential(request: Request) -> str:
    return request.header("x-api-key") or request.header("authorization")


def _only(text: str) -> Used:
    return Used(uncached=estimate(Block(b"", text)))


def _request_id(number: int) -> str:
    return f"req_mock_{number:08d}"


def _ids(name: str, number: int) -> Headers:
    return [("request-id" if name == "anthropic" else "x-request-id", _request_id(number))]


def _refused(request: Request, refusal: Refusal, number: int) -> bytes:
    """An error in the shape of whoever owns the path."""
    if request.path.startswith("/v1beta"):
        return gemini.refusal(refusal.status, refusal.message)
    if request.path.startswith("/api/"):
        return ollama.refusal(refusal.message)
    if request.header("anthropic-version"):
        return anthropic.refusal(refusal, _request_id(number))
    return openai_chat.refusal(refusal, _request_id(number))
