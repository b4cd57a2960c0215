"""What is on disk after a day of requests, failures, a crash and a restart: no secret, and nothing another user may read.

Markers are planted wherever a client or a provider can put a secret, each its own, and then looked for in every file of
the instance, SQLite's pages, journals and logs included. Control marks, planted where a row keeps what it is told, show
that the search would find them.
"""

import base64
import itertools
import json
import os
import re
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
import trio

from tests.core.readings import REPEATED
from tests.journeys.agents import Agent, BrokenError
from tests.journeys.service import Service, eventually, provider
from tokenpak.config.paths import paths_for

TOKENPAK = [sys.executable, "-m", "tokenpak.cli.main"]

BEGINNING = "how a text begins that is said again"

HARNESS = "serve.err"
"""Written by the test itself."""


class Markers:
    """Secrets by the place they were planted in. `plant` makes one that stands nowhere else."""

    def __init__(self):
        self.planted = {}
        self._numbers = itertools.count(1)

    def plant(self, place):
        marker = f"qzx{next(self._numbers):04d}marker{os.urandom(6).hex()}"
        self.planted[place] = marker
        return marker

    def found_in(self, files):
        """(place, file) for each marker that a file holds as it is, in hexadecimal, or in base64."""
        return [
            (place, str(file))
            for file, data in files
            for place, marker in self.planted.items()
            if any(form in data for form in forms(marker.encode()))
        ]


def forms(marker):
    coded = [base64.b64encode(b"x" * shift + marker)[4:-4] for shift in range(3)]
    return [marker, marker.hex().encode(), *coded]


def files_of(running):
    """Every file of the instance with its bytes; sockets may lie in a directory of their own."""
    paths = paths_for(running.state)
    roots = {running.state, paths.sockets}
    return [(file, file.read_bytes()) for root in roots for file in sorted(root.rglob("*")) if file.is_file()]


def requests(markers):
    """(path, headers, body) of what clients send; each carries secrets of its own."""
    plant = markers.plant
    message = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}

    def saying(place, **more):
        return {**message, "messages": [{"role": "user", "content": f"the secret is {plant(place)}"}], **more}

    yield "/v1/messages", {"x-api-key": f"sk-ant-api03-{plant('x-api-key')}"}, message
    yield "/v1/messages", {"authorization": f"Bearer sk-ant-oat01-{plant('bearer')}"}, message
    yield "/v1/messages?beta=true", {"x-api-key": "k", "x-custom-secret": plant("any header")}, message
    yield "/v1/messages", {"x-api-key": "k", "cookie": f"session={plant('cookie')}"}, message
    yield "/v1/messages", {"x-api-key": "k", "proxy-authorization": f"Basic {plant('proxy')}"}, message
    yield "/v1/messages", {"x-api-key": "k", "x-tokenpak-token": plant("a token nobody asked for")}, message
    yield "/v1/chat/completions", {"authorization": f"Bearer sk-{plant('openai key')}"}, {**message, "model": "gpt-5"}
    yield "/v1beta/models/gemini-2.5-pro:generateContent", {"x-goog-api-key": plant("x-goog-api-key")}, {"contents": []}
    yield f"/v1beta/models/gemini-2.5-pro:generateContent?key={plant('query key')}", {}, {"contents": []}
    yield f"/v1/messages?api_key={plant('query api_key')}", {"x-api-key": "k"}, message
    yield "/v1/messages", {"x-api-key": "k"}, saying("body", system=f"be {plant('system')}", stream=True)
    yield "/v1/responses", {"authorization": "k"}, {"model": "gpt-5", "input": plant("input"), "stream": True}
    yield "/v1/messages", {"x-api-key": "k"}, saying("metadata", metadata={"user_id": plant("user id")})
    # failures
    yield (
        "/v1/messages",
        {"x-api-key": plant("key of a bad body")},
        b'{"model": "m", "secret": "' + plant("torn").encode(),
    )
    yield "/v1/messages", {"content-encoding": "gzip", "x-api-key": "k"}, plant("no gzip").encode()
    yield "/v1/messages", {"content-encoding": plant("coding"), "x-api-key": "k"}, message
    yield "/dead/v1/messages", {"x-api-key": plant("key to a dead host")}, saying("body to a dead host")
    yield f"/dead/v1/x?key={plant('query to a dead host')}", {"x-api-key": "k"}, saying("unread body")
    yield "/v1/messages", {"origin": f"https://{plant('origin')}.example", "x-api-key": "k"}, message
    yield "/v1/messages", {"host": f"{plant('host')}.example", "x-api-key": "k"}, message
    yield (
        "/v1/messages",
        {"upgrade": "websocket", "sec-websocket-protocol": plant("protocol"), "x-api-key": "k"},
        message,
    )
    yield "/v1/messages", {"x-api-key": plant("key to an error")}, saying("no such field", max_tokens="many")


