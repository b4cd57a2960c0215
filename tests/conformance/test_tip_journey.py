"""TIP-1.0 on a real journey: the service, its provider, and everything it says to a client, to the store and on its own
sockets, judged by the registry's validator. And one test of behaviour behind each capability that is published.
"""

import base64
import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import tokenpak_tip_validator as validator
import trio
from tip_lab import registry

from tests.journeys.agents import Agent, Reply
from tests.journeys.service import Program, Service, eventually, provider
from tests.journeys.storm import turns
from tokenpak.config.paths import Paths, paths_for
from tokenpak.control.unix_http import Answer, get
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format
from tokenpak.telemetry.tip_events import OwnFacts
from tokenpak.tip.capabilities import BYTES_PRESERVED, CACHE_OBSERVER, COMPRESSION, LABELS, WIRE_TELEMETRY
from tokenpak.tip.errors import NAMESPACE
from tokenpak.tip.event import TelemetryEvent
from tokenpak.tip.headers import canonical as tip_headers
from tokenpak.tip.headers import faults, request_headers
from tokenpak.tip.metadata import Metadata, contradictions
from tokenpak.tip.negotiation import TOKENPAK, Agreed, negotiate

ROOT = registry()
MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
PLAIN = b'{ "model" : "claude-x","max_tokens":9,"messages":[{"role":"user","content":"caf\\u00e9 \xc3\xa9"}],"n":1e2,"n":1 }'
LONG = {"type": "text", "text": "A rule for the agent. " * 1500, "cache_control": {"type": "ephemeral"}}
CACHED = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 9,
    "system": [LONG],
    "messages": [{"role": "user", "content": "Go."}],
}
TURNS = turns("tip", 500, 4)


@dataclass
class Journey:
    """What was sent, what came back and what was left behind; by the identity of the request, in the order sent."""

    sent: dict[str, dict[str, str]] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    events: dict[str, dict] = field(default_factory=dict)
    received: list[dict] = field(default_factory=list)
    errors: list[Answer] = field(default_factory=list)

    def headers(self, name: str) -> dict[str, str]:
        return tip_headers(self.replies[name].headers)

    def event(self, name: str) -> TelemetryEvent:
        return msgspec.convert(self.events[name], TelemetryEvent)

    def facts(self, name: str) -> OwnFacts:
        return msgspec.convert(self.events[name]["ext"][NAMESPACE], OwnFacts)


async def talk(port: int, journey: Journey) -> None:
    agent = Agent(port)

    async def ask(name: str, path: str, body: dict | bytes, **more: str) -> None:
        lines = {key.decode(): value.decode() for key, value in request_headers(name, "tip-adapter", ("ext.t.x",))}
        journey.sent[name] = lines
        journey.replies[name] = await agent.post(path, body, lines | more)

    for number, body in enumerate(TURNS):
        await ask(f"turn-{number}", MESSAGES, body)
    await ask("plain", MESSAGES, PLAIN)
    await ask("first", MESSAGES, CACHED)
    await ask("second", MESSAGES, CACHED)
    await ask("count", MESSAGES + "/count_tokens", TURNS[-1])
    await ask("failed", CHAT, {"model": "gpt-x", "messages": [{"role": "user", "content": "Hello."}]})
    await ask("dead", "/dead/v1/x", b"{}")
    journey.sent["lost"] = {key.decode(): value.decode() for key, value in request_headers("lost", "tip-adapter")}
    journey.replies["lost"] = await trio.to_thread.run_sync(plainly, port, "/nobody/knows", journey.sent["lost"])
    await ask("page", MESSAGES, b"{}", origin="https://evil.example")
    await agent.close()


def plainly(port: int, path: str, headers: dict[str, str]) -> Reply:
    """A request without a word that says whose it is; it must fail."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"{}", headers)
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(request, timeout=20)
    with failed.value as reply:
        lines = [(key.encode(), value.encode()) for key, value in reply.headers.items()]
        return Reply(reply.status, lines, reply.read())


def told(running: Service, *options: str) -> list[dict]:
    """What `tokenpak events` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tokenpak.cli.main", "events", *options, "--state-dir", str(running.state)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def asked(upstream: Program, path: str, data: object = None) -> bytes:
    request = urllib.request.Request(upstream.url + path, None if data is None else json.dumps(data).encode())
    with urllib.request.urlopen(request, timeout=5) as reply:
        return reply.read()


