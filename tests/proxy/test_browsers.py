"""What a browser sends on behalf of pages, through the real accept loop: nothing reaches a provider, nothing is granted."""

import lab
import pytest
import wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\n\r\nok"


async def ok(peer, number):
    while True:
        await peer.message()
        await peer.send(OK)


async def asked(*head):
    async with wire.provider(ok) as provider, lab.front(provider.url) as front:
        client = await wire.connect(front.port)
        await client.send("\r\n".join([*head, "Content-Length: 0", "", ""]).encode())
        reply = await client.message()
        await client.close()
        return reply, provider.connections


def granted(reply):
    return [name for name, _ in reply.lines if name.lower().startswith(b"access-control-")]


PREFLIGHT = (
    "OPTIONS /v1/messages HTTP/1.1",
    "Host: 127.0.0.1:8766",
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Headers: x-api-key",
    "Access-Control-Request-Private-Network: true",
)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_a_preflight_of_a_foreign_page_is_granted_nothing(origin):
    reply, asked_for = await asked(*PREFLIGHT, f"Origin: {origin}", "Sec-Fetch-Site: cross-site")
    assert (reply.status, granted(reply), asked_for) == (403, [], 0)


PAGES = {
    "rebound": ("POST /v1/messages HTTP/1.1", "Host: evil.example:8766"),
    "form": ("POST /v1/messages HTTP/1.1", "Host: 127.0.0.1:8766", "Origin: https://evil.example"),
    "sandboxed form": ("POST /v1/messages HTTP/1.1", "Host: 127.0.0.1:8766", "Origin: null"),
    "image": ("GET /v1/models HTTP/1.1", "Host: 127.0.0.1:8766", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: image"),
    "link": (
        "GET /api/tags HTTP/1.1",
        "Host: localhost:8766",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
    ),
    "socket": ("GET /v1/responses HTTP/1.1", "Host: localhost", "Origin: https://evil.example", "Upgrade: websocket"),
}


@pytest.mark.parametrize("page", PAGES)
async def test_a_foreign_page_reaches_no_provider(page):
    reply, asked_for = await asked(*PAGES[page])
    assert (reply.status, granted(reply), asked_for) == (403, [], 0)


async def test_a_page_of_this_machine_is_granted_what_its_provider_grants():
    lines = ("Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site")
    reply, asked_for = await asked(*PREFLIGHT, *lines)
    assert (reply.status, granted(reply), asked_for) == (200, [b"Access-Control-Allow-Origin"], 1)
