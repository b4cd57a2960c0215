"""Real, unmodified clients through the service: they finish, and the provider gets what they sent, edits expanded.

Needs the client kit (`clients/` in the shared place) with its clients installed; `make clients` runs this file.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.journeys.service import eventually, service
from tests.journeys.tee import tapped
from tests.shared_place import shared
from tokenpak.core.body import canonical, read
from tokenpak.core.expand import expand_body
from tokenpak.core.patch import Format

pytestmark = pytest.mark.clients

CLIENTS = [
    "claude-code",
    "codex",
    "codex-env",
    "cline",
    "cline-openai",
    "aider",
    "aider-anthropic",
    "py-anthropic",
    "py-anthropic-stream",
    "py-openai-chat",
    "py-openai-chat-stream",
    "py-openai-responses",
    "py-openai-responses-stream",
    "gemini",
    "continue",
    "opencode",
]
MAY_BE_MISSING = {"gemini", "continue", "opencode"}
INTEGRATED = {
    "claude-code": "claude-code",
    "codex-env": "codex",
    "cline": "cline",
    "continue": "continue",
    "continue-openai": "continue",
    "aider": "aider",
    "gemini": "gemini-cli",
    "opencode": "opencode",
}
"""Clients of the kit, by what `tokenpak integrate` calls them. The SDKs have no settings to be written."""
FORMATS = {
    "/messages": Format.ANTHROPIC,
    "/chat/completions": Format.OPENAI_CHAT,
    "/responses": Format.OPENAI_RESPONSES,
}
HOME = Path(os.environ.get("CLIENTS_HOME", Path.home() / ".cache" / "tokenpak-clients"))

CHANGES_ON_THE_WAY = {b"host", b"connection", b"keep-alive", b"content-length", b"transfer-encoding"}


@pytest.fixture(scope="module")
def kit():
    place = shared()
    if place is None or not (place / "clients" / "run_client.py").exists():
        pytest.skip("no client kit in the shared place")
    return place / "clients"


@contextlib.contextmanager
def scripted_provider(kit, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    python = HOME / "venv" / "sdks" / "bin" / "python"
    record = folder / "record"
    record.mkdir(exist_ok=True)
    with (folder / "provider.log").open("wb") as log:
        process = subprocess.Popen(
            [
                python if python.exists() else sys.executable,
                kit / "mock" / "mock_provider.py",
                *("--port", str(port), "--record", str(record)),
            ],
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url + "/__mock/health", timeout=5).close()
            break
        assert time.monotonic() < until, (folder / "provider.log").read_text()
        time.sleep(0.05)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(10)


def run(kit, name, base, mock, folder):
    done = subprocess.run(
        [sys.executable, kit / "run_client.py", name, "--base-url", base, "--mock-url", mock, "--save", folder],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def received(folder):
    """[(method, target, header names, body)] that reached the provider, in order."""
    meta = json.loads((folder / "meta.json").read_text())
    found = []
    for number, request in enumerate(meta["requests"]):
        body = folder / f"{number:03d}.json"
        head = (folder / f"{number:03d}.headers").read_text()
        names = [line.split(":", 1)[0].strip().lower().encode() for line in head.splitlines() if ":" in line]
        names = [name for name in names if b" " not in name]  # the request line has a colon where the path has one
        found.append((request["method"], request["path"], names, body.read_bytes() if body.exists() else b""))
    return found


def comparable(names):
    return sorted(name for name in map(bytes.lower, names) if name not in CHANGES_ON_THE_WAY)


def same(target, sent, got):
    """Byte-identical, or the same request once every marker is expanded."""
    if sent == got:
        return True
    path = target.split("?")[0]
    fmt = next((fmt for end, fmt in FORMATS.items() if path.endswith(end)), None)
    return fmt is not None and canonical(read(fmt, expand_body(fmt, got))) == canonical(read(fmt, sent))


@pytest.mark.parametrize("name", CLIENTS)
def test_client_finishes_and_the_provider_gets_what_it_sent_except_for_edits(kit, name, tmp_path):
    with scripted_provider(kit, tmp_path) as mock, service(tmp_path, mock) as running, tapped(running.port) as tee:
        through = run(kit, name, tee.url, mock, tmp_path / "through")
        if (
            name in MAY_BE_MISSING
            and not through["pass"]
            and not run(kit, name, mock, mock, tmp_path / "direct")["pass"]
        ):
            pytest.skip(f"{name} does not finish without TokenPak either")
        assert through["pass"], through
        sent = [request for request in tee.requests() if not request.upgrades]
        rows = eventually("a row for each", lambda: settled(running, len(tee.requests())))
    assert {(row[1], row[2]) for row in rows} - {(426, "refused")} == {(200, "done")}
    edited = sum(row[4] != row[5] for row in rows)
    got = received(tmp_path / "through" / name)
    assert len(got) == len(sent)
    for method, target, names, body in got:
        match = next((r for r in sent if (r.method, r.target) == (method, target) and same(target, r.body, body)), None)
        assert match is not None, (method, target)
        assert comparable(names) == comparable(header for header, _ in match.headers)
        sent.remove(match)
    assert sum(r[3] is not None for r in rows) > 0, "no row knows its client"
    print(json.dumps({"client": name, "version": through["version"], "requests": len(got), "edited": edited}))


@pytest.mark.parametrize("name", INTEGRATED)
def test_client_is_integrated_finishes_and_has_every_byte_of_its_settings_back(kit, name, tmp_path):
    with scripted_provider(kit, tmp_path) as mock, service(tmp_path, mock) as running:
        driver = Path(__file__).with_name("integrated.py")
        command = [sys.executable, driver, kit, name, INTEGRATED[name], str(running.state), mock]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout.strip().splitlines()[-1])
        assert result["pass"], result
        rows = eventually("rows", lambda: running.rows("state, bytes_before, bytes_after"))
    assert (result["applied"], result["undone"]) == ("written", "restored")
    assert result["files"]
    assert (result["not_restored"], result["still_ours"]) == ([], [])
    assert len(rows) >= result["main_requests"]
    edited = sum(row[1] != row[2] for row in rows)
    said = {"client": name, "version": result["version"], "requests": len(rows), "edited": edited}
    print(json.dumps({**said, "files": result["files"]}))


def settled(running, requests):
    rows = running.rows("path, status, state, client, bytes_before, bytes_after")
    return rows if len(rows) == requests and all(row[2] != "open" for row in rows) else None