@contextlib.contextmanager
def running_service(folder, upstream: str) -> Iterator[Service]:
    upstreams = {**dict.fromkeys(("anthropic", "openai", "google", "ollama"), upstream), "dead": "http://127.0.0.1:9"}
    running = Service(folder / "state", upstreams)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tip")
    found = Journey()
    with provider(folder) as upstream, running_service(folder, upstream.url) as running:
        asked(upstream, "/__mock/faults", {"fault": "refuse", "status": 500, "path": "chat"})
        eventually("both workers up", lambda: running.ctl("status", "--json").stdout.count('"up":true') >= 2)
        trio.run(talk, running.port, found)
        eventually(
            "all rows closed", lambda: len(running.rows(where="state not in ('open')")) == len(found.sent), within_s=30
        )
        found.events = {event["request_id"]: event for event in told(running, "--tip", "--since", "1h")}
        log = json.loads(asked(upstream, "/__mock/log"))
        found.received = log["requests"] if isinstance(log, dict) else log
        found.errors = refusals(paths_for(running.state))
        assert len(told(running)) == len(found.sent)
        assert [row["client_request_id"] for row in told(running, "--limit", "2")] == list(found.sent)[-2:]
    return found


def refusals(paths: Paths) -> list[Answer]:
    """Every error that the sockets of our own give: nothing there, not a question, not HTTP."""
    slots = [paths.front_sock(slot) for slot in (1, 2) if paths.front_sock(slot).exists()]
    nothing = [get(place, "/nothing", 5) for place in (paths.control_sock, *slots)]
    return [
        *nothing,
        raw(paths.control_sock, b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
        raw(paths.control_sock, b"\0\r\n\r\n"),
    ]


def raw(place: Path, question: bytes) -> Answer:
    """The answer to bytes that no client of ours would send."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(5)
        peer.connect(str(place))
        peer.sendall(question)
        reply = b"".join(iter(lambda: peer.recv(65536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), body)


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    if ROOT is not None:
        monkeypatch.setenv("TOKENPAK_REGISTRY_ROOT", str(ROOT))


def problems(*results: validator.ValidationResult) -> list[str]:
    return [f"{result.validator}: {finding}" for result in results for finding in result.findings]


# Everything that was said


@pytest.mark.skipif(ROOT is None, reason="the registry is not here")
def test_the_registry_finds_nothing_wrong_with_any_header_event_or_error(journey):
    for name, reply in journey.replies.items():
        theirs = {key.decode(): value.decode() for key, value in reply.headers}
        requested = {key.title(): value for key, value in journey.sent[name].items()}
        assert not problems(
            validator.validate_wire_headers(theirs, direction="response"),
            validator.validate_against("headers", journey.headers(name)),
            validator.validate_wire_headers(requested, direction="request"),
        )
        assert not problems(validator.validate_against("telemetry-event", journey.events[name]))
    assert len(journey.errors) >= 4
    for answer in journey.errors:
        assert not problems(validator.validate_against("error", json.loads(answer.body)))


@pytest.mark.skipif(ROOT is None, reason="the registry is not here")
def test_the_registry_takes_us_for_a_proxy_and_misses_only_what_is_not_built(journey):
    published = journey.headers("plain")["X-TokenPak-Capability"].split(",")
    assert published == list(LABELS)
    result = validator.validate_profile("tip-proxy", capabilities=published)
    assert result.ok
    missed = {finding.message.split("'")[1] for finding in result.findings}
    assert missed == {"tip.routing.fallback-chain", "tip.security.dlp-redaction"}


def test_headers_are_there_on_every_answer_and_echo_the_identity(journey):
    for name, reply in journey.replies.items():
        headers = journey.headers(name)
        assert not faults(headers, "response"), name
        assert headers["X-TokenPak-Request-Id"] == name
        assert headers["X-TokenPak-Cache-Origin"] == "unknown"
        assert sum(key.lower().startswith(b"x-tokenpak-") for key, _ in reply.headers) == len(headers)
        assert not {"X-TokenPak-Savings-Tokens", "X-TokenPak-Savings-Cost"} & headers.keys()


def test_headers_events_and_metadata_say_the_same(journey):
    for name in journey.sent:
        event, headers = journey.event(name), journey.headers(name)
        metadata = Metadata(
            request_id=event.request_id, tip_version=event.tip_version, profile=event.profile, provider="anthropic"
        )
        assert contradictions(metadata, headers) == ()
        told_ms = headers.get("X-TokenPak-Compression-Ms")
        if told_ms is None:
            assert event.compression_ms is msgspec.UNSET
        else:
            assert float(told_ms) == pytest.approx(event.compression_ms, abs=0.0006)
    assert "X-TokenPak-Compression-Ms" in journey.headers("turn-3")


def test_no_header_of_ours_reaches_the_provider(journey):
    assert len(journey.received) >= 8
    assert "x-tokenpak" not in json.dumps(journey.received).lower()


@pytest.mark.parametrize(
    ("name", "status", "code", "sent"),
    [
        ("turn-0", 200, None, True),
        ("failed", 500, None, True),
        ("dead", 502, "tip.routing.all-providers-down", True),
        ("lost", 404, "tip.routing.no-provider-available", False),
        ("page", 403, "ext.tokenpak.foreign-origin", False),
    ],
)
def test_an_event_says_how_a_request_ended(journey, name, status, code, sent):
    event = journey.event(name)
    assert (event.status, journey.replies[name].status) == (status, status)
    assert (event.provider is not None) == sent
    assert (event.model is not None) == (sent and name != "dead")
    if status == 500:
        assert isinstance(event.error_code, str)
        assert event.error_code.startswith("ext.tokenpak.provider-")
    else:
        assert event.error_code == code


def test_a_refusal_on_the_path_of_traffic_has_the_providers_shape_and_no_tip_code(journey):
    body = json.loads(journey.replies["page"].body)
    assert body["error"].keys() >= {"message"}
    assert "code" not in body
    codes = {(answer.status, json.loads(answer.body)["code"]) for answer in journey.errors}
    assert codes == {
        (404, "tip.protocol.unknown-method"),
        (405, "tip.protocol.unknown-method"),
        (400, "tip.protocol.malformed-frame"),
    }


def test_we_agree_with_a_peer_that_needs_what_we_publish():
    wanting = msgspec.structs.replace(
        TOKENPAK,
        name="peer",
        compatibility=msgspec.structs.replace(TOKENPAK.compatibility, requires_peer_capabilities=LABELS),
    )
    assert isinstance(negotiate(TOKENPAK, wanting), Agreed)


# What stands behind each capability


def bodies(journey: Journey) -> list[bytes]:
    return [base64.b64decode(entry["body"]) for entry in journey.received]


def compression(journey):
    """Fewer bytes went out, and from them alone comes the whole request again."""
    original = json.dumps(TURNS[-1]).encode()
    blocks = canonical(read(Format.ANTHROPIC, original))
    sent = [raw for raw in bodies(journey) if b"tool_result" in raw and len(raw) < len(original)]
    assert any(canonical(read(Format.ANTHROPIC, expand_body(Format.ANTHROPIC, raw))) == blocks for raw in sent)
    assert COMPRESSION in journey.events["turn-3"]["capabilities_negotiated"]
    assert COMPRESSION not in journey.events["lost"]["capabilities_negotiated"]


def bytes_preserved(journey):
    """A body with odd blanks, escapes, bytes, numbers and two members of one name arrived as it was."""
    assert PLAIN in bodies(journey)
    assert BYTES_PRESERVED in journey.events["plain"]["capabilities_negotiated"]
    assert BYTES_PRESERVED not in journey.events["turn-3"]["capabilities_negotiated"]


def cache_observer(journey):
    """A provider's hit is the client's, a miss nobody's, and none is a cache of ours."""
    first, second = journey.event("first"), journey.event("second")
    assert (first.cache_origin, second.cache_origin) == ("unknown", "client")
    assert journey.facts("second").usage.cache_read
    assert {event["cache_origin"] for event in journey.events.values()} == {"unknown", "client"}
    for name in ("failed", "dead", "lost", "page", "count", "plain"):
        assert journey.event(name).cache_origin == "unknown"


def wire_telemetry(journey):
    """Each request left exactly one event, in the order of arrival, with the tokens the provider billed."""
    assert list(journey.events) == list(journey.sent)
    assert [event["timestamp"] for event in journey.events.values()] == sorted(
        event["timestamp"] for event in journey.events.values()
    )
    event, usage = journey.event("second"), journey.facts("second").usage
    assert event.tokens_in == (usage.uncached or 0) + (usage.cache_read or 0) + (usage.cache_write_5m or 0)
    assert event.tokens_out == usage.output
    for name in ("count", "failed", "dead", "lost"):
        assert journey.event(name).tokens_in is msgspec.UNSET


BEHAVIOUR = {
    COMPRESSION: compression,
    BYTES_PRESERVED: bytes_preserved,
    CACHE_OBSERVER: cache_observer,
    WIRE_TELEMETRY: wire_telemetry,
}


@pytest.mark.parametrize("label", LABELS)
def test_what_is_published_is_done(journey, label):
    BEHAVIOUR[label](journey)
