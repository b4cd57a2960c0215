"""Secrets and budgets as an exchange meets them: real services over real connections, the provider is bytes."""

import gzip
import json

import lab
import pytest
import wire

from tests.core import planted
from tokenpak.core.budget import NANOS, Budget
from tokenpak.core.redact import placeholder
from tokenpak.core.redaction_terms import Policy, Rule, Terms
from tokenpak.services.budgets import Budgets
from tokenpak.services.redaction import Redaction

TOKEN = planted.secrets()["github-token"]
MODEL = "claude-sonnet-4-5"
USAGE = {"input_tokens": 1000, "output_tokens": 100}
COST = 1000 * 3_000 + 100 * 15_000
"""Nano-dollars of that."""


def answer(body, status="200 OK"):
    raw = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw


OK = answer({"type": "message", "role": "assistant", "model": MODEL, "content": [], "usage": USAGE})
FAILED = answer({"type": "error", "error": {"type": "api_error", "message": "no"}}, "500 Oh")
SILENT = answer({"type": "message", "role": "assistant", "model": MODEL, "content": []})


class Echo:
    """A provider that answers all requests alike and keeps them."""

    def __init__(self, reply=OK):
        self.reply = reply
        self.seen = []

    async def __call__(self, peer, number):
        while True:
            self.seen.append(await peer.message())
            await peer.send(self.reply)


def said(text="hello", **more):
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **more}


def post(body, *lines, path="/v1/messages", kind="application/json"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost:8766",
        f"Content-Length: {len(raw)}",
        f"Content-Type: {kind}",
        *lines,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + raw


async def asked(front, *request, **more):
    """The answer to a request, and its row's end."""
    before = len(front.recorder.closed)
    client = await wire.connect(front.port)
    await client.send(post(*request, **more))
    reply = await client.message()
    await client.close()
    await wire.wait_until(lambda: len(front.recorder.closed) > before)
    return reply, front.recorder.closed[-1]


def searching(tmp_path, *rules, **terms):
    return Redaction(Policy(Terms(**terms), rules), tmp_path / "key")


def stands(tmp_path, kind="github-token", secret=TOKEN):
    return placeholder((tmp_path / "key").read_bytes(), kind, secret).encode()


def status_of(reply):
    return int(reply.start.split()[1])


def message_of(reply):
    return json.loads(reply.body)["error"]["message"]


async def test_a_redacted_secret_reaches_neither_worker_nor_provider_and_is_in_the_row(tmp_path):
    echo = Echo()
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        _, closed = await asked(front, said(f"see {TOKEN}"))
    want = json.dumps(said(f"see {TOKEN}")).encode().replace(TOKEN.encode(), stands(tmp_path))
    assert [message.body for message in echo.seen] == [want]
    assert [body for _, _, body in front.dispatch.asked] == [want]
    assert (closed.passes["redact"].edits, closed.passes["redact"].saved) == (1, 0)
    assert (closed.bytes_after, closed.state) == (len(want), "done")


async def test_a_coded_body_goes_out_as_plain_bytes(tmp_path):
    echo = Echo()
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        await asked(front, gzip.compress(json.dumps(said(TOKEN)).encode()), "Content-Encoding: gzip")
    assert json.loads(echo.seen[0].body) == said(stands(tmp_path).decode())
    assert not [name for name, _ in echo.seen[0].lines if name.lower() == b"content-encoding"]


async def test_without_a_secret_the_same_bytes_go_out(tmp_path):
    echo, packed = Echo(), gzip.compress(json.dumps(said()).encode())
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        _, closed = await asked(front, packed, "Content-Encoding: gzip")
    assert echo.seen[0].body == packed
    assert closed.passes == {}


async def test_a_warning_sends_it_and_says_so_in_the_row():
    echo = Echo()
    async with wire.provider(echo) as provider, lab.front(provider.url) as front:
        _, closed = await asked(front, said(f"{TOKEN} {TOKEN}"))
    assert TOKEN.encode() in echo.seen[0].body
    assert closed.passes["found"].edits == 2


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/messages", ["type", "error"]),
        ("/v1/chat/completions", ["error"]),
        ("/v1beta/models/m:generateContent", ["error"]),
    ],
)
async def test_a_blocked_secret_is_refused_in_the_shape_of_its_provider_and_never_quoted(tmp_path, path, shape):
    echo = Echo()
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="block")) as front,
    ):
        reply, closed = await asked(front, said(TOKEN), path=path)
    assert (status_of(reply), list(json.loads(reply.body))) == (400, shape)
    assert "found github-token. Take it out" in message_of(reply)
    assert TOKEN not in message_of(reply)
    assert (closed.state, closed.error_code, closed.attempts) == ("refused", "secret_found", 0)
    assert echo.seen == []
    assert front.dispatch.asked == []


