"""One request from its head to its row. Read this file first: everything else in the data plane is a step of it.

    receive   take the head; the body follows when it is wanted
    identify  who is calling, under which ids
    admit     may it come in; more of that when the route is known (proxy/gate), and the body (proxy/guard)
    route     which provider owns the path
    recall    give a stored answer again, where a rule wants that and there is one
    compress  read the body where it can be read, and let dispatch edit it
    mark      add cache marks, where the client's own leave the tail of a conversation uncovered
    send      to the provider, with the client's own lines
    relay     the response back, piece by piece, a tap beside it
    account   make the row's end of all that has become known
    record    hand it to the writer

The difficulty is that a request ends exactly once, although the client may leave, the provider break off and the process
stop at any `await`. So one cancel scope, `_life`, spans everything between client and provider: whoever ends an exchange
early says so in the course's state and cancels it. The row is written on the way out, synchronously, whatever happened.
"""

import httpx
import trio

from tokenpak.core.admit import admit
from tokenpak.core.breakpoints import supported
from tokenpak.core.client import identify
from tokenpak.core.headers import Line, first_values, forwarded, resized
from tokenpak.core.refusal import Fault, Refuse
from tokenpak.core.route import Route, resolve
from tokenpak.core.usage import EchoWatch, NoEcho, Observation, Tap, tap_for
from tokenpak.ipc.events import CloseState, RequestClosed
from tokenpak.proxy import gate, guard, recall, refuse, row
from tokenpak.proxy.body import Body, ClientGone, plain
from tokenpak.proxy.connection import Receive, Scope, Send
from tokenpak.proxy.defect import report
from tokenpak.proxy.guard import TurnedAway
from tokenpak.proxy.recall import Keeping, Silent
from tokenpak.proxy.relay import Relay
from tokenpak.proxy.relay import Tap as Listener
from tokenpak.proxy.room import Room
from tokenpak.services.accounts import Told
from tokenpak.services.upstream import Base, Whole
from tokenpak.tip import headers as tip

SHORT = 256 * 1024
"""Bytes. A body that declares no more is taken whole even where nobody reads it: what is at hand can be sent again."""

LAST_WORD_S = 1.0
"""How long a client may take to hear why its stream ends."""

_FAULTS: tuple[tuple[type[httpx.TransportError], Fault], ...] = (
    (httpx.PoolTimeout, "busy"),
    (httpx.ConnectTimeout, "upstream_unreachable"),
    (httpx.ConnectError, "upstream_unreachable"),
    (httpx.TimeoutException, "upstream_silent"),
)
"""Why there is no answer; every other transport error is a broken one."""