def edited(markers):
    """A conversation that is edited: secrets in what is taken out, and in what stands beside it."""
    shown = f"{REPEATED}\nthe password is {markers.plant('a line that becomes a marker')}\n{REPEATED}"
    messages = [{"role": "user", "content": "go"}]
    for number in range(3):
        call = {"type": "tool_use", "id": f"t{number}", "name": "Read", "input": {"file_path": "/r/a.py"}}
        call["input"]["note"] = markers.plant(f"argument {number}")
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": shown}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    # what a later text says again is named by how it begins
    plan = f"{markers.plant(BEGINNING)} and so on\n{REPEATED.replace('file', 'plan')}"
    written = {"type": "tool_use", "id": "w", "name": "Bash", "input": {"command": "cat plan"}}
    again = {"type": "tool_result", "tool_use_id": "w", "content": f"first\n{plan}"}
    messages += [{"role": "assistant", "content": [{"type": "text", "text": plan}, written]}]
    messages += [{"role": "user", "content": [again]}]
    return {"model": "claude-sonnet-4-5", "max_tokens": 64, "stream": True, "messages": messages}


async def ask_all(running, markers):
    for path, lines, body in requests(markers):
        agent = Agent(running.port)
        try:
            await agent.post(path, body, lines)
        except BrokenError:
            pass
        finally:
            await agent.close()
    agent = Agent(running.port)
    lines = {"x-api-key": "k", "user-agent": "control-agent/1", "x-session-id": "control-session"}
    for _ in range(2):
        assert (await agent.post("/v1/messages/", b"{}", lines)).status == 404
        assert (await agent.post("/v1/messages", edited(markers), lines)).complete
    await agent.close()


def say_raw(port, *pieces):
    """What is no HTTP, and what ends too early."""
    for piece in pieces:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass


def start(state, upstream):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
    names = dict.fromkeys(("anthropic", "openai", "google", "ollama"), upstream.url)
    running = Service(state, {**names, "dead": dead})
    eventually("two workers", lambda: len(running.named("worker")) == 2)
    return running