async def test_where_it_cannot_be_replaced_it_is_refused(tmp_path):
    async with (
        wire.provider(Echo()) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        reply, _ = await asked(front, said(tools=[{"name": "t", "description": TOKEN}]))
    assert status_of(reply) == 400
    assert "in a place where nothing can be put in its stead" in message_of(reply)


async def test_rules_for_a_client(tmp_path):
    echo = Echo()
    redaction = searching(tmp_path, Rule(client="curl", secrets="off"), secrets="block")
    async with wire.provider(echo) as provider, lab.front(provider.url, redaction=redaction) as front:
        reply, _ = await asked(front, said(TOKEN), "User-Agent: curl/8")
        assert status_of(reply) == 200
        reply, _ = await asked(front, said(TOKEN), "User-Agent: aider/1")
        assert status_of(reply) == 400


async def test_a_body_of_no_format_is_searched_however_long_it_is(tmp_path):
    echo = Echo()
    long = {"contents": [{"role": "user", "parts": [{"text": f"{'x' * 400_000} {TOKEN}"}]}]}
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        await asked(front, long, path="/v1beta/models/m:generateContent")
    assert TOKEN.encode() not in echo.seen[0].body
    assert stands(tmp_path) in echo.seen[0].body


@pytest.mark.parametrize(
    ("body", "lines", "why"),
    [
        (b"x" * 2000, [], "larger than 1,000 bytes"),
        (b"not gzip", ["Content-Encoding: gzip"], "content coding cannot be undone"),
    ],
)
async def test_what_cannot_be_searched_may_not_go_where_secrets_may_not(tmp_path, body, lines, why):
    echo = Echo()
    async with (
        wire.provider(echo) as provider,
        lab.front(provider.url, read_cap=1000, redaction=searching(tmp_path, secrets="redact")) as front,
    ):
        reply, closed = await asked(front, body, *lines)
        assert (status_of(reply), closed.error_code) == (400, "unsearched")
        assert why in message_of(reply)
        assert echo.seen == []
        reply, _ = await asked(front, body, *lines, path="/v1/files", kind="multipart/form-data; boundary=x")
        assert status_of(reply) == 200, "an uploaded file is not searched"
        reply, _ = await asked(front, TOKEN.encode(), path="/v1/files", kind="Multipart/form-data; boundary=x")
        assert status_of(reply) == 200, "however short"
        reply, _ = await asked(front, TOKEN.encode(), path="/v1/new", kind="text/plain")
        assert status_of(reply) == 400, "everything else is"
    async with wire.provider(echo) as provider, lab.front(provider.url, read_cap=1000) as front:
        reply, _ = await asked(front, body, *lines)
        assert status_of(reply) == 200, "a warning stops nothing"


# Budgets


def spending(tmp_path, *limits):
    return Budgets(limits, lambda: lab.PRICES, tmp_path / "spend")


def state(front):
    """Dollars spent and held."""
    (each,) = front.budgets.statistics()["budgets"].values()
    return round(each["spent"] * NANOS), round(each["held"] * NANOS)


ROOM = Budget(name="today", ceiling=NANOS)


@pytest.mark.parametrize(
    ("reply", "path", "spent"),
    [
        (OK, "/v1/messages", COST),
        (FAILED, "/v1/messages", 0),
        (SILENT, "/v1/messages", None),
        (OK, "/v1/messages/count_tokens", 0),
    ],
)
async def test_a_request_settles_what_it_cost(tmp_path, reply, path, spent):
    async with (
        wire.provider(Echo(reply)) as provider,
        lab.front(provider.url, budgets=spending(tmp_path, ROOM)) as front,
    ):
        await asked(front, said(), path=path)
        worst = 100 * 15_000
        if spent is None:
            assert worst < state(front)[0] < 3 * worst, "in full, since nobody said"
            assert state(front)[1] == 0
        else:
            assert state(front) == (spent, 0)


async def test_what_never_arrived_costs_nothing(tmp_path):
    async with lab.front("http://127.0.0.1:1", budgets=spending(tmp_path, ROOM)) as front:
        reply, _ = await asked(front, said())
        assert status_of(reply) == 502
        assert state(front) == (0, 0)
        assert front.budgets.statistics()["settled"] == 1


async def test_while_it_is_under_way_its_worst_case_is_held(tmp_path):
    async with lab.front("http://127.0.0.1:1", budgets=spending(tmp_path, ROOM)) as front:
        seen = []
        real = front.room.upstream.handle_async_request

        async def looking(request):
            seen.append(state(front))
            return await real(request)

        front.upstream.handle_async_request = looking
        await asked(front, said())
        ((spent, held),) = seen
        assert spent == 0
        assert held >= 100 * 15_000


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/messages", "billing_error"), ("/v1/chat/completions", "invalid_request_error")]
)
async def test_what_a_budget_has_no_room_for_is_refused(tmp_path, path, kind):
    echo = Echo()
    limit = Budget(name="today", ceiling=1_000_000)
    async with wire.provider(echo) as provider, lab.front(provider.url, budgets=spending(tmp_path, limit)) as front:
        body = said() if kind == "billing_error" else {**said(), "model": "gpt-5"}
        reply, closed = await asked(front, body, path=path)
    assert (status_of(reply), json.loads(reply.body)["error"]["type"]) == (402, kind)
    assert "budget 'today' ($0.001 a day) has $0.001 left" in message_of(reply)
    assert "Lower max_tokens, or raise `ceiling` in" in message_of(reply)
    assert (closed.state, closed.error_code, closed.attempts) == ("refused", "over_budget", 0)
    assert echo.seen == []


async def test_a_budget_past_its_warning_is_in_the_row(tmp_path):
    limit = Budget(name="today", warn=COST)
    async with wire.provider(Echo()) as provider, lab.front(provider.url, budgets=spending(tmp_path, limit)) as front:
        _, first = await asked(front, said())
        _, second = await asked(front, said())
    assert "budget-warning" not in first.passes
    assert second.passes["budget-warning"].edits == 1


@pytest.mark.parametrize(
    ("path", "body", "fits"),
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent", {"contents": []}, True),
        ("/api/chat", {"model": "gemini-2.5-pro"}, True),
        ("/api/chat", {"model": 5}, False),
        ("/v1/embeddings", b"no json", False),
    ],
)
async def test_the_model_of_a_body_that_is_not_read_otherwise(tmp_path, path, body, fits):
    """A budget for one model, which leaves no room: whom it refuses, it knew."""
    limit = Budget(name="one", model="gemini-2.5-pro", ceiling=0)
    async with wire.provider(Echo()) as provider, lab.front(provider.url, budgets=spending(tmp_path, limit)) as front:
        reply, _ = await asked(front, body, path=path)
    assert status_of(reply) == (402 if fits else 200)
