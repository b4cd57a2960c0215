"""No path, header or model name picks a host: whatever a client writes, the configured provider is the one that is asked,
by its own name, or nobody is.
"""

import json

import lab
import pytest
import wire

BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Kept:
    """A provider that keeps what it was asked."""

    def __init__(self):
        self.seen = []

    async def __call__(self, peer, number):
        while True:
            self.seen.append(await peer.message())
            await peer.send(OK)


async def sent_to(target, *lines, body=BODY, base="", method="POST"):
    """What the provider was asked and what the client was told, while `TRAP` in any of it names another server."""
    kept, trap = Kept(), Kept()
    async with wire.provider(trap) as other, wire.provider(kept) as provider, lab.front(provider.url + base) as front:
        named = f"127.0.0.1:{other.port}".encode()
        body = body.replace(b"TRAP", named)
        head = [f"{method} {target} HTTP/1.1", "Host: localhost", *lines, f"Content-Length: {len(body)}"]
        client = await wire.connect(front.port)
        await client.send(("\r\n".join(head) + "\r\n\r\n").encode().replace(b"TRAP", named) + body)
        reply = await client.message()
        await client.close()
        assert other.connections == 0
        for seen in kept.seen:
            assert seen.value("host") == f"127.0.0.1:{provider.port}".encode()
        return kept.seen, reply


ABSOLUTE = [
    "http://TRAP/v1/messages",
    "HTTP://TRAP/",
    "https://TRAP/v1/x",
    "ws://TRAP/",
    "TRAP",
    "@TRAP/v1/messages",
    "?u=http://TRAP/",
]


@pytest.mark.parametrize("target", ABSOLUTE)
@pytest.mark.parametrize("lines", [(), ("anthropic-version: 2023-06-01",)])
async def test_a_target_that_is_no_path_goes_nowhere(target, lines):
    seen, reply = await sent_to(target, *lines)
    assert (seen, reply.status) == ([], 400)
    assert "not a proxy" in json.loads(reply.body)["error"]["message"]


async def test_nor_does_a_tunnel():
    seen, reply = await sent_to("TRAP", method="CONNECT", body=b"")
    assert (seen, reply.status) == ([], 400)


PATHS = [
    "//TRAP/v1/messages",
    "///TRAP/",
    "/\\\\TRAP/v1/messages",
    "/@TRAP/v1/messages",
    "/v1/messages@TRAP",
    "/v1/messages/http://TRAP/",
    "/v1/messages/%2F%2FTRAP/",
    "/%2F%2FTRAP/v1/messages",
    "/v1/messages/..%2f..%2f@TRAP/",
    "/v1/../../../TRAP/",
    "/v1/messages?url=http://TRAP/&host=TRAP&base_url=http://TRAP",
    "/v1/messages#@TRAP/",
    "/v1/messages;@TRAP/",
    "/v1/messages%0d%0aHost:%20TRAP",
    "/v1/messages%00.TRAP",
    "/.TRAP/v1/messages",
    "/anthropic/http://TRAP/v1/messages",
    "/anthropic//TRAP/v1/messages",
    "/anthropic/@TRAP/",
    "/openai/:80@TRAP/",
]


@pytest.mark.parametrize("base", ["", "/base"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_path_is_handed_to_the_configured_host_as_it_stands_or_to_nobody(path, base):
    seen, reply = await sent_to(path, "anthropic-version: 2023-06-01", base=base)
    assert reply.status in {200, 404}
    if reply.status == 200:
        ((_, target, _),) = [each.start.split(b" ") for each in seen]
        mounted = path.removeprefix("/anthropic").removeprefix("/openai")
        assert target.startswith((base or "/").encode())
        assert target.partition(b"127.0.0.1")[0] == (base + mounted).partition("TRAP")[0].encode()


HEADERS = [
    "X-Forwarded-Host: TRAP",
    "X-Forwarded-Server: TRAP",
    "Forwarded: host=TRAP;proto=http",
    "X-Host: TRAP",
    "X-Original-URL: http://TRAP/",
    "X-Rewrite-URL: http://TRAP/",
    "X-Original-Host: TRAP",
    "Proxy-Host: TRAP",
    "Destination: http://TRAP/",
    "Referer: http://TRAP/",
    "Via: 1.1 TRAP",
    "X-TokenPak-Upstream: http://TRAP",
    "X-TokenPak-Base-Url: http://TRAP",
    "openai-base-url: http://TRAP/v1",
    "helicone-target-url: http://TRAP",
    "x-portkey-custom-host: http://TRAP",
    "Connection: Host",
]


@pytest.mark.parametrize("line", HEADERS)
async def test_no_header_names_a_host(line):
    seen, reply = await sent_to("/v1/messages", line)
    assert (len(seen), reply.status) == (1, 200)


MODELS = [
    "http://TRAP/v1",
    "//TRAP",
    "TRAP/m",
    "openai/http://TRAP/m",
    "@TRAP",
    "../../TRAP",
    "google/TRAP",
    "ollama/TRAP",
    "m\\r\\nHost: TRAP",
]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("model", MODELS)
async def test_no_model_names_a_host(model, path):
    body = BODY.replace(b'"m"', b'"%s"' % model.encode())
    seen, reply = await sent_to(path, body=body)
    assert ([each.start.split()[1] for each in seen], reply.status) == ([path.encode()], 200)
    assert json.loads(seen[0].body)["model"]


async def test_a_model_in_a_path_is_part_of_the_path():
    seen, _ = await sent_to("/v1beta/models/http://TRAP:generateContent")
    assert seen[0].start.startswith(b"POST /v1beta/models/http://")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_the_clients_to_follow(status):
    """Followed here, it would take the credential along."""
    trap = Kept()
    async with wire.provider(trap) as other:

        async def away(peer, number):
            await peer.message()
            await peer.send(
                b"HTTP/1.1 %d X\r\nLocation: %s/v1/x\r\nContent-Length: 0\r\n\r\n" % (status, other.url.encode())
            )

        async with wire.provider(away) as provider, lab.front(provider.url) as front:
            client = await wire.connect(front.port)
            await client.send(
                b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nContent-Length: 0\r\n\r\n"
            )
            reply = await client.message()
            await client.close()
        assert (reply.status, reply.value("location")) == (status, f"{other.url}/v1/x".encode())
        assert other.connections == 0


async def test_no_proxy_variable_leads_away(monkeypatch):
    trap = Kept()
    async with wire.provider(trap) as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, other.url)
        seen, reply = await sent_to("/v1/messages")
        assert (len(seen), reply.status, other.connections) == (1, 200, 0)
