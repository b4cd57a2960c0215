import json

import lab
import pytest
import wire
from structlog.testing import capture_logs

from tokenpak.core.patch import Format


def get(path, method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def ok(peer, number):
    while True:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def test_health_is_answered_here_and_has_no_row():
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        for path in ("/livez", "/readyz"):
            await client.send(get(path))
            reply = await client.message()
            assert (reply.status, reply.body) == (200, b"ok\n")
        front.app.drain()
        await client.send(get("/livez"))
        assert (await client.message()).status == 200
        await client.send(get("/readyz"))
        assert (await client.message()).status == 503
        await client.send(get("/livez/"))
        assert (await client.message()).status == 404
        await client.close()
        await wire.wait_until(lambda: front.recorder.closed)
        assert [event.path for event in front.recorder.opened] == ["/livez/"]


@pytest.mark.parametrize(
    "lines",
    [
        "Host: evil.example",
        "Host: localhost\r\nOrigin: https://evil.example",
        "Host: localhost\r\nSec-Fetch-Site: cross-site",
    ],
    ids=["rebound name", "page", "image"],
)
async def test_health_is_no_word_for_pages_of_others(lines):
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send(f"GET /livez HTTP/1.1\r\n{lines}\r\n\r\n".encode())
        reply = await client.message()
        assert reply.status == 403
        assert not any(name.lower().startswith(b"access-control-") for name, _ in reply.lines)
        await client.close()


async def test_counts_by_how_exchanges_ended():
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        for path in ("/v1/a", "/v1/b", "/nowhere"):
            await client.send(get(path))
            await client.message()
        await client.close()
        await wire.wait_until(lambda: len(front.recorder.closed) == 3)
        found = front.app.statistics()
    assert (found.under_way, found.ended, found.defects) == (0, {"done": 2, "refused": 1}, 0)


async def test_a_defect_costs_one_request_and_is_reported_without_its_words():
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:

        async def fail(fmt: Format, kind: str, body: bytes, client: str | None):
            raise RuntimeError(body.decode())

        front.dispatch.compress = fail
        client = await wire.connect(front.port)
        with capture_logs() as logs:
            await client.send(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nsecret")
            reply = await client.message()
        assert (reply.status, json.loads(reply.body)["error"]["type"]) == (500, "api_error")
        await client.send(get("/v1/a"))
        assert (await client.message()).status == 200
        await client.close()
        assert front.app.statistics().defects == 1
    assert [entry["event"] for entry in logs] == ["exchange_failed"]
    assert "secret" not in str(logs)
    failed, served = front.recorder.closed
    assert (failed.state, failed.error_code, failed.status) == ("interrupted", "internal", 500)
    assert served.state == "done"