class Exchange:
    """One request. `run` is all of it; `stop` ends it early because the process ends."""

    def __init__(self, room: Room, scope: Scope, receive: Receive, send: Send) -> None:
        self._room = room
        self._send = send
        self._life = trio.CancelScope()
        self._over = False  # the last word to the client is being said, or has been
        self._open = False  # the row is
        self._tap: Tap | None = None
        self._relay: Relay | None = None
        self._keeping: Keeping | None = None
        self.receive(scope, receive)
        self.identify()

    async def run(self) -> CloseState:
        """Serve the request and return how it ended."""
        try:
            with self._life:
                refused = self.admit() or self.route() or gate.enter(self._room, self.course, self._values)
                await (self._refuse(refused) if refused else self._forward())
            if self.course.fault == "stopping" and not self._over:
                await self._say_stopping()
        except Exception as error:  # noqa: BLE001 a defect of ours in one exchange must not end the others
            report("exchange_failed", error)
            self.course.fault = "internal"
            if self.course.status is None:
                await self._answer(Refuse("internal", provider=self.course.provider))
        finally:
            gate.leave(self._room, self.course)
            self.record(self.account())
        return self.course.state

    def stop(self) -> None:
        """End the exchange now; the client is told as far as that can be done."""
        if not self._over:
            self.course.fault = "stopping"
            self._life.cancel()

    # The steps

    def receive(self, scope: Scope, receive: Receive) -> None:
        """The head, as it stands in the request."""
        self._lines: list[Line] = scope["headers"]
        self._values = first_values(self._lines)
        self._method: str = scope["method"]
        self._path, mark, query = scope["state"]["target"].partition(b"?")
        self._query: bytes = mark + query
        self._body = Body(receive)

    def identify(self) -> None:
        """Our id for the row, the client's for its answer, and who the client seems to be."""
        now_ns, own = self._room.now_ns(), self._room.new_id()
        self.course = row.Course(own, self._method, self._path.decode("latin-1"), now_ns)
        self.course.client = identify(self._values)
        self.course.client_request_id = theirs = tip.request_id_of(self._lines)
        self._own_lines = tip.response_headers(theirs or own, "tip-proxy", "unknown")

    def admit(self) -> Refuse | None:
        """None lets the request in."""
        return admit(self._values)

    def route(self) -> Refuse | None:
        """None has found the path's owner."""
        found = resolve(self._method, self._path, self._values, self._room.upstreams)
        if isinstance(found, Refuse):
            return found
        self.course.route = found
        return None

    async def recall(self, route: Route, base: Base, lines: list[Line]) -> bool:
        """True has given the request a stored answer, and nothing is sent. Raises ClientGone while the body comes in."""
        target = recall.target_of(base, route, self._query)
        stored = await recall.ask(self._room, self.course, target, lines, self._body)
        if stored is None:
            return False
        self._open_row()
        own_id = self.course.client_request_id or self.course.id
        self._own_lines = tip.response_headers(own_id, "tip-proxy", "proxy")
        await self._pass_on(self._begin(recall.response_of(stored, self._room.now_ns())), Silent())
        return True

    async def compress(self, route: Route, lines: list[Line]) -> tuple[list[Line], bytes | None]:
        """Lines and body as they go on; None for a body that streams through. Raises ClientGone while it comes in, and
        TurnedAway for what it holds.
        """
        course, cap = self.course, self._room.read_cap
        kind = self._values.get(b"content-type", b"")
        held = guard.holds(self._room, course, kind)
        raw = await self._body.whole(cap) if route.format or held or self._is_short() else None
        if raw is None and held:
            raise guard.unsearched(course, f"it is larger than {cap:,} bytes (read_cap_bytes)")
        if raw is None:
            course.why_unread = "too_large" if route.format else None
            return lines, None
        course.read_at = trio.current_time() if course.read_at is None else course.read_at
        course.size_in = course.size_out = len(raw)
        text = await plain(raw, self._values.get(b"content-encoding"), cap)
        if text is None and held:
            raise guard.unsearched(course, "its content coding cannot be undone")
        clean = guard.search(self._room, course, text, kind) if text is not None else raw
        if route.format is None or text is None:
            course.why_unread = "coded" if text is None else None
            return (lines, raw) if clean is text or text is None else (resized(lines, len(clean)), clean)
        course.compressed = done = await self._room.dispatch.compress(
            route.format, route.kind, clean, course.caller, course.party
        )
        if done.worker_ms is not None:
            self._own_lines.append(tip.compression_line((done.queue_ms or 0.0) + done.worker_ms))
        if done.body is text:
            return lines, raw
        return resized(lines, len(done.body)), done.body

    def mark(self, route: Route, base: Base, lines: list[Line], body: bytes | None) -> tuple[list[Line], bytes | None]:
        """The same with cache marks, for a request that is answered, at a host known to take them, where they may be."""
        done = self.course.compressed
        about = done.outline if done and done.cache_marks else None
        if done is None or about is None or about.max_tokens == 0 or route.kind != "messages":
            return lines, body
        if not supported(route.provider, base.url.host):
            return lines, body
        marked = self._room.marks.place(done.body, about.model or "")
        self.course.marks = marked
        return (resized(lines, len(marked.body)), marked.body) if marked.marks else (lines, body)

    async def send(self, route: Route, base: Base, lines: list[Line], body: bytes | None) -> httpx.Response:
        """The provider's response, its head read. Raises httpx.TransportError, and ClientGone during an upload."""
        target = base.prefix + route.upstream_path + self._query
        stream = self._body.upload() if body is None else Whole(body)
        self.course.size_out = None if body is None else len(body)
        as_came = {"method": self._method.encode("ascii"), "target": target}
        request = httpx.Request(self._method, base.url, headers=lines, stream=stream, extensions=as_came)
        self.course.sent_at = trio.current_time()
        response = await self._room.upstream.handle_async_request(request)
        self.course.head_at = trio.current_time()
        self._body.let_go()
        return response

    async def relay(self, route: Route, response: httpx.Response) -> None:
        """Pass the response on to its end. Raises httpx.TransportError when it breaks off."""
        kind = response.headers.get("content-type", "").encode("latin-1")
        coding = response.headers.get("content-encoding", "").encode("latin-1")
        patch = self.course.compressed.patch if self.course.compressed else None
        watch = EchoWatch() if patch is not None and patch.edits else NoEcho()
        self._tap = tap = tap_for(route.provider, route.kind, kind, coding, watch)
        begun = self._begin(response)
        self._open_account(route, response)
        if self.course.ticket is not None:
            self._keeping = Keeping(tap, response, self._room.responses.most)
        await self._pass_on(begun, self._keeping or tap)

    def account(self) -> RequestClosed:
        """The row's end."""
        course = self.course
        if course.size_in is None:
            course.size_in = self._body.size
            course.size_out = self._body.size if course.sent_at is not None else None
        if self._relay is not None:
            course.size_back = self._relay.size
        seen = self._tap.close() if self._tap else Observation()
        if seen.echo and course.compressed is not None and course.compressed.session is not None:
            self._room.dispatch.echoed(course.compressed.session)
        recall.settle(self._room, course, self._keeping, seen)
        if course.route is not None and course.recalled is not None:
            # whoever left before the end would have had the provider end early too
            known = course.recalled.seen if course.state == "done" else Observation(model=course.recalled.seen.model)
            course.settled = self._room.accounts.recalled(course.route.provider, known.model or "", known)
            seen = Observation(model=known.model)
        elif course.route is not None and course.passed_at is not None:
            settle = self._room.accounts.settle
            course.settled = settle(course.account, course.route.provider, course.model or "", seen)
        guard.settle(self._room, course)
        return row.closed(course, seen, self._room.now_ns())

    def record(self, closed: RequestClosed) -> None:
        """Every request has exactly one row, opened before it is closed."""
        self._open_row()
        self._room.recorder.record(closed)

    # What holds the steps together

    async def _forward(self) -> None:
        route = self.course.route
        assert route is not None  # noqa: S101 the step before this one has set it
        base = self._room.upstreams[route.provider]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_client)
            try:
                lines = forwarded(self._lines, self._values, base.host)
                if not await self.recall(route, base, lines):
                    await self._ask_provider(route, base, lines)
            except ClientGone:
                self.course.state = "client_gone"
            except TurnedAway as away:
                await self._refuse(away.refuse)
            except httpx.TransportError as error:
                self.course.state = "upstream_failed"
                self.course.fault = fault_of(error)
                # once a response has begun, only its breaking off can tell
                if self._relay is None:
                    await self._answer(Refuse(self.course.fault, str(base.url), self.course.provider))
            nursery.cancel_scope.cancel()

    async def _ask_provider(self, route: Route, base: Base, lines: list[Line]) -> None:
        lines, body = await self.compress(route, lines)
        self._open_row()
        guard.reserve(self._room, self.course, body, self._size(body))
        lines, body = self.mark(route, base, lines, body)
        response = await self.send(route, base, lines, body)
        try:
            await self.relay(route, response)
        finally:
            await response.aclose()

    def _begin(self, response: httpx.Response) -> Relay:
        self._relay = begun = Relay(response, self._own_lines)
        self.course.status = response.status_code
        self.course.passed_at = trio.current_time()
        return begun

    async def _pass_on(self, begun: Relay, tap: Listener) -> None:
        await begun.pass_on(self._send, tap)
        self._over = True
        self.course.state = "done"
        await begun.finish(self._send)

    async def _watch_client(self) -> None:
        await self._body.gone()
        if not self._over:
            self.course.state = "client_gone"
            self._life.cancel()

    async def _refuse(self, refused: Refuse) -> None:
        self.course.state = "refused"
        self.course.fault = refused.fault
        await self._answer(refused)

    async def _answer(self, refused: Refuse) -> None:
        status, headers, body = refuse.refusal(refused)
        self.course.status = status
        self._over = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers + self._own_lines})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _say_stopping(self) -> None:
        """A request without an answer gets one; a stream gets an event of its own kind, and then breaks off."""
        refused = Refuse("stopping", provider=self.course.provider)
        with trio.move_on_after(LAST_WORD_S, shield=True):
            if self._relay is None:
                await self._answer(refused)
            elif (event := self._relay.last_event(refused, self.course.format)) is not None:
                await self._send({"type": "http.response.body", "body": event, "more_body": True})

    def _open_account(self, route: Route, response: httpx.Response) -> None:
        """Of a request that was answered, and whose body was read; a count and a pre-warm save nobody anything."""
        done, marks = self.course.compressed, self.course.marks
        footprint = done.footprint if done else None
        if not response.is_success or done is None or done.outline is None or footprint is None or not done.claims:
            return
        ours = marks.places if marks is not None else ()
        if marks is not None and ours and marks.blocks != len(footprint.blocks):
            return  # which block a mark of ours stands on is then not known: what it does is nobody's
        told = Told(
            route.provider,
            self._room.upstreams[route.provider].url.host,
            done.outline,
            footprint,
            ours,
            hash((self._values.get(b"authorization"), self._values.get(b"x-api-key"))),
            done.patch.counted if done.patch else None,
        )
        self.course.account = self._room.accounts.open(told)

    def _open_row(self) -> None:
        if not self._open:
            self._open = True
            self._room.recorder.record(row.opened(self.course, self._room.front))

    def _is_short(self) -> bool:
        if b"transfer-encoding" in self._values:
            return False
        return int(self._values.get(b"content-length", b"0")) <= SHORT

    def _size(self, body: bytes | None) -> int:
        """Bytes of the body that goes out; of an upload as many as it declares, or at most as are read."""
        declared = int(self._values.get(b"content-length", b"%d" % self._room.read_cap))
        return declared if body is None else len(body)


def fault_of(error: httpx.TransportError) -> Fault:
    """Our word for what went wrong with a provider."""
    for kind, fault in _FAULTS:
        if isinstance(error, kind):
            return fault
    return "upstream_broken"