def crash(running, markers):
    """Every process of ours dies in the middle of a request, and comes back."""
    body = json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [], "note": markers.plant("body at the crash")}
    ).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: {markers.plant('key at the crash')}\r\n"
    client = socket.create_connection(("127.0.0.1", running.port))
    client.sendall(f"{head}Content-Length: {len(body) + 9}\r\n\r\n".encode() + body)
    words = ("worker", "writer", "front")
    before = {word: running.named(word) for word in words}
    killed = {process.pid for processes in before.values() for process in processes}
    for processes in before.values():
        for process in processes:
            process.kill()
    client.close()

    def all_back():
        now = {word: running.named(word) for word in words}
        pids = {process.pid for processes in now.values() for process in processes}
        return not pids & killed and all(len(now[word]) == len(before[word]) for word in words)

    eventually("all back", all_back, 40)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The files of an instance after all that, and what was planted. The user's umask allows everything."""
    folder, markers = tmp_path_factory.mktemp("day"), Markers()
    state = folder / "state"
    mask = os.umask(0)
    try:
        with provider(folder) as upstream:
            answer = json.dumps([{"text": f"the answer is {markers.plant('answer')}"}] * 12).encode()
            urllib.request.urlopen(urllib.request.Request(upstream.url + "/__mock/answers", answer), timeout=5).close()
            running = start(state, upstream)
            try:
                trio.run(ask_all, running, markers)
                head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: %s\r\n"
                secret = markers.plant("malformed head").encode()
                say_raw(
                    running.port, head % secret + b"no colon\r\n\r\n", head % secret, b"\x00" + secret + b"\r\n\r\n"
                )
                say_raw(running.port, head % secret + b"X: " + secret * 5000 + b"\r\n\r\n")
                crash(running, markers)
                trio.run(ask_all, running, markers)
                assert running.ctl("restart", "front").returncode == 0
                live = modes(running)
                running.stop()
                left = files_of(running)
                running = start(state, upstream)
                trio.run(ask_all, running, markers)
                eventually("a settled store", lambda: not running.rows("id", "state = 'open'"))
                live |= modes(running)
                left += files_of(running)
            finally:
                running.stop()
                psutil.wait_procs(running.tree(), timeout=10)
            left += files_of(running)
    finally:
        os.umask(mask)
    return markers, left, live


def modes(running):
    """The mode of everything below the instance's directories, and of these themselves."""
    roots = {running.state, paths_for(running.state).sockets}
    found = itertools.chain(roots, *(root.rglob("*") for root in roots))
    return {str(path): path.lstat().st_mode for path in found if path.name != HARNESS}


def test_no_secret_is_in_any_file(day):
    markers, files, _ = day
    assert len(markers.planted) > 25
    found = markers.found_in(files)
    assert [(place, file) for place, file in found if place != BEGINNING] == []


def test_the_one_place_that_holds_words_of_a_conversation_is_the_plan(day):
    """A marker names its source by how that begins, and what was sent must be sent so again: docs/security.md says so."""
    markers, files, _ = day
    holding = {Path(file).name for place, file in markers.found_in(files) if place == BEGINNING}
    assert holding == {"plans"}


def test_the_search_finds_what_is_kept(day):
    """What a row may say of a request is there: the client's name, its session, the path."""
    _, files, _ = day
    store = b"".join(data for file, data in files if file.name.startswith("tokenpak.db"))
    for kept in (b"control-agent", b"control-session", b"/v1beta/models/gemini-2.5-pro:generateContent"):
        assert kept in store
    names = {file.name for file, _ in files}
    assert {"tokenpak.db", "plans", "supervisord.log", "front_01.log", "writer.log", "settings.json"} <= names


def test_everything_is_the_users_alone(day):
    """Directories 0700, files and sockets 0600, though the umask of whoever started it allowed all to all."""
    _, _, found = day
    open_to_others = {Path(path).name for path, mode in found.items() if stat.S_IMODE(mode) & 0o077}
    assert open_to_others == set()
    kinds = {stat.S_IFMT(mode) for mode in found.values()}
    assert kinds >= {stat.S_IFDIR, stat.S_IFREG, stat.S_IFSOCK}
    names = {Path(path).name for path in found}
    assert {"tokenpak.db", "tokenpak.db-wal", "logs", "journal", "plans", "writer.sock", "control.sock"} <= names
    assert any(re.fullmatch(r"[0-9a-f]+\.lock", name) for name in names)


def test_a_backup_is_the_users_alone_too(day, tmp_path):
    mask = os.umask(0)
    try:
        _, files, _ = day
        state = next(file.parent for file, _ in files if file.name == "tokenpak.db")
        made = tmp_path / "backup.db"
        command = [*TOKENPAK, "db", "backup", str(made), "--state-dir", str(state)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
