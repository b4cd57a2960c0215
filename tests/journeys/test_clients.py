"""Real, unmodified clients through the service: they finish, and the provider's record equals a direct run's.

Needs the client kit (`clients/` in the shared place) with its clients installed; `make clients` runs this file.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.journeys.service import service
from tests.shared_place import shared
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
FORMATS = {
    "/messages": Format.ANTHROPIC,
    "/chat/completions": Format.OPENAI_CHAT,
    "/responses": Format.OPENAI_RESPONSES,
}
HOME = Path(os.environ.get("CLIENTS_HOME", Path.home() / ".cache" / "tokenpak-clients"))

# What differs between two runs of the same client: run names, ids, times, durations, process numbers.
VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32,64}\b|\b[0-9a-f]{3,12}\b(?=;)"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b\d{10,19}\b|\b\d+(\.\d+)?\s?(?:ms|s|seconds)\b|tmp\w{6,}|127\.0\.0\.1:\d+"
    r"|\"sandbox-?id[^,]*|pid \d+|#[0-9a-f]{6,8}\b"
)


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
            [python if python.exists() else sys.executable, kit / "mock" / "mock_provider.py", "--port", str(port)]
            + ["--record", str(record)],
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


def normal(text, run_id):
    return VOLATILE.sub("*", text.replace(run_id, "RUN"))


def record_of(folder, run_id):
    """[(method and path, header names, body)] of the scripted requests, volatile parts starred, markers expanded."""
    meta = json.loads((folder / "meta.json").read_text())
    found = []
    for number, request in enumerate(meta["requests"]):
        path = request["path"].split("?")[0]
        fmt = next((fmt for end, fmt in FORMATS.items() if path.endswith(end)), None)
        head = (folder / f"{number:03d}.headers").read_text()
        body = folder / f"{number:03d}.json"
        raw = body.read_bytes() if body.exists() else b""
        if fmt and raw:
            raw = expand_body(fmt, raw)
        names = sorted(line.split(":", 1)[0].strip().lower() for line in head.splitlines() if ":" in line)
        found.append((f"{request['method']} {request['path']}", names, normal(raw.decode("utf8", "replace"), run_id)))
    return found


@pytest.mark.parametrize("name", CLIENTS)
def test_client_finishes_and_the_record_is_that_of_a_direct_run(kit, name, tmp_path):
    with scripted_provider(kit, tmp_path) as mock:
        direct = run(kit, name, mock, mock, tmp_path / "direct")
        if name in MAY_BE_MISSING and not direct["pass"]:
            pytest.skip(f"{name} does not finish without TokenPak either: {direct.get('err')}")
        assert direct["pass"], direct
        with service(tmp_path, mock) as running:
            through = run(kit, name, running.url, mock, tmp_path / "through")
            assert through["pass"], through
            rows = running.rows("path, status, state, client, bytes_before, bytes_after")
    assert [(r[1], r[2]) for r in rows] == [(200, "done")] * len(rows)
    one, other = (
        record_of(tmp_path / "direct" / name, direct["run"]),
        record_of(tmp_path / "through" / name, through["run"]),
    )
    print(
        json.dumps(
            {"client": name, "requests": len(other), "rows": len(rows), "edited": sum(r[4] != r[5] for r in rows)}
        )
    )
    assert [request for request, _, _ in other] == [request for request, _, _ in one]
    for (request, names, body), (_, names_direct, body_direct) in zip(other, one, strict=True):
        assert names == names_direct, request
        assert body == body_direct, request
